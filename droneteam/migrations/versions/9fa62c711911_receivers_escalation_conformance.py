"""Health of receivers, escalation of alerts, conformance of tracks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "9fa62c711911"
down_revision = "edf5177582ec"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receiver",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("heard_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("alive_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=200), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("updated_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_receiver")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("escalated_at", droneteam.db.UtcDateTime(timezone=True), nullable=True)
        )

    with op.batch_alter_table("track", schema=None) as batch_op:
        batch_op.add_column(sa.Column("conformance", sa.String(length=16), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("track", schema=None) as batch_op:
        batch_op.drop_column("conformance")

    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_column("escalated_at")

    op.drop_table("receiver")
