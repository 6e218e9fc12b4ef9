"""What crews write down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "091b3a7c84a2"
down_revision = "99d2c41cd1ba"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "field_entry",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("mission_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("base", sa.String(length=36), nullable=False),
        sa.Column("at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("received_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("behind", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mission_id"], ["mission.id"], name=op.f("fk_field_entry_mission_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_field_entry_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_entry")),
        sa.UniqueConstraint("key", name=op.f("uq_field_entry_key")),
    )
    with op.batch_alter_table("field_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_field_entry_mission_id"), ["mission_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("field_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_field_entry_mission_id"))

    op.drop_table("field_entry")
