"""Webhooks: addresses that are told what happened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "f35da3afe9a9"
down_revision = "7696785f3a57"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=300), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("told_id", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("due_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("told_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.Column("made_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["user.id"], name=op.f("fk_webhook_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )


def downgrade() -> None:
    op.drop_table("webhook")
