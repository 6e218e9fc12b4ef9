"""Every followed record can be seen as it was at any time, and tampering shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from droneteam import accounts, audit, db, schema, versions
from droneteam.accounts import SYSTEM, Actor, NewUser, Organisation, OrganisationKind, User
from droneteam.errors import NotAllowed, NotFound

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
NAMES = ("Midi", "Zuid", "South")


def change(engine: Engine, step: int, **columns: object) -> None:
    """The organisation's columns changed under an audit entry, `step` hours after NOW."""
    with db.session_scope(engine) as session:
        row = session.get(Organisation, 1)
        if row is None:
            row = Organisation(id=1, code="5341", kind=OrganisationKind.ZONE.value,
                               name_fr=NAMES[0], name_nl=NAMES[1], name_en=NAMES[2])  # fmt: skip
            session.add(row)
        for name, value in columns.items():
            setattr(row, name, value)
        audit.append(
            session,
            SYSTEM,
            action=f"organisation.step{step}",
            subject="organisation:1",
            at=NOW + timedelta(hours=step),
        )


def history(engine: Engine, kind: str = "organisation") -> versions.RecordHistory:
    with db.read_scope(engine) as session:
        return versions.history_of(session, SYSTEM, kind, "1")


def test_a_record_is_seen_as_it_was_at_any_time(engine: Engine) -> None:
    change(engine, 0)
    change(engine, 1, name_en="South zone")
    change(engine, 2, name_en="Midi", code="5341b")
    known = history(engine)
    assert known.whole
    assert [one.action for one in known.versions] == [f"organisation.step{n}" for n in range(3)]
    assert known.at(NOW - timedelta(seconds=1)) is None
    for hours, code, name in (
        (0, "5341", "South"),
        (1.5, "5341", "South zone"),
        (9, "5341b", "Midi"),
    ):
        held = known.at(NOW + timedelta(hours=hours))
        assert held is not None
        assert (held["code"], held["name_en"], held["name_fr"]) == (code, name, "Midi")


def test_a_version_holds_only_what_changed_and_names_its_audit_entry(engine: Engine) -> None:
    change(engine, 0)
    change(engine, 1, name_en="South zone")
    change(engine, 2)
    first, second = history(engine).versions
    assert set(first.changed or {}) == {"id", "code", "kind", "name_fr", "name_nl", "name_en"}
    assert second.changed == {"name_en": "South zone"}
    with db.read_scope(engine) as session:
        entries = {entry.id: entry for entry in audit.entries(session)}
    assert second.audit_id is not None
    assert entries[second.audit_id].action == second.action == "organisation.step1"


def test_several_flushes_of_one_transaction_make_one_version(engine: Engine) -> None:
    change(engine, 0)
    with db.session_scope(engine) as session:
        row = session.get(Organisation, 1)
        assert row is not None
        for name in ("a", "b", "c"):
            row.name_en = name
            session.flush()
        row.name_nl = "d"
    assert history(engine).versions[-1].changed == {"name_en": "c", "name_nl": "d"}
    assert len(history(engine).versions) == 2


def test_what_was_rolled_back_has_not_been(engine: Engine) -> None:
    change(engine, 0)

    def refused() -> None:
        with db.session_scope(engine) as session:
            row = session.get(Organisation, 1)
            assert row is not None
            row.name_en = "never"
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        refused()
    change(engine, 1, name_nl="Zuidpost")
    assert [one.changed for one in history(engine).versions[1:]] == [{"name_nl": "Zuidpost"}]


def test_a_removed_record_is_gone_from_then_on_and_known_before(engine: Engine) -> None:
    change(engine, 0)
    with db.session_scope(engine) as session:
        session.delete(session.get(Organisation, 1))
        audit.append(session, SYSTEM, action="organisation.remove", subject="organisation:1",
                     at=NOW + timedelta(hours=1))  # fmt: skip
    known = history(engine)
    assert known.at(NOW) is not None
    assert known.at(NOW + timedelta(hours=2)) is None


def test_secrets_are_never_copied(engine: Engine) -> None:
    change(engine, 0)
    with db.session_scope(engine) as session:
        made = accounts.add_user(
            session, NewUser("somebody", "Somebody", "5341", ("pilot",), "a long password here")
        )
    with db.session_scope(engine) as session:
        row = session.get(User, made.user_id)
        assert row is not None
        row.failed_logins = 3
        row.second_factor = "sealed"
    with db.read_scope(engine) as session:
        known = versions.history_of(session, SYSTEM, "user", str(made.user_id))
        stored = str(session.execute(text("SELECT changed FROM record_version")).all())
    assert len(known.versions) == 1
    assert "password" not in stored
    assert "sealed" not in stored
    assert "argon2" not in stored


@pytest.mark.parametrize(
    "statement",
    ["UPDATE record_version SET actor = 'nobody'", "DELETE FROM record_version"],
)
def test_versions_cannot_be_changed(engine: Engine, statement: str) -> None:
    change(engine, 0)
    with pytest.raises(DBAPIError, match="append-only"), db.session_scope(engine) as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE record_version SET changed = \'{"name_en": "North"}\' WHERE id = 2',
        "UPDATE record_version SET at = '2026-05-04 07:00:00' WHERE id = 2",
        "DELETE FROM record_version WHERE id = 2",
    ],
)
def test_tampering_behind_the_triggers_shows(engine: Engine, statement: str) -> None:
    for n in range(3):
        change(engine, n, name_en=str(n))
    unlocked = {
        "sqlite": [f"DROP TRIGGER record_version_{verb}" for verb in ("update", "delete")],
        "postgresql": ["DROP TRIGGER record_version_refuse ON record_version"],
    }
    with engine.begin() as connection:
        for step in (*unlocked[engine.dialect.name], statement):
            connection.execute(text(step))
    assert not history(engine).whole


def test_only_who_may_read_the_audit_chain_may_look_back(engine: Engine) -> None:
    change(engine, 0)
    pilot = Actor(1, 1, frozenset({"pilot"}), "pilot")
    with db.read_scope(engine) as session:
        with pytest.raises(NotAllowed):
            versions.history_of(session, pilot, "organisation", "1")
        with pytest.raises(NotFound, match="organisation:2"):
            versions.history_of(session, SYSTEM, "organisation", "2")


def test_every_followed_table_is_there_and_has_the_columns_that_are_hidden() -> None:
    for table, hidden in versions.FOLLOWED.items():
        columns = schema.metadata.tables[table].columns
        assert hidden <= set(columns.keys())
        assert len(schema.metadata.tables[table].primary_key) == 1


def test_an_older_database_begins_with_what_it_holds(engine: Engine) -> None:
    change(engine, 0)
    config = schema._config()
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "8ce1df18dc5c")
    schema.upgrade(engine)
    change(engine, 0, name_en="South zone")
    known = history(engine)
    assert known.whole
    before, after = known.versions
    assert (before.actor, before.action) == ("", "")
    assert (before.changed or {})["name_en"] == "South"
    assert after.changed == {"name_en": "South zone"}
