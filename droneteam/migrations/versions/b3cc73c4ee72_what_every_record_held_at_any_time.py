"""What every record held at any time."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

import droneteam.db

revision = "b3cc73c4ee72"
down_revision = "8ce1df18dc5c"
branch_labels = None
depends_on = None


HIDDEN = {
    "user": {
        "password_hash", "second_factor", "second_factor_step", "failed_logins", "locked_until"
    },
    "calendar_feed": {"token_hash"},
}  # fmt: skip
FOLLOWED = (
    "user", "calendar_feed", "organisation", "drone", "drone_model", "battery_type", "battery",
    "payload", "pilot", "credential", "absence", "maintenance", "sla_version", "request",
    "clock_stop", "plan", "mission", "sortie", "geozone", "scene", "mark", "measurement", "case",
    "evidence_item", "retention",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "record_version",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("at", droneteam.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=True),
        sa.Column("changed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audit_entry.id"], name=op.f("fk_record_version_audit_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_version")),
    )
    with op.batch_alter_table("record_version", schema=None) as batch_op:
        batch_op.create_index("ix_record_version_at", ["at"], unique=False)
        batch_op.create_index("ix_record_version_record", ["kind", "record", "id"], unique=False)

    for statement in droneteam.db.append_only_ddl("record_version")[op.get_bind().dialect.name]:
        op.execute(statement)
    for kind in FOLLOWED:
        _first_versions(kind)


def _first_versions(kind: str) -> None:
    """What every record of the table holds today."""
    bind = op.get_bind()
    table = sa.Table(kind, sa.MetaData(), autoload_with=bind)
    (key,) = table.primary_key.columns
    now = datetime.now(UTC)
    for row in bind.execute(sa.select(table).order_by(key)).mappings():
        held = {
            name: _plain(value) for name, value in row.items() if name not in HIDDEN.get(kind, ())
        }
        version: dict[str, Any] = {
            "kind": kind,
            "record": str(row[key.name]),
            "at": now,
            "actor": "",
            "action": "",
            "audit_id": None,
            "changed": held,
            "previous_hash": "0" * 64,
        }
        hashed = {**version, "at": now.isoformat(timespec="microseconds")}
        canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        bind.execute(sa.insert(VERSIONS), {**version, "hash": digest})


VERSIONS = sa.table(
    "record_version",
    *(sa.column(name) for name in ("kind", "record", "actor", "action", "audit_id")),
    *(sa.column(name) for name in ("previous_hash", "hash")),
    sa.column("at", droneteam.db.UtcDateTime(timezone=True)),
    sa.column("changed", sa.JSON(none_as_null=True)),
)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return json.loads(json.dumps(value, default=str))


def downgrade() -> None:
    with op.batch_alter_table("record_version", schema=None) as batch_op:
        batch_op.drop_index("ix_record_version_record")
        batch_op.drop_index("ix_record_version_at")

    op.drop_table("record_version")
