"""How receivers are: what each has given, what it complains of, and who sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection import reception, service
from droneteam.detection.health import MAX_RECEIVERS, Health, Ledger
from droneteam.detection.listen import Listener, replay
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.receivers import parse_json
from droneteam.detection.records import Alive, Counts, Leave, Plot, Received, Record, Trouble
from droneteam.detection.retention import erase_expired
from droneteam.detection.watch import Known, Watch
from droneteam.errors import NotAllowed
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly

REQUESTER = replace(SYSTEM, roles=frozenset({"requester"}))


def nothing_known(_session: Session, _at: datetime) -> Known:
    return Known()


def after(**span: float) -> datetime:
    return START + timedelta(**span)


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (Health("a", heard_at=START), "working"),
        (Health("a", alive_at=START), "working"),
        (Health("a", heard_at=after(seconds=-200)), "quiet"),
        (Health("a", alive_at=after(seconds=-200)), "silent"),
        (Health("a", heard_at=after(seconds=-200), alive_at=START), "working"),
        (Health("a", alive_at=after(seconds=-5), failed_at=START), "failing"),
        (Health("a", alive_at=START, failed_at=after(seconds=-5)), "working"),
        (Health("a", failed_at=START), "failing"),
        (Health("a"), "quiet"),
    ],
)
def test_a_receivers_state_follows_its_last_signs(row: Health, state: str) -> None:
    assert row.state(START, 120.0) == state


def test_a_ledger_counts_what_each_receiver_gave() -> None:
    ledger = Ledger()
    plot = Plot(after(seconds=3), "radar-1", "radar", LAT_DEG, LON_DEG, 5.0)
    records: list[Record] = [
        *(Received(after(seconds=n), "roof", "wifi-beacon", "02", b"x") for n in (2, 1, 0)),
        plot,
        Alive(after(seconds=9), "roof"),
        Trouble(after(seconds=4), "van", "connection refused"),
    ]
    ledger.note(records, {"roof": 7, "nobody": 1})
    roof, radar, van = ledger.rows
    assert (roof.received, roof.dropped, roof.kind) == (3, 7, "wifi-beacon")
    assert (roof.heard_at, roof.alive_at) == (after(seconds=2), after(seconds=9))
    assert (radar.name, radar.kind, radar.received) == ("radar-1", "radar", 1)
    assert (van.problem, van.received) == ("connection refused", 0)


def test_made_up_names_do_not_fill_the_memory() -> None:
    ledger = Ledger()
    ledger.note([Alive(START, f"r{n}") for n in range(3 * MAX_RECEIVERS)], {})
    assert len(ledger.rows) == MAX_RECEIVERS


def test_a_receiver_can_say_what_is_wrong() -> None:
    line = b'{"at": "2026-05-04T08:00:00+00:00", "receiver": "van", "problem": "no radio"}'
    assert parse_json(line) == Trouble(START, "van", "no radio")


def test_receivers_have_rows_that_tell_when_nobody_follows_them(engine: Engine) -> None:
    records: list[Record] = [*fly(Aircraft(), seconds=20)]
    records += [Alive(after(seconds=21), "van"), Trouble(after(seconds=22), "van", "unplugged")]
    replay(Listener(engine, nothing_known, START), [*records, Alive(after(seconds=30), "x")], None)
    with session_scope(engine) as session:
        rows = {
            row.name: row for row in reception.list_receivers(session, SYSTEM, after(seconds=30))
        }
        later = reception.list_receivers(session, SYSTEM, after(hours=1))
        with pytest.raises(NotAllowed):
            reception.list_receivers(session, REQUESTER, START)
        erase_expired(session, SYSTEM, after(days=400))
        assert len(reception.list_receivers(session, SYSTEM, START)) == len(rows)
    assert (rows["roof"].state, rows["roof"].kind) == ("working", "wifi-beacon")
    heard = sum(isinstance(one, Received) for one in records)
    assert rows["roof"].received == heard
    assert (rows["van"].state, rows["van"].problem) == ("failing", "unplugged")
    assert {row.state for row in later} == {"stopped"}


def test_an_alert_that_nobody_acknowledges_is_escalated_once(engine: Engine) -> None:
    replay(Listener(engine, nothing_known, START), fly(Aircraft(), seconds=20), None)
    with session_scope(engine) as session:
        (alert,) = service.list_alerts(session, SYSTEM)
        due = alert.raised_at + service.ESCALATE_AFTER
        assert service.escalate_due(session, due - timedelta(seconds=1)) == []
        assert service.escalate_due(session, due) == [alert.id]
        assert service.escalate_due(session, due + timedelta(hours=1)) == []
        assert service.get_alert(session, SYSTEM, alert.id).escalated_at == due
        entries = session.scalars(select(audit.AuditEntry.action)).all()
        assert entries.count("alert.escalate") == 1


def test_an_alert_that_was_seen_or_is_over_is_not_escalated(engine: Engine) -> None:
    other = Aircraft("02:00:00:00:00:02", "OTHER", north_m=900.0)
    replay(Listener(engine, nothing_known, START), fly(Aircraft(), other, seconds=20), None)
    with session_scope(engine) as session:
        first, _second = service.list_alerts(session, SYSTEM)
        service.acknowledge_alert(session, SYSTEM, first.id, after(seconds=30))
        service.close_previous_watch(session, after(seconds=40))
        assert service.escalate_due(session, after(hours=1)) == []


def test_a_watch_that_goes_on_escalates_by_itself(engine: Engine) -> None:
    replay(Listener(engine, nothing_known, START), fly(Aircraft(), seconds=90), None)
    with session_scope(engine) as session:
        (alert,) = service.list_alerts(session, SYSTEM)
        assert alert.escalated_at is not None
        waited_s = (alert.escalated_at - alert.raised_at).total_seconds()
    assert 60.0 <= waited_s <= 63.0


def test_a_registered_flights_state_is_kept_with_its_track_until_it_has_ended(
    engine: Engine,
) -> None:
    names = frozenset({"1581F4BND2280"})
    flight = RegisteredFlight("F-1", names, START, after(hours=1), ())
    listener = Listener(engine, lambda _session, _at: Known(flights=(flight,)), START)
    replay(listener, fly(Aircraft(), seconds=10), None)
    with session_scope(engine) as session:
        (track,) = service.list_tracks(session, SYSTEM)
    assert (track.match_subject, track.conformance) == ("F-1", "activated")
    for second in range(12, 90):
        listener.pass_time(after(seconds=second))
    listener.flush()
    with session_scope(engine) as session:
        (track,) = service.list_tracks(session, SYSTEM, ended=True)
    assert (track.ended, track.conformance) == (True, "ended")


def test_a_receiver_is_of_the_kind_that_it_says_and_counts_for_itself() -> None:
    ledger = Ledger()
    heard = Received(START, "roof", "wifi-nan", "02", b"x")
    ledger.note([heard], {})
    assert ledger.rows[0].kind == "wifi-nan", "nothing better is known yet"
    ledger.note([Alive(START, "roof", "wifi", Counts(2, 3, 4)), heard], {})
    (roof,) = ledger.rows
    assert (roof.kind, roof.counts) == ("wifi", Counts(2, 3, 4))
    ledger.note([Alive(after(seconds=5), "roof", "wifi")], {})
    assert ledger.rows[0].counts == Counts(2, 3, 4), "kept where nothing newer was said"


def test_what_leaves_is_not_missed() -> None:
    watch = Watch(lambda _at: Known())
    watch.feed(Alive(START, "utm/one"))
    watch.feed(Alive(START, "utm/two"))
    watch.feed(Leave(after(seconds=5), "utm/one"))
    open_alerts: list[str] = []
    for second in range(10, 200):
        moment = watch.tick(after(seconds=second))
        changes = () if moment is None else moment.changes
        open_alerts += [str(change.alert.condition.key) for change in changes]
    assert open_alerts == ["receiver:utm/two"]
    ledger = Ledger()
    ledger.note([Alive(START, "utm/one"), Leave(START, "utm/one"), Leave(START, "x")], {})
    assert ledger.rows == ()


def test_a_receiver_that_only_complains_is_silent_and_an_alert() -> None:
    watch = Watch(lambda _at: Known())
    watch.feed(Alive(START, "roof", "wifi"))
    alerts: list[tuple[float, str]] = []
    for second in range(1, 200):
        _, moment = watch.feed(Trouble(after(seconds=second), "roof", "no radio", "wifi"))
        changes = () if moment is None else moment.changes
        alerts += [(float(second), change.alert.condition.kind) for change in changes]
    ((raised_s, kind),) = alerts
    assert kind == "silent_receiver"
    assert 120.0 <= raised_s <= 125.0


def test_rows_keep_the_counts_and_the_last_complaint(engine: Engine) -> None:
    records: list[Record] = [
        Alive(START, "roof", "wifi", Counts(1, 0, 0)),
        Trouble(after(seconds=1), "roof", "mon0 is down", "wifi", Counts(1, 5, 2)),
        Alive(after(seconds=9), "roof", "wifi", Counts(2, 5, 2)),
        Alive(after(seconds=16), "roof", "wifi", Counts(2, 6, 2)),
    ]
    replay(Listener(engine, nothing_known, START), records, None)
    with session_scope(engine) as session:
        (row,) = reception.list_receivers(session, SYSTEM, after(seconds=16))
    assert (row.kind, row.state, row.problem) == ("wifi", "working", "")
    assert (row.connections, row.lost, row.refused) == (2, 6, 2)
    assert (row.last_problem, row.failed_at) == ("mon0 is down", after(seconds=1))


def test_a_sensor_that_tells_its_place_is_judged_by_it(engine: Engine) -> None:
    """Far from where the sensor says it stands, a flight counts as out of its range."""
    from droneteam.detection.records import Placed

    def known(_session: Session, _at: datetime) -> Known:
        return Known()

    listener = Listener(engine, known, START)
    listener.hear([Placed(START, "roof", LAT_DEG + 1.0, LON_DEG, 3000.0)])
    clone = Aircraft(latency_s=900.0, transmitter="02:00:00:00:00:02", east_m=9000.0)
    replay(listener, fly(Aircraft(latency_s=900.0), clone, seconds=30), None)
    with session_scope(engine) as session:
        evidence = {name for one in service.list_alerts(session, SYSTEM) for name in one.evidence}
    assert "out_of_range" in evidence
