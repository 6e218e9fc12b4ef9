"""Onboard logs of sorties."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "9d5317435c18"
down_revision = "06dd3ba5b08b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "onboard_log",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("sortie_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("fetched_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("began_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("uncertainty_s", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sortie_id"], ["sortie.id"], name=op.f("fk_onboard_log_sortie_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_onboard_log")),
        sa.UniqueConstraint("sortie_id", name=op.f("uq_onboard_log_sortie_id")),
    )


def downgrade() -> None:
    op.drop_table("onboard_log")
