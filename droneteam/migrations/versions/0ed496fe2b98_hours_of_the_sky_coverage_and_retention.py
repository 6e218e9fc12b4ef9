"""Hours of the sky: what moved how, where receivers hear, how long things are kept, replays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "0ed496fe2b98"
down_revision = "9d5317435c18"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coverage_cell",
        sa.Column("receiver", sa.String(length=80), nullable=False),
        sa.Column("band", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("north", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("east", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("best_rssi_dbm", sa.Integer(), nullable=True),
        sa.Column("heard_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("receiver", "band", "north", "east", name=op.f("pk_coverage_cell")),
    )
    op.create_table(
        "keep_rule",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("keep_s", sa.Integer(), nullable=False),
        sa.Column("set_at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_keep_rule")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("origin", sa.String(length=8), server_default="live", nullable=False)
        )

    with op.batch_alter_table("receiver", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lat_deg", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("lon_deg", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("range_m", sa.Double(), nullable=True))

    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.add_column(sa.Column("height_m", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("speed_mps", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("course_deg", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("sigma_m", sa.Double(), nullable=True))
        batch_op.create_index(batch_op.f("ix_sighting_at"), ["at"], unique=False)

    with op.batch_alter_table("track", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ellipse", sa.JSON(), nullable=True))
        batch_op.add_column(
            sa.Column("manned", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(
            sa.Column("origin", sa.String(length=8), server_default="live", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("track", schema=None) as batch_op:
        batch_op.drop_column("ellipse")
        batch_op.drop_column("origin")
        batch_op.drop_column("manned")

    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sighting_at"))
        batch_op.drop_column("sigma_m")
        batch_op.drop_column("course_deg")
        batch_op.drop_column("speed_mps")
        batch_op.drop_column("height_m")

    with op.batch_alter_table("receiver", schema=None) as batch_op:
        batch_op.drop_column("range_m")
        batch_op.drop_column("lon_deg")
        batch_op.drop_column("lat_deg")

    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_column("origin")

    op.drop_table("keep_rule")
    op.drop_table("coverage_cell")
