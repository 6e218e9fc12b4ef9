"""A session that only reads asks for nothing twice; one that writes sees what it has written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from droneteam.accounts import Organisation
from droneteam.db import read_scope, rows_of, session_scope


def zone(code: str) -> Organisation:
    return Organisation(code=code, kind="zone", name_fr=code, name_nl=code, name_en=code)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The SELECT statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def codes(session: Session) -> list[str]:
    return [row.code for row in rows_of(session, Organisation)]


def test_a_small_table_is_read_once_while_a_session_only_reads(engine: Engine) -> None:
    with session_scope(engine) as session:
        session.add_all([zone("B"), zone("A")])
    with read_scope(engine) as session, statements(engine) as sent:
        assert [codes(session) for _ in range(3)] == [["B", "A"]] * 3, "by key, not by name"
    assert len(sent) == 1


def test_the_next_session_sees_what_was_added_meanwhile(engine: Engine) -> None:
    with read_scope(engine) as session:
        assert codes(session) == []
    with session_scope(engine) as session:
        session.add(zone("A"))
    with read_scope(engine) as session:
        assert codes(session) == ["A"]


def test_a_session_that_writes_reads_anew(engine: Engine) -> None:
    with session_scope(engine) as session:
        assert codes(session) == []
        session.add(zone("A"))
        assert codes(session) == ["A"]
