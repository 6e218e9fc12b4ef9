"""Own-fleet separation: what it warns of is there, what is there it warns of, and it never acts."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.missions.flight import separation
from droneteam.missions.flight.airwatch import AirWatch, craft_of
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.flight.separation import (
    AS_PLANNED,
    Craft,
    Track,
    Waypoint,
    conflicts,
    futures,
)
from droneteam.missions.flight.state import Ending, Flight, Phase
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import CopterMode, Position
from droneteam.missions.record.journal import read_journal
from tests.missions.conftest import ORIGIN, PLACE
from tests.missions.virtual import Air, fly_in, in_folder

STEP_S = 0.01

# An oracle that shares nothing with the product: plain steps in time


def place_at(track: Track, t_s: float) -> tuple[float, float, float]:
    times = track.times_s.tolist()
    places = track.places_m.tolist()
    if t_s >= times[-1]:
        return tuple(places[-1])
    for k in range(len(times) - 1):
        if times[k] <= t_s < times[k + 1]:
            share = (t_s - times[k]) / (times[k + 1] - times[k])
            return tuple(a + share * (b - a) for a, b in zip(places[k], places[k + 1], strict=True))
    return tuple(places[0])


def room_at(track: Track, t_s: float) -> float:
    """How far the vehicle flies in the slack, at its speed just after a time."""
    a, b = place_at(track, t_s), place_at(track, t_s + 1e-4)
    return separation.SLACK_S * math.hypot(b[0] - a[0], b[1] - a[1]) / 1e-4


def too_close(one: Track, other: Track, t_s: float, *, by_m: float = 0.0) -> bool:
    a, b = place_at(one, t_s), place_at(other, t_s)
    room_m = separation.MIN_APART_M + max(room_at(one, t_s), room_at(other, t_s))
    apart_m = math.hypot(a[0] - b[0], a[1] - b[1])
    return apart_m < room_m - by_m and abs(a[2] - b[2]) < separation.MIN_ABOVE_M - by_m


def first_by_steps(one: Track, other: Track, horizon_s: float, *, by_m: float) -> float | None:
    for k in range(round(horizon_s / STEP_S)):
        if too_close(one, other, k * STEP_S, by_m=by_m):
            return k * STEP_S
    return None


def random_track(rng: random.Random) -> Track:
    count = rng.randint(1, 5)
    gaps = [0.0, *(rng.uniform(0.5, 8.0) for _ in range(count - 1))]
    places = [[rng.uniform(-25, 25), rng.uniform(-25, 25), rng.uniform(0, 12)] for _ in gaps]
    return Track(np.cumsum(gaps), np.array(places))


@pytest.mark.parametrize("seed", range(60))
def test_the_first_meeting_is_the_one_that_steps_in_time_find(seed: int) -> None:
    rng = random.Random(seed)
    one, other, horizon_s = random_track(rng), random_track(rng), rng.uniform(2.0, 20.0)
    found = separation.first_meeting(one, other, horizon_s)
    clearly = first_by_steps(one, other, horizon_s, by_m=0.05)
    barely = first_by_steps(one, other, horizon_s, by_m=-0.05)
    if found is None:
        assert clearly is None
        return
    in_s, apart_m, above_m = found
    assert barely is not None
    assert barely - STEP_S <= in_s
    assert clearly is None or in_s <= clearly
    a, b = place_at(one, in_s), place_at(other, in_s)
    assert apart_m == pytest.approx(math.hypot(a[0] - b[0], a[1] - b[1]), abs=1e-6)
    assert above_m == pytest.approx(abs(a[2] - b[2]), abs=1e-6)


def test_the_random_tracks_meet_about_as_often_as_not() -> None:
    rngs = [random.Random(seed) for seed in range(60)]
    found = [separation.first_meeting(random_track(r), random_track(r), 15.0) for r in rngs]
    assert 15 <= sum(one is not None for one in found) <= 55


# What it says of a fleet


def craft(name: str, east_m: float, heading: float, **changes: object) -> Craft:
    """A drone 30 m up that flies 200 m east or west at 5 m/s; home lies 100 m south of it."""
    fields: dict[str, object] = {
        "place_m": (east_m, 0.0, 80.0),
        "home_m": (east_m, -100.0, 50.0),
        "return_up_m": 90.0,
        "ahead": (Waypoint(east_m + 200.0 * heading, 0.0, 80.0, 5.0),),
    }
    return Craft(name, **(fields | changes))  # type: ignore[arg-type]


def test_two_that_fly_at_each_other_are_told_when_and_what_would_end_it() -> None:
    fleet = [craft("a", 0.0, 1.0), craft("b", 150.0, -1.0)]
    (one,) = conflicts(fleet)
    assert (one.first, one.second, one.when) == ("a", "b", AS_PLANNED)
    room_m = separation.MIN_APART_M + separation.SLACK_S * 5.0
    assert one.in_s == pytest.approx((150.0 - room_m) / 10.0, rel=0.1)
    assert one.apart_m == pytest.approx(room_m, abs=1.0)
    assert one.proposal is not None
    name, wish = one.proposal
    changed = [
        replace(c, holding=wish == "pause", returning=wish == "rtl") if c.name == name else c
        for c in fleet
    ]
    mine, theirs = (futures(c)[0] for c in changed)
    assert first_by_steps(mine, theirs, separation.HORIZON_S, by_m=0.05) is None


def test_a_pause_that_would_not_help_is_not_proposed() -> None:
    (one,) = conflicts([craft("a", 0.0, 1.0), craft("b", 100.0, -1.0)])
    assert one.proposal is not None
    assert one.proposal[1] == "rtl"  # who pauses stands in the other's way


def test_height_keeps_two_apart_that_cross_at_the_same_time() -> None:
    above = craft("b", 150.0, -1.0, place_m=(150.0, 0.0, 84.0), return_up_m=94.0)
    above = replace(above, ahead=(Waypoint(-50.0, 0.0, 84.0, 5.0),))
    found = conflicts([craft("a", 0.0, 1.0), above])
    assert all(one.when != AS_PLANNED for one in found)


def crossing_home(return_up_m: float) -> list[Craft]:
    """Two that hold still, each with its home beyond the other's: their ways home cross."""
    one = Craft("a", (0.0, 0.0, 80.0), (100.0, 100.0, 50.0), 90.0, holding=True)
    other = Craft("b", (100.0, 0.0, 80.0), (0.0, 100.0, 50.0), return_up_m, holding=True)
    return [one, other]


def test_ways_home_at_one_height_that_cross_are_told_although_nobody_is_going_home_yet() -> None:
    (one,) = conflicts(crossing_home(90.0))
    assert one.when == "if a goes home and b goes home"
    assert one.rank == 2


def test_ways_home_three_metres_above_each_other_keep_clear() -> None:
    assert conflicts(crossing_home(93.0)) == ()


def test_pads_four_metres_apart_may_be_landed_on_together() -> None:
    pads = [
        Craft(f"d{n}", (4.0 * n, 0.0, 70.0), (4.0 * n, 0.0, 50.0), 80.0, returning=True)
        for n in range(5)
    ]
    assert conflicts(pads) == ()
    near = [replace(one, home_m=(2.0 * n, 0.0, 50.0)) for n, one in enumerate(pads)]
    near = [replace(one, place_m=(one.home_m[0], 0.0, 70.0)) for one in near]
    assert len(conflicts(near)) == 4


def test_a_way_home_is_climbed_to_its_full_height_from_anywhere_but_above_home() -> None:
    """The enforced profile has no cone; what comes down above its home does not climb again."""
    near = Craft("a", (4.0, 0.0, 60.0), (0.0, 0.0, 50.0), 80.0, holding=True)
    assert max(futures(near)[1].places_m[:, 2]) == 80.0
    climbing = replace(near, holding=False, returning=True)
    assert max(futures(climbing)[0].places_m[:, 2]) == 80.0
    landing = replace(climbing, place_m=(0.5, 0.0, 60.0))
    heights_m = futures(landing)[0].places_m[:, 2]
    assert max(heights_m) == 60.0
    assert heights_m[-1] == 50.0


def test_one_drone_alone_and_drones_far_apart_are_left_in_peace() -> None:
    assert conflicts([craft("a", 0.0, 1.0)]) == ()
    assert conflicts([craft("a", 0.0, -1.0), craft("b", 2000.0, 1.0)]) == ()


# What it makes of flights


def line_mission(north_m: float, east_m: float, to_m: float) -> tuple[MissionItem, ...]:
    """Take-off to 15 m, then a line eastwards or westwards."""
    ends = [[east_m, north_m, 0.0], [to_m, north_m, 0.0]]
    places = ORIGIN.geodetic_from_enu(np.array(ends))[:, :2].tolist()
    speed = MissionItem(MissionCommand.DO_CHANGE_SPEED, params=(1.0, 4.0, -1.0, 0.0))
    return (
        MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=15.0),
        speed,
        *(
            MissionItem(MissionCommand.WAYPOINT, lat_deg=lat, lon_deg=lon, alt_home_m=15.0)
            for lat, lon in places
        ),
        MissionItem(MissionCommand.RETURN_TO_LAUNCH),
    )


def line_order(number: int, *line: float) -> FlightOrder:
    return flight_order(number, line_mission(*line), PLACE, rtl_extra_m=3.0 * number)


def test_the_forecast_of_a_way_home_is_what_the_simulator_flies(tmp_path: Path) -> None:
    air, asked, seen = Air(), [], []
    order = line_order(1, 30.0, 10.0, 120.0)

    def asks() -> list[Wish]:
        here = air.vehicles[0].body
        if not asked and here.east_m > 60.0:
            asked.append(air.now_s)
            return [Wish(1, "rtl")]
        return []

    def watch(now_s: float) -> None:
        body = air.vehicles[0].body
        if asked and not now_s % 1.0 > 0.02:
            seen.append((now_s - asked[0], body.east_m, body.north_m, body.up_m))

    air.meddle = watch
    flown = fly_in(air, [in_folder(order, 1, tmp_path)], asks=asks)
    assert flown.results[0].ending is Ending.RETURNED
    _, east_m, north_m, up_m = seen[0]
    start = Craft("a", (east_m, north_m, up_m), (0.0, 0.0, 0.0), order.rtl_alt_m, returning=True)
    (way,) = futures(start)
    times_s = np.array([row[0] for row in seen])
    off_m = way.at(times_s) - np.array([row[1:] for row in seen])
    speed_mps = np.hypot(*np.diff(way.at(times_s)[:, :2], axis=0).T)
    room_m = separation.MIN_APART_M + separation.SLACK_S * np.append(speed_mps, 0.0)
    print(
        np.round(np.column_stack([times_s, off_m, np.array([r[1:] for r in seen])]), 1).tolist(),
        way,
    )
    assert np.mean(np.hypot(off_m[:, 0], off_m[:, 1]) <= room_m + 1.0) > 0.95
    assert np.median(np.abs(off_m[:, 2])) < separation.MIN_ABOVE_M
    assert 0.8 < seen[-1][0] / way.times_s[-1] < 1.25


def test_two_sorties_that_cross_are_told_to_both_pilots_and_flown_as_they_were(
    tmp_path: Path,
) -> None:
    air, told = Air(drones=2), []
    orders = [
        in_folder(line_order(1, 20.0, -60.0, 60.0), 1, tmp_path),
        in_folder(line_order(2, 20.0, 60.0, -60.0), 2, tmp_path),
    ]
    flown = fly_in(air, orders, on_advice=told.append)
    assert [result.ending for result in flown.results] == [Ending.COMPLETED] * 2
    texts = [advice.text for advice in told]
    assert any(AS_PLANNED in text and "proposed: " in text for text in texts)
    assert any("keep clear again" in text for text in texts)
    for result in flown.results:
        entries = read_journal(result.journal_path)
        assert any(entry.kind == "separation" for entry in entries)
        modes = [e for e in entries if e.kind == "intent" and "DO_SET_MODE" in e.detail]
        assert all("(1.0, 4.0)" in e.detail or "(1.0, 3.0)" in e.detail for e in modes)


def flying(mode: CopterMode, phase: Phase = Phase.FLYING) -> Flight:
    order = line_order(1, 20.0, -60.0, 60.0)
    position = Position(100.0, PLACE.lat_deg, PLACE.lon_deg, 71.4, 15.0, 0.0, 0.0, 0.0, 0.0)
    flight = Flight(order, Timing(), phase=phase, armed=True, mission_seq=3)
    return replace(flight, readings=replace(flight.readings, mode=mode, position=position))


def test_a_flight_is_forecast_from_what_is_left_of_its_mission_at_its_own_speed() -> None:
    found = craft_of("a", flying(CopterMode.AUTO), PLACE)
    assert found.place_m == (0.0, 0.0, 71.4)
    assert found.home_m == pytest.approx((0.0, 0.0, 56.4))
    assert [waypoint.speed_mps for waypoint in found.ahead] == [4.0, 4.0]
    assert [waypoint.up_m for waypoint in found.ahead] == pytest.approx([71.4, 71.4])
    assert found.return_up_m == pytest.approx(56.4 + 23.0)
    assert (found.returning, found.holding) == (False, False)


def test_who_lands_comes_down_where_it_is_and_who_was_taken_over_is_not_guessed_at() -> None:
    landing = craft_of("a", flying(CopterMode.LAND, Phase.RETURNING), PLACE)
    assert landing.returning
    assert landing.home_m[:2] == landing.place_m[:2]
    (way,) = futures(landing)
    assert np.ptp(way.places_m[:, :2], axis=0).max() == 0.0
    assert way.places_m[:, 2].max() == pytest.approx(71.4)
    taken = craft_of("a", flying(CopterMode.LOITER, Phase.HANDED_OVER), PLACE)
    assert taken.holding


def test_one_drone_is_never_a_conflict_and_looks_are_two_seconds_apart() -> None:
    watch = AirWatch()
    both = {"a": flying(CopterMode.AUTO), "b": flying(CopterMode.AUTO)}
    assert watch.look({"a": both["a"]}, 0.0) == []
    assert len(watch.look(both, 1.0)) == 1
    assert watch.look(both, 1.5) == []
    assert watch.look(both, 4.0) == []  # told once
