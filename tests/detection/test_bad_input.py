"""What comes wrong is named, counted and survived, and the others never notice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection import reception, rid, service
from droneteam.detection.limit import OTHERS, Limiter
from droneteam.detection.listen import Listener, batches, replay
from droneteam.detection.match import OwnDrone, RegisteredFlight
from droneteam.detection.records import MAX_RECEIVERS, Alive, Plot, Received
from droneteam.detection.stations import MAX_TWINS
from droneteam.detection.track import Tracker
from droneteam.detection.watch import TICK_S, Known, Watch
from droneteam.errors import InputError
from tests.detection.radio import START, Aircraft, fly
from tests.detection.test_rules import kinds, moments
from tests.detection.test_service import nothing_known


def after(second: float) -> datetime:
    return START + timedelta(seconds=second)


def location(lat_deg: float, lon_deg: float, second: float, **change: float) -> bytes:
    at = after(second)
    return rid.encode(
        rid.Location(
            rid.Status.AIRBORNE,
            lat_deg,
            lon_deg,
            second_of_hour_s=at.minute * 60.0 + at.second,
            horizontal_accuracy_m=3.0,
            **change,
        )
    )


def along(
    places: list[tuple[float, float]], serial: str = "EDGE", **change: float
) -> Iterator[Received]:
    """One place a second of one drone."""
    for second, (lat_deg, lon_deg) in enumerate(places):
        payload = location(lat_deg, lon_deg, second, **change)
        identity = rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, serial))
        for content in (identity, payload):
            yield Received(after(second + 1.0), "roof", "wifi-beacon", serial, content)


def wrapped(lon_deg: float) -> float:
    return (lon_deg + 180.0) % 360.0 - 180.0


@pytest.mark.parametrize("eastwards", [1.0, -1.0])
def test_a_flight_over_the_date_line_is_one_track(eastwards: float) -> None:
    step_deg = eastwards * 10.0 / (111_195.0 * math.cos(math.radians(-17.0)))
    places = [(-17.0, wrapped(180.0 + (n - 15) * step_deg)) for n in range(30)]
    tracker = Tracker()
    for received in along(places, speed_mps=10.0, direction_deg=90.0 if eastwards > 0 else 270.0):
        tracker.observe(received)
    (track,) = tracker.tracks
    assert track.speed_mps == pytest.approx(10.0, abs=0.5)
    assert track.course_deg == pytest.approx(90.0 if eastwards > 0 else 270.0, abs=3.0)
    assert abs(wrapped(track.lon_deg - places[-1][1])) * 111_195.0 < 5.0
    assert track.flags == frozenset()


@pytest.mark.parametrize("lat_deg", [90.0, -90.0, 89.99995, -89.99995])
def test_poles_are_places_like_others(lat_deg: float) -> None:
    inward = -math.copysign(1.0, lat_deg)
    places = [(lat_deg + inward * n * 1e-5, wrapped(10.0 * n)) for n in range(20)]
    watching = Watch(lambda _at: Known())
    found = moments(watching, along(places))
    tracks = [track for track, _ in found[-1].tracks]
    assert tracks
    for track in tracks:
        assert -90.0 <= track.lat_deg <= 90.0
        assert -180.0 <= track.lon_deg <= 180.0
        assert math.isfinite(track.speed_mps)
        assert math.isfinite(track.sigma_m)


@pytest.mark.parametrize("field", ["lat_deg", "lon_deg", "sigma_m"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9])
def test_a_plot_of_no_place_is_refused(field: str, value: float) -> None:
    plot = Plot(START, "radar", "radar", 50.8, 4.4, 5.0)
    with pytest.raises(InputError):
        replace(plot, **{field: value})


def test_a_radio_that_is_everywhere_makes_few_tracks() -> None:
    chance = random.Random(2)
    places = [(chance.uniform(-80, 80), chance.uniform(-180, 180)) for _ in range(300)]
    watching = Watch(lambda _at: Known())
    honest = list(fly(Aircraft(), seconds=300))
    heard = sorted([*along(places), *honest], key=lambda one: one.at)
    found = moments(watching, heard)
    tracks = [track for track, _ in found[-1].tracks]
    assert len(tracks) <= MAX_TWINS + 2
    assert [track.n_fixes for track in tracks if track.uas_id == "1581F4BND2280"] == [300]


def test_a_flood_is_counted_and_the_others_alerts_come_as_without_it(engine: Engine) -> None:
    honest = list(fly(Aircraft(), seconds=20))
    flood = [
        Received(
            after(1.0 + n / 500.0), "van", "wifi-beacon", "flood", location(50.9, 4.5, n // 500)
        )
        for n in range(9_000)
    ]
    listener = Listener(engine, nothing_known, START)
    replay(listener, sorted([*honest, *flood], key=lambda one: one.at), None)
    with session_scope(engine) as session:
        alerts = service.list_alerts(session, SYSTEM, open_only=True)
        rows = {row.name: row for row in reception.list_receivers(session, SYSTEM, after(20.0))}
    quiet = [change for m in moments(Watch(lambda _at: Known()), honest) for change in m.changes]
    assert [one.raised_at for one in alerts if one.uas_id] == [one.at for one in quiet]
    assert listener.limiter.dropped["van"] > 7_000
    assert rows["van"].dropped > 4_000
    assert rows["roof"].dropped == 0


def test_made_up_receivers_fill_neither_limiter_nor_watch() -> None:
    limiter, watching = Limiter(), Watch(lambda _at: Known())
    for number in range(3 * MAX_RECEIVERS):
        received = Received(after(0.0), f"made up {number}", "t", f"radio {number}", b"x")
        limiter.allows(received)
        limiter._drop(received)
        watching.feed(Alive(after(0.0), f"made up {number}"))
    assert len(limiter._new) <= MAX_RECEIVERS + 1
    assert len(limiter.dropped) <= MAX_RECEIVERS + 1
    assert limiter.dropped[OTHERS] >= 2 * MAX_RECEIVERS - 1
    assert len(watching._alive) == MAX_RECEIVERS


def test_what_is_known_of_the_air_is_used_while_it_cannot_be_read_anew(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    flight = RegisteredFlight("F", frozenset({"1581F4BND2280"}), START, after(3600.0), ())
    asked: list[datetime] = []

    def known(_session: Session, at: datetime) -> Known:
        asked.append(at)
        if len(asked) > 3:
            raise OperationalError("SELECT", {}, Exception("the server is away"))
        return Known(flights=(flight,))

    replay(Listener(engine, known, START), fly(Aircraft(), seconds=20), None)
    with session_scope(engine) as session:
        (track,) = service.list_tracks(session, SYSTEM)
        assert service.list_alerts(session, SYSTEM) == []
    assert (track.match_kind, track.match_subject) == ("registered", "F")
    assert "cannot be read, using what was" in caplog.text
    assert len(asked) > 10


def test_telemetry_that_is_hours_old_or_ahead_neither_confirms_nor_denies() -> None:
    for off_h in (-3.0, 3.0):
        own = OwnDrone("d", "1581F4BND2280", after(3600.0 * off_h), 0.0, 0.0)
        watching = Watch(lambda _at, own=own: Known((own,)))  # type: ignore[misc]
        found = moments(watching, fly(Aircraft(), seconds=20))
        ((_, match),) = found[-1].tracks
        assert (match.kind, match.evidence[-1]) == ("own", "telemetry_old")
        assert kinds(found) == []


def test_the_same_records_raise_the_same_alerts_in_batches_of_any_size() -> None:
    sky = [
        *fly(Aircraft(), Aircraft("02:00:00:00:00:02", None, north_m=700.0), seconds=40, copies=3),
        *fly(Aircraft("02:00:00:00:00:03", "C", north_m=900.0, identity_from_s=14.0), seconds=40),
    ]
    sky.sort(key=lambda one: one.at)
    told = []
    for parts in ([[one] for one in sky], list(batches(sky))):
        watching = Watch(lambda _at: Known())
        changes = []
        for part in parts:
            _, moment = watching.feed_many(part)
            changes += [] if moment is None else moment.changes
        said = [(c.change, c.alert.condition.kind, c.alert.condition.key, c.at) for c in changes]
        told.append(sorted(said, key=lambda one: (one[2], one[3])))
    assert len(told[0]) >= 3
    assert [one[:3] for one in told[1]] == [one[:3] for one in told[0]]
    for one, other in zip(*told, strict=True):
        assert abs((one[3] - other[3]).total_seconds()) < TICK_S
