"""What was in the air then: pieces that join without loss, moments, replays beside the watch."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection import history, service
from droneteam.detection.ellipse import ellipse_of
from droneteam.detection.history import Cursor, Span
from droneteam.detection.listen import Listener, replay
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.models import AlertRow, ReceiverRow, RidMessage, Sighting, TrackRow
from droneteam.detection.motion import INDEX
from droneteam.detection.records import RAYLEIGH_95
from droneteam.detection.retention import (
    KINDS,
    Retention,
    erase_expired,
    erase_now,
    kept_for,
    set_retention,
)
from droneteam.detection.suspicion import Site
from droneteam.detection.watch import Known
from droneteam.errors import InputError, NotAllowed
from tests.detection.radio import START, Aircraft, fly
from tests.detection.test_rules import track_at
from tests.detection.test_service import MANAGER, REQUESTER, nothing_known

OTHER = Aircraft("02:00:00:00:00:02", "1581F4BND9999", north_m=400.0, course_deg=0.0)
SPAN = Span(START, START + timedelta(minutes=5))


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Two flights of 30 s."""
    replay(Listener(engine, nothing_known, START), fly(Aircraft(), OTHER, seconds=30), None)
    return engine


def everything(engine: Engine, span: Span) -> list[int]:
    """The ids of all points, piece after piece."""
    found: list[int] = []
    cursor = None
    with session_scope(engine) as session:
        while True:
            piece = history.points_between(session, SYSTEM, span, cursor)
            assert len(piece.points) <= history.MAX_POINTS
            found += [point.id for point in piece.points]
            if piece.following is None:
                return found
            cursor = Cursor.parse(str(piece.following))


def test_pieces_join_to_every_point_once_and_in_the_order_of_time(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(filled) as session:
        query = select(Sighting.id).where(Sighting.at <= SPAN.until)
        expected = list(session.scalars(query.order_by(Sighting.at, Sighting.id)))
    assert len(expected) >= 50
    for size in (1, 7, 5000):
        monkeypatch.setattr(history, "MAX_POINTS", size)
        assert everything(filled, SPAN) == expected


def test_a_point_keeps_what_its_track_was_held_to_be_there(engine: Engine) -> None:
    """A flight that is announced after twelve seconds in the air."""
    hour = timedelta(hours=1)
    serials = frozenset({Aircraft().uas_id or ""})
    flight = RegisteredFlight("F", serials, START - hour, START + hour, ())
    announced = START + timedelta(seconds=12)

    def known(_session: Session, at: datetime) -> Known:
        return Known(flights=(flight,) if at >= announced else ())

    replay(Listener(engine, known, START), fly(Aircraft(), seconds=30), None)
    with session_scope(engine) as session:
        points = history.points_between(session, SYSTEM, SPAN).points
        (track,) = service.list_tracks(session, SYSTEM, ended=True)
    before = {one.match_kind for one in points if one.at < announced - timedelta(seconds=2)}
    after = {one.match_kind for one in points if one.at > announced + timedelta(seconds=2)}
    assert track.match_kind == "registered"
    assert before == {"unknown"}
    assert after == {"registered"}


def test_points_of_one_moment_are_not_lost_between_two_pieces(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(filled) as session:
        row = {"track_id": 1, "at": START + timedelta(minutes=1), "lat_deg": 50.0, "lon_deg": 4.0}
        session.execute(insert(Sighting), [row] * 20)
    monkeypatch.setattr(history, "MAX_POINTS", 3)
    found = everything(filled, Span(START + timedelta(seconds=50), SPAN.until))
    assert len(found) == len(set(found)) == 20


def test_a_point_keeps_how_the_aircraft_moved(filled: Engine) -> None:
    with session_scope(filled) as session:
        points = history.points_between(session, SYSTEM, SPAN).points
        north = [point for point in points if point.lat_deg > 50.8233]
    assert north
    for point in north[5:]:
        assert point.speed_mps == pytest.approx(10.0, abs=1.0)
        assert point.course_deg is not None
        assert abs(math.sin(math.radians(point.course_deg))) < 0.2
        assert point.height_m == pytest.approx(40.0, abs=0.6)
        assert 0.5 < (point.sigma_m or 0.0) < 10.0


def test_a_moment_shows_each_track_where_it_was_last(filled: Engine) -> None:
    at = START + timedelta(seconds=15)
    with session_scope(filled) as session:
        query = select(Sighting).where(Sighting.at <= at).order_by(Sighting.at, Sighting.id)
        expected = {row.track_id: row.id for row in session.scalars(query)}
        found = history.newest_points(session, SYSTEM, at)
        assert {point.track_id: point.id for point in found} == expected
        assert len(expected) == 2
        gone = START + timedelta(minutes=5)
        assert history.newest_points(session, SYSTEM, gone) == []


def test_tracks_and_alerts_are_those_of_the_span(filled: Engine) -> None:
    before = Span(START - timedelta(hours=2), START - timedelta(hours=1))
    after = Span(START + timedelta(hours=1), START + timedelta(hours=2))
    with session_scope(filled) as session:
        assert {row.id for row in history.tracks_between(session, SYSTEM, SPAN)} == {1, 2}
        assert len(history.alerts_between(session, SYSTEM, SPAN)) == 2
        assert len(history.alerts_between(session, SYSTEM, after)) == 2  # still open
        assert history.alerts_between(session, SYSTEM, before) == []
        assert history.tracks_between(session, SYSTEM, before) == []
        service.close_previous_watch(session, START + timedelta(minutes=1))
        assert history.alerts_between(session, SYSTEM, after) == []
        first, last = history.kept_span(session, SYSTEM) or (START, START)
        assert timedelta(seconds=20) < last - first < timedelta(seconds=40)


def test_a_role_without_the_sky_has_no_history(filled: Engine) -> None:
    with session_scope(filled) as session:
        for ask in (
            lambda: history.points_between(session, REQUESTER, SPAN),
            lambda: history.tracks_between(session, REQUESTER, SPAN),
            lambda: history.alerts_between(session, REQUESTER, SPAN),
            lambda: history.newest_points(session, REQUESTER, START),
        ):
            with pytest.raises(NotAllowed):
                ask()


@pytest.mark.parametrize("text", ["", "x", "2026-05-04T08:00:00_5", "_5", "2026-05-04_x", "a" * 99])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        Cursor.parse(text)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 10**18 - 1))
def test_a_cursor_survives_its_text(at: datetime, number: int) -> None:
    assert Cursor.parse(str(Cursor(at, number))) == Cursor(at, number)


def test_a_span_is_bounded_and_runs_forward() -> None:
    Span(START, START + history.MAX_SPAN)
    with pytest.raises(InputError, match="longer than 24 hours"):
        Span(START, START + history.MAX_SPAN + timedelta(seconds=1))
    with pytest.raises(InputError, match="before it begins"):
        Span(START, START - timedelta(seconds=1))


# ---- replays


def test_a_replay_neither_ends_nor_clears_what_the_watch_follows(filled: Engine) -> None:
    later = START + timedelta(hours=1)
    recorded = Listener(
        filled, nothing_known, later, {"roof": Site("roof", 50.8, 4.3, 900.0)}, "replay"
    )
    replay(recorded, fly(Aircraft("02:77", "1581FREPLAYED"), seconds=20), None)
    with session_scope(filled) as session:
        shown = {row.uas_id: row for row in service.list_tracks(session, SYSTEM)}
        assert len(shown) == 3
        assert shown["1581FREPLAYED"].origin == "replay"
        assert shown["1581FREPLAYED"].id >= service.REPLAY_IDS
        assert {row.origin for name, row in shown.items() if name != "1581FREPLAYED"} == {"live"}
        alerts = {row.uas_id: row for row in service.list_alerts(session, SYSTEM)}
        assert all(row.cleared_at is None for row in alerts.values())
        assert alerts["1581FREPLAYED"].origin == "replay"
        # Nobody is called for what happened long ago, and the live receivers are left alone.
        service.escalate_due(session, later)
        assert session.scalars(
            select(AlertRow.escalated_at).where(AlertRow.origin == "replay")
        ).all() == [None]
        assert session.get_one(ReceiverRow, "roof").range_m is None
    recorded.close(later)
    with session_scope(filled) as session:
        assert len(service.list_tracks(session, SYSTEM)) == 2
        alerts = {row.uas_id: row for row in service.list_alerts(session, SYSTEM)}
        assert alerts["1581FREPLAYED"].facts["cleared_by"] == "end of the replay"
        assert sum(row.cleared_at is None for row in alerts.values()) == 2
        assert service.next_track_id(session) == 3
        assert service.next_track_id(session, "replay") == shown["1581FREPLAYED"].id + 1


# ---- the ellipse


@given(st.floats(0.1, 500.0), st.floats(0.1, 500.0), st.floats(-0.999, 0.999))
def test_the_ellipse_is_that_of_the_covariance(east_m: float, north_m: float, rho: float) -> None:
    covariance = [0.0] * 10
    covariance[INDEX[0, 0]], covariance[INDEX[1, 1]] = east_m**2, north_m**2
    covariance[INDEX[0, 1]] = both = rho * east_m * north_m
    found = ellipse_of(track_at(0.0, 0.0, covariance=tuple(covariance)))
    values, vectors = np.linalg.eigh(np.array([[east_m**2, both], [both, north_m**2]]))
    assert found.minor_m == pytest.approx(
        RAYLEIGH_95 * math.sqrt(max(values[0], 0)), rel=1e-3, abs=1e-3
    )
    assert found.major_m == pytest.approx(RAYLEIGH_95 * math.sqrt(values[1]), rel=1e-6)
    if values[1] > 1.01 * values[0]:
        axis = np.array(
            [math.sin(math.radians(found.bearing_deg)), math.cos(math.radians(found.bearing_deg))]
        )
        assert abs(axis @ vectors[:, 1]) == pytest.approx(1.0, abs=1e-6)


def test_a_track_without_covariance_has_a_circle() -> None:
    found = ellipse_of(track_at(0.0, 0.0, 5.0, covariance=None))
    assert found.major_m == found.minor_m == pytest.approx(12.2, abs=0.1)


# ---- retention as data


def test_each_kind_is_kept_as_it_was_set_and_a_network_message_a_day_at_most(
    filled: Engine,
) -> None:
    with session_scope(filled) as session:
        service.close_previous_watch(session, START)
        assert kept_for(session) == Retention()
        kept = Retention(broadcast=timedelta(hours=3), way=timedelta(days=2))
        set_retention(session, SYSTEM, kept, START)
        assert kept_for(session) == kept
        network = {"receiver": "utm", "transport": "network-rid", "transmitter": "x"}
        session.add(RidMessage(at=START, payload_hex="00", track_id=None, **network))
        session.flush()
        early = erase_expired(session, SYSTEM, START + timedelta(hours=4))
        left = session.scalars(select(RidMessage.transport)).all()
        assert early.messages >= 60
        assert left == ["network-rid"]
        assert erase_expired(session, SYSTEM, START + timedelta(hours=25)).messages == 1
        with pytest.raises(NotAllowed):
            set_retention(session, MANAGER, kept, START)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_bounds_that_are_named(kind: str) -> None:
    for wrong in (timedelta(minutes=59), KINDS[kind].most + timedelta(seconds=1)):
        with pytest.raises(InputError, match=f"{kind} cannot be kept") as caught:
            Retention(**{kind: wrong})
        assert caught.value.field == kind
    assert Retention(**{kind: KINDS[kind].most}).of(kind) == KINDS[kind].most


def test_with_the_last_point_goes_who_it_was(filled: Engine) -> None:
    with session_scope(filled) as session:
        service.close_previous_watch(session, START)
        erase_expired(session, SYSTEM, START + timedelta(days=29))
        assert session.get_one(TrackRow, 1).uas_id == "1581F4BND2280"
        erase_expired(session, SYSTEM, START + timedelta(days=31))
        row = session.get_one(TrackRow, 1)
        assert (row.uas_id, row.transmitters) == (None, [])
        assert {alert.uas_id for alert in service.list_alerts(session, SYSTEM)} == {None}


def test_what_is_erased_is_in_no_file_of_the_database_any_more(
    sqlite_engine: Engine,
) -> None:
    replay(Listener(sqlite_engine, nothing_known, START), fly(Aircraft(), seconds=30), None)
    with session_scope(sqlite_engine) as session:
        service.close_previous_watch(session, START)
        (payload, *_) = session.scalars(select(RidMessage.payload_hex))
    path = Path(str(sqlite_engine.url.database))
    assert payload.encode() in on_disk(path)
    erased = erase_now(sqlite_engine, START + timedelta(days=31))
    assert erased.messages >= 30
    assert payload.encode() not in on_disk(path)
    assert b"1581F4BND2280" not in on_disk(path)


def on_disk(path: Path) -> bytes:
    """The database and its write-ahead log, as a thief would find them."""
    log = path.with_name(path.name + "-wal")
    return path.read_bytes() + (log.read_bytes() if log.exists() else b"")
