"""Second factor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "e485dbafd44d"
down_revision = "b651a273d6e4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("second_factor", sa.String(length=200), nullable=True))
        batch_op.add_column(
            sa.Column("second_factor_step", sa.Integer(), server_default="0", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.drop_column("second_factor_step")
        batch_op.drop_column("second_factor")
