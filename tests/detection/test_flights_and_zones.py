"""Registered flights end, lost ones and zones raise one alert each, and heights are compared only
above a surface that both share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from scipy.stats import norm

from droneteam.detection import rid
from droneteam.detection.alert import AlertChange
from droneteam.detection.flights import Flights
from droneteam.detection.heights import Heights, apart_m
from droneteam.detection.match import OwnDrone, RegisteredFlight, match_track, public_operator
from droneteam.detection.records import Record, Track
from droneteam.detection.watch import Known, Watch
from droneteam.detection.zones import ZoneIndex
from droneteam.missions.airspace.checks import Geozone, HeightReference, Restriction, ZoneVolume
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly
from tests.detection.test_rules import DEGREE_M, track_at

SERIAL = "1581F4BND2280"
WIDE = tuple((LAT_DEG + a, LON_DEG + b) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1)))
FLIGHT = RegisteredFlight(
    "F-1", frozenset({SERIAL}), START, START + timedelta(hours=1), WIDE, 120.0, "BELoperator00001"
)


def square(half_m: float, east_m: float = 0.0) -> tuple[tuple[float, float], ...]:
    north = half_m / DEGREE_M
    scale = DEGREE_M * math.cos(math.radians(LAT_DEG))
    signs = ((-1, -1), (-1, 1), (1, 1), (1, -1))
    return tuple((LAT_DEG + a * north, LON_DEG + (east_m + b * half_m) / scale) for a, b in signs)


def zone(
    restriction: Restriction = Restriction.PROHIBITED, name: str = "Z1", **volume: object
) -> Geozone:
    part = ZoneVolume(**({"polygon": square(100.0)} | volume))  # type: ignore[arg-type]
    return Geozone(name, f"zone {name}", restriction, (part,))


# ---- flights


def seen(state: rid.Status, second: float, east_m: float = 0.0) -> Track:
    at = START + timedelta(seconds=second)
    return track_at(east_m, 0.0, 3.0, id=1, status=state, last_at=at, height_m=40.0)


def states(flights: Flights, tracks: Iterable[Track], flight: RegisteredFlight | None) -> list[str]:
    found = [flights.follow(track, flight, track.last_at) for track in tracks]
    return [state.state if state else "none" for state in found]


def test_a_flight_that_lands_has_ended_and_one_that_takes_off_again_is_judged_anew() -> None:
    air, ground = rid.Status.AIRBORNE, rid.Status.GROUND
    course = [seen(s, n) for n, s in enumerate((ground, air, air, ground, ground, air))]
    # On the ground before take-off it keeps to its area: activated, then over at its first stand.
    assert states(Flights(), course, FLIGHT) == [
        *("activated", "activated", "activated"),
        *("ended", "ended", "activated"),
    ]


def test_a_flight_ends_with_its_track_and_is_told_once() -> None:
    flights = Flights()
    flights.follow(seen(rid.Status.AIRBORNE, 0), FLIGHT, START)
    assert {one: s.state for one, s in flights.changed_states().items()} == {1: "activated"}
    assert flights.changed_states() == {}
    flights.end([1, 99], START + timedelta(seconds=70))
    (ended,) = flights.changed_states().values()
    assert (ended.state, ended.since) == ("ended", START + timedelta(seconds=70))
    flights.keep([])
    assert flights.changed_states() == {}


def test_a_flight_that_is_withdrawn_ends() -> None:
    flights = Flights()
    track = seen(rid.Status.AIRBORNE, 0)
    assert states(flights, [track], FLIGHT) == ["activated"]
    assert states(flights, [track], None) == ["none"]
    assert [s.state for s in flights.changed_states().values()] == ["ended"]


def test_a_flight_outside_before_it_was_announced_is_judged_from_its_announcement() -> None:
    small = replace(FLIGHT, polygon=square(100.0))
    flights = Flights()
    before = [seen(rid.Status.AIRBORNE, n, east_m=500.0) for n in range(60)]
    assert set(states(flights, before, None)) == {"none"}
    inside = [seen(rid.Status.AIRBORNE, 60 + n) for n in range(10)]
    assert set(states(flights, inside, small)) == {"activated"}


# ---- alerts through the watch


def changes_of(
    records: Iterable[Record], known: Callable[[datetime], Known], quiet_s: int = 0
) -> list[AlertChange]:
    watching = Watch(known)
    end = START
    moments = []
    for record in records:
        moments.append(watching.feed(record)[1])
        end = max(end, record.at)
    moments += [watching.tick(end + timedelta(seconds=n)) for n in range(1, quiet_s + 1)]
    return [change for moment in moments if moment is not None for change in moment.changes]


def said(changes: Iterable[AlertChange]) -> list[tuple[str, str]]:
    return [(change.change, change.alert.condition.kind) for change in changes]


def test_a_flight_that_is_announced_late_clears_its_alert_and_says_why() -> None:
    def known(at: datetime) -> Known:
        late = at >= START + timedelta(seconds=20)
        return Known(flights=(replace(FLIGHT, ends_at=at + timedelta(hours=1)),) if late else ())

    changes = changes_of(fly(Aircraft()), known)
    assert said(changes) == [("raised", "unregistered_flight"), ("cleared", "unregistered_flight")]
    facts = dict(changes[1].alert.condition.facts)
    assert (facts["cleared_by"], facts["flight"]) == ("registered_late", "F-1")
    assert changes[1].at >= START + timedelta(seconds=20 + 14)


def registered(_at: datetime) -> Known:
    return Known(flights=(FLIGHT,))


def test_a_registered_flight_that_vanishes_in_the_air_is_lost_once_and_cleared_once() -> None:
    changes = changes_of(fly(Aircraft(), seconds=30), registered, quiet_s=150)
    assert said(changes) == [("raised", "lost_track"), ("cleared", "lost_track")]
    raised, cleared = (change.at for change in changes)
    last = START + timedelta(seconds=29)
    assert 15.0 < (raised - last).total_seconds() < 20.0
    assert (cleared - raised).total_seconds() > 30.0
    assert dict(changes[0].alert.condition.facts)["flight"] == "F-1"


def test_a_lost_flight_that_is_heard_again_is_cleared_and_goes_on() -> None:
    gap = [r for r in fly(Aircraft(), seconds=80) if not 20.0 < (r.at - START).total_seconds() < 45]
    assert said(changes_of(gap, registered)) == []  # nobody looked in between
    first = [r for r in gap if (r.at - START).total_seconds() <= 20.0]
    watching = Watch(registered)
    found = [watching.feed(r)[1] for r in first]
    found += [watching.tick(START + timedelta(seconds=n)) for n in range(21, 45)]
    found += [watching.feed(r)[1] for r in gap[len(first) :]]
    changes = [c for moment in found if moment is not None for c in moment.changes]
    assert said(changes) == [("raised", "lost_track"), ("cleared", "lost_track")]


@pytest.mark.parametrize("change", [{"status": rid.Status.GROUND}, {"height_m": 4.0}])
def test_a_flight_that_landed_is_not_lost(change: dict[str, object]) -> None:
    class Landed(Aircraft):
        def location(self, t_s: float) -> rid.Location:
            return replace(super().location(t_s), **(change if t_s > 24.0 else {}))  # type: ignore[arg-type]

    assert said(changes_of(fly(Landed(), seconds=30), registered, quiet_s=120)) == []


def test_what_nobody_registered_is_not_lost_but_unregistered() -> None:
    changes = changes_of(fly(Aircraft(), seconds=30), lambda _at: Known(), quiet_s=120)
    assert {change.alert.condition.kind for change in changes} == {"unregistered_flight"}


# ---- zones


@pytest.mark.parametrize("sigma_m", [2.0, 15.0])
@pytest.mark.parametrize("east_m", [0.0, 80.0, 95.0, 100.0, 130.0])
def test_being_in_a_zone_is_the_integral_over_it(east_m: float, sigma_m: float) -> None:
    track = track_at(east_m, 0.0, sigma_m)
    (found,) = ZoneIndex([zone()]).breaches(track, from_probability=0.0)
    east = norm.cdf((100.0 - east_m) / sigma_m) - norm.cdf((-100.0 - east_m) / sigma_m)
    north = norm.cdf(100.0 / sigma_m) - norm.cdf(-100.0 / sigma_m)
    assert found.probability == pytest.approx(east * north, abs=0.01)


UNKNOWN = "not_comparable"
AGL, AMSL, WGS84 = HeightReference.AGL, HeightReference.AMSL, HeightReference.WGS84
GROUND, TAKE_OFF = rid.HeightReference.GROUND, rid.HeightReference.TAKE_OFF


@pytest.mark.parametrize(
    ("limits", "height", "geoid_m", "vertical"),
    [
        ({}, {}, None, "inside"),
        ({"upper_m": 120.0}, {}, None, UNKNOWN),
        ({"upper_m": 120.0}, {"height_m": 60.0, "height_reference": GROUND}, None, "inside"),
        ({"upper_m": 120.0}, {"height_m": 200.0, "height_reference": GROUND}, None, None),
        ({"upper_m": 120.0}, {"height_m": 125.0, "height_reference": GROUND}, None, "inside"),
        # a height above the take-off is none above the ground, however large
        ({"upper_m": 120.0}, {"height_m": 900.0, "height_reference": TAKE_OFF}, None, UNKNOWN),
        ({"upper_m": 300.0, "upper_reference": WGS84}, {"alt_ellipsoid_m": 200.0}, None, "inside"),
        ({"upper_m": 300.0, "upper_reference": WGS84}, {"alt_ellipsoid_m": 400.0}, None, None),
        ({"upper_m": 300.0, "upper_reference": AMSL}, {"alt_ellipsoid_m": 400.0}, None, UNKNOWN),
        ({"upper_m": 300.0, "upper_reference": AMSL}, {"alt_ellipsoid_m": 400.0}, 43.5, None),
        ({"upper_m": 300.0, "upper_reference": AMSL}, {"alt_ellipsoid_m": 330.0}, 43.5, "inside"),
        ({"lower_m": 200.0, "lower_reference": WGS84}, {"alt_ellipsoid_m": 100.0}, None, None),
        ({"lower_m": 200.0}, {"height_m": 90.0, "height_reference": GROUND}, None, None),
    ],
)  # fmt: skip
def test_a_zones_limits_are_compared_above_their_own_surface(
    limits: dict[str, object],
    height: dict[str, object],
    geoid_m: float | None,
    vertical: str | None,
) -> None:
    track = track_at(0.0, 0.0, **height)
    found = ZoneIndex([zone(**limits)]).breaches(track, from_probability=0.8, geoid_m=geoid_m)
    assert [one.vertical for one in found] == ([] if vertical is None else [vertical])


def test_a_zone_counts_in_its_time_only_and_across_the_date_line() -> None:
    track = track_at(0.0, 0.0)
    over = replace(zone(), windows=((None, START - timedelta(hours=1)),))
    assert ZoneIndex([over]).breaches(track, from_probability=0.5) == []
    fiji = ((-17.0, 179.9), (-17.0, -179.9), (-16.8, -179.9), (-16.8, 179.9))
    index = ZoneIndex([zone(polygon=fiji)])
    for lon_deg, inside in ((179.95, 1), (-179.95, 1), (179.8, 0), (-179.8, 0), (0.0, 0)):
        there = replace(track, lat_deg=-16.9, lon_deg=lon_deg)
        assert len(index.breaches(there, from_probability=0.8)) == inside, lon_deg


@pytest.mark.parametrize(
    ("restriction", "flights", "kinds"),
    [
        (Restriction.PROHIBITED, (FLIGHT,), {"geozone_breach"}),
        (Restriction.AUTHORISATION, (FLIGHT,), set()),
        (Restriction.AUTHORISATION, (), {"geozone_breach", "unregistered_flight"}),
        (Restriction.CONDITIONAL, (FLIGHT,), set()),
        (Restriction.NONE, (FLIGHT,), set()),
    ],
)
def test_who_may_be_in_a_zone_depends_on_what_it_asks(
    restriction: Restriction, flights: tuple[RegisteredFlight, ...], kinds: set[str]
) -> None:
    known = Known(flights=flights, zones=ZoneIndex([zone(restriction, polygon=square(5000.0))]))
    changes = changes_of(fly(Aircraft(), seconds=30), lambda _at: known)
    assert {kind for _, kind in said(changes)} == kinds


def test_a_flight_through_a_zone_raises_once_and_clears_once() -> None:
    zones = ZoneIndex([zone(polygon=square(100.0, east_m=300.0))])
    known = Known(flights=(FLIGHT,), zones=zones)
    changes = changes_of(fly(Aircraft(), seconds=80), lambda _at: known)
    assert said(changes) == [("raised", "geozone_breach"), ("cleared", "geozone_breach")]
    # In from 200 to 400 m east at 10 m/s: raised 2 s after entry, cleared 15 s after it left.
    seconds = [(change.at - START).total_seconds() for change in changes]
    assert seconds == pytest.approx([20.0 + 2.0 + 1.2, 40.0 + 15.0 + 1.2], abs=2.0)
    condition = changes[0].alert.condition
    assert condition.evidence == ("zone_prohibited", "heights_inside")
    assert dict(condition.facts)["zone"] == "zone Z1"


# ---- heights


@pytest.mark.parametrize(
    ("a", "b", "geoid_m", "expected"),
    [
        (Heights(alt_amsl_m=100.0), Heights(alt_ellipsoid_m=343.5), None, None),
        (Heights(alt_amsl_m=100.0), Heights(alt_ellipsoid_m=343.5), 43.5, (200.0, "ellipsoid")),
        (Heights(alt_amsl_m=100.0), Heights(alt_amsl_m=130.0), None, (30.0, "geoid")),
        (Heights(alt_pressure_m=90.0), Heights(alt_pressure_m=95.0), None, (5.0, "pressure")),
        (Heights(alt_pressure_m=90.0), Heights(alt_ellipsoid_m=95.0), 43.5, None),
        (Heights(alt_home_m=90.0), Heights(alt_home_m=90.0), 43.5, None),
        (
            Heights(100.0, alt_pressure_m=0.0),
            Heights(160.0, alt_pressure_m=0.0),
            None,
            (60.0, "ellipsoid"),
        ),
    ],
)  # fmt: skip
def test_heights_are_apart_only_above_a_shared_surface(
    a: Heights, b: Heights, geoid_m: float | None, expected: tuple[float, str] | None
) -> None:
    assert apart_m(a, b, geoid_m) == apart_m(b, a, geoid_m) == expected


@pytest.mark.parametrize(("geoid_m", "conflicts"), [(None, 1), (43.5, 0)])
def test_an_own_sorties_height_clears_a_conflict_only_where_it_can_be_compared(
    geoid_m: float | None, conflicts: int
) -> None:
    class High(Aircraft):
        def location(self, t_s: float) -> rid.Location:
            return replace(super().location(t_s), alt_ellipsoid_m=400.0)

    ours = OwnDrone("drone-01", "X", START, LAT_DEG, LON_DEG, heights=Heights(alt_amsl_m=100.0))

    def known(at: datetime) -> Known:
        return Known((replace(ours, at=at),), (FLIGHT,), geoid_m=geoid_m)

    found = changes_of(fly(High(east_m=-300.0), seconds=25), known)
    raised = [c for c in found if c.alert.condition.kind == "conflict" and c.change == "raised"]
    assert len(raised) == conflicts
    assert all(c.alert.condition.evidence == ("heights_not_comparable",) for c in raised)


# ---- registered operators


@pytest.mark.parametrize(
    ("sent", "public"),
    [
        ("FIN87astrdge12k8-xyz", "FIN87astrdge12k8"),
        ("FIN87astrdge12k8", "FIN87astrdge12k8"),
        ("BEL-operator", "BEL-operator"),
        ("FIN87astrdge12k8\0\0", "FIN87astrdge12k8"),
        (None, ""),
        ("", ""),
    ],
)
def test_an_operators_secret_characters_do_not_count(sent: str | None, public: str) -> None:
    assert public_operator(sent) == public


def test_a_registered_operator_without_a_flight_is_its_own_class() -> None:
    other = replace(FLIGHT, uas_ids=frozenset({"ANOTHER"}))
    track = replace(track_at(0.0, 0.0), uas_id=SERIAL, operator_id="BELoperator00001-abc")
    found = match_track(track, [], [other])
    # The operator's id is personal: it must not leave by the subject, which every viewer sees.
    assert (found.kind, found.subject) == ("operator", None)
    assert found.evidence == ("operator_registered", "identity_not_registered")
    assert 0.5 < found.probability < 0.95  # a broadcast operator is a claim
    assert match_track(track, [], [FLIGHT]).kind == "registered"
    assert (
        match_track(replace(track, operator_id="BELoperator00002"), [], [other]).kind == "unknown"
    )
    assert match_track(replace(track, operator_id=None), [], [other]).kind == "unknown"


def test_a_registered_operators_unannounced_flight_is_an_alert() -> None:
    other = replace(FLIGHT, uas_ids=frozenset({"ANOTHER"}))
    operator = rid.encode(rid.OperatorId(0, "BELoperator00001"))
    heard = [
        r for one in fly(Aircraft(), seconds=20) for r in (one, replace(one, payload=operator))
    ]
    (raised,) = changes_of(heard, lambda _at: Known(flights=(other,)))
    assert raised.alert.condition.kind == "unregistered_flight"
    assert raised.alert.condition.evidence[0] == "operator_registered"
