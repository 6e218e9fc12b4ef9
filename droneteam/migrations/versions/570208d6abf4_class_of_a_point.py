"""What a track was held to be at each of its points."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "570208d6abf4"
down_revision = "b3cc73c4ee72"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.add_column(sa.Column("match_kind", sa.String(12), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.drop_column("match_kind")
