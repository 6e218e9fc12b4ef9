"""Own, registered or unknown; and one alert for one cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from droneteam.detection import alert
from droneteam.detection.conflict import Mover, closest, mover_of
from droneteam.detection.match import (
    OwnDrone,
    RegisteredFlight,
    match_track,
)
from droneteam.detection.track import Received, Track, Tracker
from droneteam.detection.watch import Known, Moment, Watch
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly

SERIAL = "1581F4BND2280"
BOX = tuple((LAT_DEG + a, LON_DEG + b) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1)))
FLIGHT = RegisteredFlight(
    "F-1", frozenset({SERIAL}), START, START + timedelta(hours=1), BOX, max_height_m=120.0
)


def track_of(aircraft: Aircraft, seconds: int = 20) -> Track:
    tracker = Tracker()
    for received in fly(aircraft, seconds=seconds):
        tracker.observe(received)
    return tracker.tracks[0]


def own(aircraft: Aircraft, t_s: float) -> OwnDrone:
    lat_deg, lon_deg = aircraft.position(t_s)
    return OwnDrone("drone-01", SERIAL, START + timedelta(seconds=t_s), lat_deg, lon_deg)


def test_an_own_drone_is_known_by_serial_and_telemetry() -> None:
    aircraft = Aircraft()
    found = match_track(track_of(aircraft), [own(aircraft, 19.0)], [])
    assert (found.kind, found.subject) == ("own", "drone-01")
    assert found.evidence == ("own_serial", "telemetry_agrees")


def test_our_serial_where_our_drone_is_not_is_not_ours() -> None:
    elsewhere = own(Aircraft(east_m=5000.0), 19.0)
    found = match_track(track_of(Aircraft()), [elsewhere], [])
    assert found.kind == "unknown"
    assert found.evidence[-1] == "telemetry_elsewhere"


def test_a_registered_flight_is_known_inside_its_terms() -> None:
    found = match_track(track_of(Aircraft()), [], [FLIGHT])
    assert (found.kind, found.subject, found.deviations) == ("registered", "F-1", ())


@pytest.mark.parametrize(
    ("change", "deviation"),
    [
        ({"starts_at": START + timedelta(minutes=30)}, "before_window"),
        ({"ends_at": START - timedelta(minutes=30)}, "after_window"),
        ({"polygon": tuple((lat + 3, lon) for lat, lon in BOX)}, "outside_volume"),
        ({"max_height_m": 30.0}, "above_height"),
    ],
)
def test_a_departure_from_the_registration_is_named(
    change: dict[str, object], deviation: str
) -> None:
    found = match_track(track_of(Aircraft()), [], [replace(FLIGHT, **change)])
    assert found.deviations == (deviation,)


def test_of_two_flights_the_one_that_fits_counts() -> None:
    early = replace(FLIGHT, reference="F-0", ends_at=START - timedelta(hours=1))
    assert match_track(track_of(Aircraft()), [], [early, FLIGHT]).subject == "F-1"


def test_a_head_on_approach_is_computed() -> None:
    track = track_of(Aircraft(east_m=-600.0, course_deg=90.0), seconds=11)
    ours = Mover("drone-01", LAT_DEG, LON_DEG, -10.0, 0.0, 5.0, 1.0)
    found = closest(ours, mover_of(track), within_m=60.0, vertical_m=50.0, horizon_s=60.0)
    assert found.in_s == pytest.approx(25.0, abs=1.0)
    assert found.distance_m < 10.0


def watch(
    receptions: Iterable[Received], known: Known, until_s: float = 0.0
) -> tuple[list[alert.AlertChange], list[Moment]]:
    watching = Watch(lambda _at: known)
    moments = [moment for r in receptions if (moment := watching.feed(r)[1]) is not None]
    end = max((m.at for m in moments), default=START)
    for second in range(1, round(until_s) + 1):
        moment = watching.tick(end + timedelta(seconds=second))
        if moment is not None:
            moments.append(moment)
    return [change for moment in moments for change in moment.changes], moments


def test_an_unregistered_drone_raises_one_alert_and_clears_it_once() -> None:
    changes, _ = watch(fly(Aircraft()), Known(), until_s=120)
    assert [change.change for change in changes] == ["raised", "cleared"]
    assert changes[0].alert.condition.kind == "unregistered_flight"


def test_own_and_registered_flights_raise_nothing() -> None:
    ours = Aircraft()
    theirs = Aircraft("02:00:00:00:00:02", "THEIRS", north_m=200.0)
    flight = replace(FLIGHT, uas_ids=frozenset({"THEIRS"}))
    moving = Watch(lambda at: Known((own(ours, (at - START).total_seconds()),), (flight,)))
    changes = [
        change
        for received in fly(ours, theirs)
        if (moment := moving.feed(received)[1]) is not None
        for change in moment.changes
    ]
    assert changes == []


@pytest.mark.parametrize("identity_from_s", [8.0, 20.0, 28.0])
def test_a_partial_identity_raises_nothing_while_it_may_still_come(identity_from_s: float) -> None:
    flight = replace(FLIGHT, uas_ids=frozenset({SERIAL}))
    late = Aircraft(identity_from_s=identity_from_s)
    changes, _ = watch(fly(late), Known((), (flight,)))
    assert changes == []


def test_a_drone_that_never_says_who_it_is_raises_one_alert() -> None:
    changes, _ = watch(fly(Aircraft(uas_id=None)), Known())
    assert Counter(change.change for change in changes)["raised"] == 1
    assert changes[0].alert.condition.evidence == ("no_identity",)


def test_a_late_identity_updates_the_alert_and_raises_no_second() -> None:
    changes, _ = watch(fly(Aircraft(identity_from_s=40.0)), Known())
    assert [change.change for change in changes] == ["raised", "updated"]


def test_a_registered_flight_that_leaves_its_volume_raises_one_alert() -> None:
    box = tuple((LAT_DEG + a, LON_DEG + b) for a, b in ((-1, -1), (-1, 0), (1, 0), (1, -1)))
    changes, _ = watch(fly(Aircraft(east_m=-200.0)), Known((), (replace(FLIGHT, polygon=box),)))
    assert [c.alert.condition.kind for c in changes] == ["outside_registration"]


def test_a_copied_serial_raises_a_spoof_alert() -> None:
    ours, fake = Aircraft(), Aircraft("02:00:00:00:00:66", east_m=15_000.0)
    changes, _ = watch(fly(ours, fake), Known((own(ours, 30.0),), ()))
    kinds = {change.alert.condition.kind for change in changes}
    assert kinds == {"suspected_spoof"}


RULES = alert.AlertRules()
CONDITION = alert.Condition("unregistered_flight", "track:1", 1, ("no_identity",))


def run_book(presence: str) -> str:
    """One character per second, x where the condition holds; gives r and c where it changes."""
    book: alert.Book = {}
    said = []
    for second, sign in enumerate(presence):
        at: datetime = START + timedelta(seconds=second)
        book, changes = alert.step(book, [CONDITION] if sign == "x" else [], at, RULES)
        said.append("".join(change.change[0] for change in changes) or ".")
    return "".join(said)


@pytest.mark.parametrize(
    ("presence", "changes"),
    [
        ("xxxx", "..r."),
        ("x.................", ".................."),
        ("xxx" + "." * 15, "..r" + "." * 14 + "c"),
        ("xxx" + ("." * 14 + "x") * 2, "..r" + "." * 30),
        ("xxx" + "." * 16 + "xxx", "..r" + "." * 14 + "c" + "." + "..r"),
    ],
)
def test_alerts_are_raised_and_cleared_with_patience(presence: str, changes: str) -> None:
    assert run_book(presence) == changes
