"""What receivers count: lost, refused, connections, and when they last complained."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "8ce1df18dc5c"
down_revision = "9fa62c711911"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("receiver", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lost", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("refused", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("connections", sa.Integer(), server_default="0", nullable=False)
        )
        batch_op.add_column(
            sa.Column("failed_at", droneteam.db.UtcDateTime(timezone=True), nullable=True)
        )
        batch_op.alter_column(
            "problem",
            existing_type=sa.VARCHAR(length=200),
            type_=sa.String(length=400),
            existing_nullable=False,
        )


def downgrade() -> None:
    with op.batch_alter_table("receiver", schema=None) as batch_op:
        batch_op.alter_column(
            "problem",
            existing_type=sa.String(length=400),
            type_=sa.VARCHAR(length=200),
            existing_nullable=False,
        )
        batch_op.drop_column("failed_at")
        batch_op.drop_column("connections")
        batch_op.drop_column("refused")
        batch_op.drop_column("lost")
