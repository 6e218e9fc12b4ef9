"""Wrong tries to sign in: when the last one was, and those of unknown logins and known browsers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "5d1c7a90e2b4"
down_revision = "9f02221f6776"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_tries",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("failed_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("locked_until", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_tries")),
    )
    at = droneteam.db.UtcDateTime(timezone=True)
    op.add_column("user", sa.Column("failed_at", at, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.drop_column("failed_at")
    op.drop_table("sign_in_tries")
