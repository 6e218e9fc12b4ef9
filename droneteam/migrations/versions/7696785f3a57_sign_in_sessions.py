"""Sign-in sessions as rows instead of one key for each user; every open session ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "7696785f3a57"
down_revision = "9fa62c711911"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_session",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("made_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_sign_in_session_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_session")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sign_in_session_secret_hash")),
    )
    with op.batch_alter_table("sign_in_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_session_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_user_session_key"), type_="unique")
        batch_op.drop_column("session_key")


def downgrade() -> None:
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session_key", sa.String(length=64), nullable=True))
    op.execute("UPDATE \"user\" SET session_key = 'ended-' || id")
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.alter_column("session_key", existing_type=sa.String(length=64), nullable=False)
        batch_op.create_unique_constraint(batch_op.f("uq_user_session_key"), ["session_key"])

    with op.batch_alter_table("sign_in_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_session_user_id"))

    op.drop_table("sign_in_session")
