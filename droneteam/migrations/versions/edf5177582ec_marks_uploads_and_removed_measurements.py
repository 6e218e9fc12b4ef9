"""Marks, uploads and removed measurements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "edf5177582ec"
down_revision = "253d64e22006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("scene_id", sa.Integer(), nullable=False),
        sa.Column("point", sa.String(length=100), nullable=False),
        sa.Column("photo", sa.String(length=255), nullable=False),
        sa.Column("x_px", sa.Float(), nullable=True),
        sa.Column("y_px", sa.Float(), nullable=True),
        sa.Column("sigma_px", sa.Float(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("marked_by", sa.Integer(), nullable=True),
        sa.Column("marked_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["marked_by"], ["user.id"], name=op.f("fk_mark_marked_by")),
        sa.ForeignKeyConstraint(["scene_id"], ["scene.id"], name=op.f("fk_mark_scene_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
    )
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.create_index("ix_mark_scene_id_point", ["scene_id", "point"], unique=False)

    op.create_table(
        "upload",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("scene_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("started_by", sa.Integer(), nullable=True),
        sa.Column("started_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", droneteam.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["scene_id"], ["scene.id"], name=op.f("fk_upload_scene_id")),
        sa.ForeignKeyConstraint(["started_by"], ["user.id"], name=op.f("fk_upload_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.UniqueConstraint("scene_id", "sha256", name=op.f("uq_upload_scene_id_sha256")),
    )
    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_scene_id"), ["scene_id"], unique=False)

    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("removed_by", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("removed_at", droneteam.db.UtcDateTime(timezone=True), nullable=True)
        )
        batch_op.add_column(sa.Column("removed_reason", sa.Text(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_measurement_removed_by"), "user", ["removed_by"], ["id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("measurement", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_measurement_removed_by"), type_="foreignkey")
        batch_op.drop_column("removed_reason")
        batch_op.drop_column("removed_at")
        batch_op.drop_column("removed_by")

    with op.batch_alter_table("upload", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_upload_scene_id"))

    op.drop_table("upload")
    with op.batch_alter_table("mark", schema=None) as batch_op:
        batch_op.drop_index("ix_mark_scene_id_point")

    op.drop_table("mark")
