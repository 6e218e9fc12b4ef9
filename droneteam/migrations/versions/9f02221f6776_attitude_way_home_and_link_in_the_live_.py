"""attitude, way home and link in the live state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9f02221f6776"
down_revision = "39b9efc6d226"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("vehicle_state", schema=None) as batch_op:
        batch_op.add_column(sa.Column("roll_deg", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("pitch_deg", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("home_s", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("home_battery_pct", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("link_pct", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("silent_s", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("vehicle_state", schema=None) as batch_op:
        batch_op.drop_column("silent_s")
        batch_op.drop_column("link_pct")
        batch_op.drop_column("home_battery_pct")
        batch_op.drop_column("home_s")
        batch_op.drop_column("pitch_deg")
        batch_op.drop_column("roll_deg")
