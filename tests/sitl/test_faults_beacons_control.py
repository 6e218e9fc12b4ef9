"""The world's hand: bad links, Remote ID in the air, the control port."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.detection import rid
from droneteam.errors import InputError
from sitl.beacons import Beacon, Broadcasts, crossing, transmitter_address
from sitl.control import Control
from sitl.faults import FaultSpec, FaultyLine
from sitl.frame import LocalFrame
from sitl.modes import Mode
from sitl.places import PLACES, place_named
from sitl.server import FleetServer, ServerSpec
from sitl.simulation import FleetSpec, Place, Simulation, build_fleet, serial_of
from tests.sitl.bench import BOOT_AT, Bench

PLACE = Place(50.8197, 4.3908, 100.0, 43.6)


# --- faults -------------------------------------------------------------------------------


def arrivals(spec: FaultSpec, count: int = 20_000, seed: int = 1) -> list[tuple[float, ...]]:
    line = FaultyLine(spec, random.Random(seed))
    return [line.arrivals(number * 0.01) for number in range(count)]


def test_a_perfect_line_delivers_at_once_and_once() -> None:
    assert arrivals(FaultSpec(), 3) == [(0.0,), (0.01,), (0.02,)]


def test_loss_and_duplication_have_their_shares() -> None:
    got = arrivals(FaultSpec(loss=0.3, duplication=0.1))
    lost = sum(not times for times in got) / len(got)
    twice = sum(len(times) == 2 for times in got) / len(got)
    assert lost == pytest.approx(0.3, abs=0.015)
    assert twice == pytest.approx(0.7 * 0.1, abs=0.01)


def test_delay_and_jitter_keep_the_order_and_reordering_breaks_it() -> None:
    kept = [t[0] for t in arrivals(FaultSpec(delay_s=0.05, jitter_s=0.1), 2000)]
    assert kept == sorted(kept)
    assert min(b - a * 0.01 for a, b in enumerate(kept)) >= 0.05
    broken = [t[0] for t in arrivals(FaultSpec(reordering=0.2), 2000)]
    assert broken != sorted(broken)


def test_faults_are_the_same_again_for_the_same_seed() -> None:
    spec = FaultSpec(0.2, 0.01, 0.02, 0.1, 0.1)
    assert arrivals(spec, 500) == arrivals(spec, 500)
    assert arrivals(spec, 500) != arrivals(spec, 500, seed=2)


def test_a_cut_line_delivers_nothing() -> None:
    assert FaultyLine(FaultSpec(), random.Random(1), cut=True).arrivals(0.0) == ()


@pytest.mark.parametrize("bad", [{"loss": 1.1}, {"duplication": -0.1}, {"delay_s": math.nan}])
def test_impossible_faults_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError):
        FaultSpec(**bad)


# --- Remote ID ----------------------------------------------------------------------------


def in_the_air(broadcasts: Broadcasts, t_s: float) -> list[tuple[dict[str, object], rid.Pack]]:
    reports = [json.loads(content) for content in broadcasts.due(t_s)]
    return [(report, rid.decode(bytes.fromhex(report["payload"]))) for report in reports]


def test_a_drone_on_the_ground_is_silent_and_a_flying_one_says_who_and_where_it_is() -> None:
    bench = Bench()
    broadcasts = Broadcasts([bench.ap], PLACE, BOOT_AT)
    assert broadcasts.due(bench.ap.t_s) == []
    bench.hover()
    ((report, pack),) = in_the_air(broadcasts, bench.ap.t_s)
    assert not pack.problems
    basic, location, system = pack.messages[:3]
    assert isinstance(basic, rid.BasicId)
    assert basic.uas_id == "DTSMA0000000001"
    assert isinstance(location, rid.Location)
    assert location.lat_deg == pytest.approx(50.8197, abs=1e-5)
    assert location.alt_ellipsoid_m == pytest.approx(120.0, abs=0.6)
    assert location.height_m == pytest.approx(20.0, abs=0.6)
    assert isinstance(system, rid.System)
    assert system.operator_lon_deg == pytest.approx(4.3908, abs=1e-5)
    assert report["transmitter"] == transmitter_address("DTSMA0000000001")
    assert datetime.fromisoformat(str(report["at"])) == bench.ap.now


def test_broadcasts_come_once_a_second() -> None:
    broadcasts = Broadcasts([], PLACE, BOOT_AT)
    broadcasts.add(crossing("unregistered", PLACE, 0.0))
    sent = sum(len(broadcasts.due(tick * 0.1)) for tick in range(200))
    assert sent == 20


def test_a_stranger_crosses_the_place_and_is_gone() -> None:
    spec = crossing("unregistered", PLACE, 10.0)
    beacon = Beacon(spec, PLACE, BOOT_AT)
    frame = LocalFrame(PLACE.lat_deg, PLACE.lon_deg, 100.0, 0.0)
    assert beacon.sighting(9.9) is None
    distances = []
    t_s = 10.0
    while (seen := beacon.sighting(t_s)) is not None:
        distances.append(math.hypot(*frame.metres(seen.lat_deg, seen.lon_deg)))
        assert seen.at == BOOT_AT + timedelta(seconds=t_s)
        t_s += 1.0
    assert distances[0] > 250.0
    assert min(distances) < 30.0
    assert distances[-1] > 250.0
    assert beacon.over(t_s + 1.0)


def test_registered_and_unregistered_are_different_aircraft() -> None:
    registered, stranger = (crossing(k, PLACE, 0.0) for k in ("registered", "unregistered"))
    assert registered.serial != stranger.serial
    assert registered.operator_id is not None
    assert stranger.operator_id is None
    with pytest.raises(InputError):
        crossing("friendly", PLACE, 0.0)


@given(st.integers(1, 100))
def test_serial_numbers_have_the_standards_form(sysid: int) -> None:
    serial = serial_of("DTSM", sysid)
    assert serial[:4] == "DTSM"
    assert len(serial[5:]) == int(serial[4], 16)  # the length code of ANSI/CTA-2063-A
    assert len(serial) <= 20


# --- control port -------------------------------------------------------------------------


@pytest.fixture
def control() -> Control:
    fleet = build_fleet(FleetSpec(3, PLACE, BOOT_AT, 1))
    server = FleetServer(Simulation(fleet), ServerSpec())
    return Control(server, Broadcasts(fleet, PLACE, BOOT_AT), PLACE)


def tell(control: Control, **command: object) -> dict[str, object]:
    answer = json.loads(control.execute(json.dumps(command).encode()))
    assert isinstance(answer, dict)
    return answer


def test_status_tells_the_truth_about_every_drone(control: Control) -> None:
    drones = tell(control, cmd="status")["drones"]
    assert isinstance(drones, list)
    assert [drone["name"] for drone in drones] == ["drone-01", "drone-02", "drone-03"]
    lons = [drone["lon_deg"] for drone in drones]
    assert lons == sorted(lons, reverse=True)


def test_a_command_reaches_one_drone_or_all(control: Control) -> None:
    fleet = control._server.fleet
    assert tell(control, cmd="gps", drone=2, enabled=False)["ok"]
    assert [ap.params["SIM_GPS1_ENABLE"] for ap in fleet] == [1, 0, 1]
    assert tell(control, cmd="wind", speed_mps=8, from_deg=250, gust_mps=2)["ok"]
    assert {ap.params["SIM_WIND_SPD"] for ap in fleet} == {8.0}


def test_links_are_cut_and_restored(control: Control) -> None:
    tell(control, cmd="cut", drone=3)
    assert [link.cut for link in control._server.links] == [False, False, True]
    tell(control, cmd="restore")
    assert not any(link.cut for link in control._server.links)


def test_the_pilots_switch_changes_the_mode_and_centres_the_throttle(control: Control) -> None:
    answer = tell(control, cmd="rc", drone=1, mode="LOITER")
    assert answer == {"ok": True, "accepted": True}
    ap = control._server.fleet[0]
    assert ap.mode is Mode.LOITER
    assert ap.rc.sticks_us[2] == 1500.0


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b"{}\n",
        b'{"cmd": "explode"}\n',
        b'{"cmd": "gps", "drone": 9, "enabled": true}\n',
        b'{"cmd": "gps"}\n',
        b'{"cmd": "wind", "speed_mps": "strong"}\n',
        b'{"cmd": "wind", "speed_mps": 400}\n',
        b'{"cmd": "speedup", "value": 0}\n',
        b'{"cmd": "param", "name": "NO_SUCH", "value": 1}\n',
        b'{"cmd": "rc", "mode": "WARP"}\n',
        b'{"cmd": "rc", "sticks_us": [1, 2]}\n',
        b'{"cmd": "rc", "sticks_us": 7}\n',
        b'{"cmd": "faults", "loss": 2}\n',
        b'{"cmd": "beacon", "kind": "ufo"}\n',
    ],
)
def test_a_wrong_command_is_answered_with_what_is_wrong(control: Control, line: bytes) -> None:
    answer = json.loads(control.execute(line))
    assert answer["ok"] is False
    assert answer["error"]


@given(st.binary(max_size=80))
def test_no_line_breaks_the_control_port(line: bytes) -> None:
    fleet = build_fleet(FleetSpec(1, PLACE, BOOT_AT, 1))
    server = FleetServer(Simulation(fleet), ServerSpec())
    port = Control(server, Broadcasts(fleet, PLACE, BOOT_AT), PLACE)
    assert json.loads(port.execute(line))["ok"] is False


# --- places -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (n > 0))
        for n, name in enumerate(sorted(PLACES))
    ],
)
def test_the_places_are_the_home_points_of_their_worlds(name: str) -> None:
    from sitl.places import place_in
    from sitl.worlds import make_world

    built, told = place_in(make_world(name)), place_named(name)
    assert (told.lat_deg, told.lon_deg) == pytest.approx((built.lat_deg, built.lon_deg), abs=1e-7)
    assert told.alt_ellipsoid_m == pytest.approx(built.alt_ellipsoid_m, abs=0.01)
    assert told.geoid_undulation_m == built.geoid_undulation_m


def test_an_unknown_world_is_named() -> None:
    with pytest.raises(InputError, match="atlantis"):
        place_named("atlantis")


def test_the_fleet_stands_in_rows_with_room_between() -> None:
    fleet = build_fleet(FleetSpec(25, PLACE, datetime(2025, 1, 1, tzinfo=UTC), 1))
    origin = fleet[0].frame
    spots = [origin.metres(ap.frame.lat_deg, ap.frame.lon_deg) for ap in fleet]
    closest = min(math.dist(a, b) for i, a in enumerate(spots) for b in spots[:i])
    assert closest == pytest.approx(4.0, abs=0.01)
    assert len({ap.setup.serial for ap in fleet}) == 25
