"""measurements can be taken again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "253d64e22006"
down_revision = "e485dbafd44d"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("frame", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("photos_rejected", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("series", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("request", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("supersedes_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_measurement_supersedes_id"), "measurement", ["supersedes_id"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_measurement_supersedes_id"), type_="foreignkey")
        batch_op.drop_column("supersedes_id")
        batch_op.drop_column("request")
        batch_op.drop_column("series")
        batch_op.drop_column("photos_rejected")
        batch_op.drop_column("frame")
