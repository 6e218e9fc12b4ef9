"""What receivers count: lost, refused, connections, and their last complaint."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "8ce1df18dc5c"
down_revision = "0ed496fe2b98"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("receiver", schema=None) as batch_op:
        for name in ("lost", "refused", "connections"):
            batch_op.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("failed_at", droneteam.db.UtcDateTime(timezone=True), nullable=True)
        )
        batch_op.add_column(
            sa.Column("last_problem", sa.String(length=400), server_default="", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("receiver", schema=None) as batch_op:
        for name in ("last_problem", "failed_at", "connections", "refused", "lost"):
            batch_op.drop_column(name)
