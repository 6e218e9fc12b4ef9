"""The audit chain shows every kind of tampering."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from droneteam import audit
from droneteam.accounts import SYSTEM
from droneteam.db import session_scope

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def write(engine: Engine, n: int = 5) -> None:
    for i in range(n):
        with session_scope(engine) as session:
            facts = {"number": i, "ratio": 0.1, "name": "Évère"}
            audit.append(
                session, SYSTEM, action="test.do", subject=f"thing:{i}", at=NOW, facts=facts
            )


def test_an_untouched_chain_is_whole(engine: Engine) -> None:
    write(engine)
    with session_scope(engine) as session:
        assert audit.verify(session) == []
        assert audit.count(session) == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'nobody' WHERE id = 3",
        "DELETE FROM audit_entry WHERE id = 3",
    ],
)
def test_the_database_refuses_changes(engine: Engine, statement: str) -> None:
    write(engine)
    with pytest.raises(DBAPIError, match="append-only"), session_scope(engine) as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit_entry SET actor = 'nobody' WHERE id = 3", [3]),
        ("DELETE FROM audit_entry WHERE id = 3", [4]),
        ("UPDATE audit_entry SET reason = 'because' WHERE id = 5", [5]),
    ],
)
def test_tampering_past_the_triggers_is_found(
    sqlite_engine: Engine, statement: str, broken: list[int]
) -> None:
    write(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        session.execute(text("DROP TRIGGER audit_entry_UPDATE"))
        session.execute(text("DROP TRIGGER audit_entry_DELETE"))
        session.execute(text(statement))
    with session_scope(sqlite_engine) as session:
        assert audit.verify(session) == broken


def test_entries_are_filtered_newest_first(sqlite_engine: Engine) -> None:
    write(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        assert [e.subject for e in audit.entries(session, limit=2)] == ["thing:4", "thing:3"]
        assert [e.id for e in audit.entries(session, subject="thing:1")] == [2]
        assert audit.entries(session, action="other") == []
        assert [e.id for e in audit.entries(session, before_id=3)] == [2, 1]
