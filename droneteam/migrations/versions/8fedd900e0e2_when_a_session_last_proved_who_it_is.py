"""When the user of a session last said who they are, for what asks for a recent sign-in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "8fedd900e0e2"
down_revision = "5d1c7a90e2b4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at = droneteam.db.UtcDateTime(timezone=True)
    op.add_column("sign_in_session", sa.Column("proven_at", at, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sign_in_session", schema=None) as batch_op:
        batch_op.drop_column("proven_at")
