"""What comes in wrong is named and ends nothing but itself."""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import InputError
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.flight.state import Ending
from droneteam.missions.items import MissionCommand, MissionItem, WireItem, wire_mission
from droneteam.missions.mavlink import protocol
from droneteam.missions.mavlink.handshake import Done, Failed, Timing
from droneteam.missions.mavlink.messages import Position
from droneteam.missions.mavlink.signing import Signer, key_from_text, steps
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.twins import TwinWatch
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.sortie import read_sortie
from sitl.faults import FaultSpec
from tests.missions.conftest import PLACE, SCENE
from tests.missions.fake_vehicle import BadLink, FakeVehicle, converse
from tests.missions.test_flight import mission_items
from tests.missions.virtual import BOOT_AT, Air, Ether, Spell, fly_in, in_folder

TINY = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)

# Missions that no vehicle can hold


def waypoint_items(count: int) -> tuple[MissionItem, ...]:
    return tuple(
        MissionItem(MissionCommand.WAYPOINT, lat_deg=50.0, lon_deg=4.0, alt_home_m=20.0)
        for _ in range(count)
    )


def test_ten_thousand_items_are_refused_before_the_link_and_the_limit_is_named() -> None:
    with pytest.raises(InputError, match=r"10000 items; the vehicle stores 649.*split"):
        wire_mission(waypoint_items(10_000), PLACE)


class Vehicle700(FakeVehicle):
    """A vehicle that stores 700 items and says no to more."""

    def _announced(self, count: int, kind: object, now_s: float) -> list[object]:
        return super()._announced(651 if count > 700 else min(count, 650), kind, now_s)  # type: ignore[arg-type]


def test_ten_thousand_items_to_a_vehicle_that_stores_700_fail_with_its_own_word() -> None:
    items = tuple(
        WireItem(seq, 3, 16, (0.0, 0.0, 0.0, 0.0), 50.0, 4.0, 20.0) for seq in range(10_000)
    )
    vehicle = Vehicle700()
    state, sends = protocol.start_upload(items, Timing(), 0.0)
    state, took_s = converse(state, sends, protocol.upload_step, vehicle, BadLink())
    assert isinstance(state.outcome, Failed)
    assert state.outcome.name == "upload-timeout"
    assert "NO_SPACE (4)" in state.outcome.detail
    assert not state.corrupt  # nothing was stored, and what was there still is
    assert took_s <= Timing().deadline_s + 1.0


@pytest.mark.parametrize("alt_m", [float("nan"), float("inf"), 501.0, -201.0])
def test_a_height_that_is_none_is_refused_with_its_range(alt_m: float) -> None:
    with pytest.raises(InputError):
        replace(waypoint_items(1)[0], alt_home_m=alt_m)


# Two vehicles with one system id


class TwoOnOneLink(Ether):
    """What two vehicles send comes over one radio, and what is sent reaches both."""

    def __init__(self, first: Ether, second: Ether) -> None:
        self.ways = (first, second)

    def weather(self) -> None:
        """The two have their own."""

    def lift(self) -> None:
        """The two have their own."""

    @property
    def waiting(self) -> bool:
        return any(way.waiting for way in self.ways)

    def read(self) -> bytes:
        return b"".join(way.read() for way in self.ways)

    def write(self, data: bytes) -> None:
        for way in self.ways:
            way.write(data)

    def close(self) -> None:
        for way in self.ways:
            way.close()


def test_two_vehicles_with_one_id_are_found_before_either_is_armed(tmp_path: Path) -> None:
    air = Air(drones=2)
    twin = air.sim.stations[1]
    twin.ap.setup = replace(twin.ap.setup, sysid=1)

    def both(order: object, tlog: TlogWriter) -> object:
        link = air.connect(1, tlog)
        other = Ether(twin, air.clock, (), 7)
        air.ethers.append(other)
        link._ways[0].transport = TwoOnOneLink(link._ways[0].transport, other)  # type: ignore[arg-type]
        return link

    order = in_folder(flight_order(1, mission_items(), PLACE), 1, tmp_path)
    (result,) = fly_in(air, [order], connect=both).results  # type: ignore[arg-type]
    assert result.ending is Ending.REFUSED
    assert "two vehicles answer under one system id" in result.reason
    assert [vehicle.armings for vehicle in air.vehicles] == [0, 0]


def report(boot_s: float, north_m: float, north_mps: float = 0.0) -> Position:
    return Position(boot_s, 50.0 + north_m / 111_200.0, 4.0, 50.0, 0.0, north_mps, 0.0, 0.0, 0.0)


def seen(reports: list[Position]) -> bool:
    watch = TwinWatch()
    for one in reports:
        watch = watch.after(one)
        if watch.found:
            return True
    return False


@pytest.mark.parametrize("apart_m", [2.0, 4.0, 50.0])
@pytest.mark.parametrize("clock_s", [0.0, 0.07, 40.0])
def test_twins_are_found_side_by_side_and_far_apart_whenever_each_was_started(
    apart_m: float, clock_s: float
) -> None:
    reports = [
        one
        for k in range(20)
        for one in (report(100.0 + 0.2 * k, 0.0), report(100.05 + clock_s + 0.2 * k, apart_m))
    ]
    assert seen(reports)


@pytest.mark.parametrize("seed", range(20))
def test_one_vehicle_is_never_taken_for_two_however_its_reports_arrive(seed: int) -> None:
    rng = random.Random(seed)
    speed_mps, reports, north_m = 0.0, [], 0.0
    for k in range(400):
        wanted_mps = 10.0 if k // 50 % 2 else -10.0
        speed_mps += max(-0.5, min(0.5, wanted_mps - speed_mps))
        north_m += 0.2 * speed_mps
        reports.append(report(100.0 + 0.2 * k, north_m + rng.gauss(0.0, 0.1), speed_mps))
    kept = [one for one in reports if rng.random() > 0.3]
    late = sorted(kept, key=lambda one: one.boot_s + rng.choice((0.0, 0.0, 0.5, 2.0)))
    restarted = [replace(one, boot_s=one.boot_s - 90.0) for one in late[200:]]
    assert not seen(kept)
    assert not seen(late)
    assert not seen([*late[:200], *restarted])


# Strangers, clocks and links


def test_a_stranger_on_our_port_is_not_obeyed_while_signing_is_on(tmp_path: Path) -> None:
    """The vehicle's packets are unsigned here, so all of them are a stranger's."""
    air, key = Air(), key_from_text("a passphrase of the team")

    def signed(order: object, tlog: TlogWriter) -> object:
        return air.connect(1, tlog, signer=Signer(key))

    order = in_folder(flight_order(1, mission_items(), PLACE), 1, tmp_path)
    timing = Timing(link_gone_s=20.0)
    (result,) = fly_in(air, [order], timing=timing, connect=signed).results  # type: ignore[arg-type]
    assert result.ending is Ending.LINK_GONE
    assert result.packets > 20  # all of it is in the record
    kinds = [entry.kind for entry in read_journal(result.journal_path)]
    assert "contact" not in kinds
    assert not {"intent", "arming"} & set(kinds)


def test_a_clock_that_jumps_by_an_hour_each_way_is_named_and_the_sortie_completed(
    tmp_path: Path,
) -> None:
    air = Air()
    plain = air.utc

    def jumping() -> object:
        jump_s = 3600.0 if 70.0 < air.now_s < 90.0 else 0.0
        return plain().__class__.fromtimestamp(plain().timestamp() + jump_s, plain().tzinfo)

    air.utc = jumping  # type: ignore[assignment, method-assign]
    order = in_folder(flight_order(1, short_items(), PLACE), 1, tmp_path)
    (result,) = fly_in(air, [order]).results
    assert result.ending is Ending.COMPLETED
    notes = [entry.detail for entry in read_journal(result.journal_path) if entry.kind == "clock"]
    assert sum("jump" in note or "set" in note for note in notes) >= 2
    assert read_sortie(result.tlog_path).landed_at is not None


def short_items() -> tuple[MissionItem, ...]:
    """Up, ten metres north, and home."""
    north = MissionItem(
        MissionCommand.WAYPOINT,
        lat_deg=PLACE.lat_deg + 10.0 / 111_200.0,
        lon_deg=PLACE.lon_deg,
        alt_home_m=12.0,
    )
    takeoff = MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=12.0)
    return (takeoff, north, MissionItem(MissionCommand.RETURN_TO_LAUNCH))


def test_a_flood_of_noise_between_the_packets_costs_nothing_but_itself(tmp_path: Path) -> None:
    air, rng = Air(), random.Random(5)

    class Noisy(Ether):
        """Between the vehicle's packets lie random bytes."""

        def read(self) -> bytes:
            return rng.randbytes(rng.randint(0, 40)) + super().read()

    def noisy(order: object, tlog: TlogWriter) -> object:
        link = air.connect(1, tlog, ((Spell(0.0, FaultSpec(loss=0.05)),),))
        air.ethers[-1].__class__ = Noisy
        return link

    order = in_folder(flight_order(1, short_items(), PLACE), 1, tmp_path)
    (result,) = fly_in(air, [order], connect=noisy).results  # type: ignore[arg-type]
    assert result.ending is Ending.COMPLETED
    assert read_sortie(result.tlog_path).complete


@pytest.mark.parametrize(("rejected", "waypoints"), [(2, 1), (37, 45)])
def test_an_item_that_the_vehicle_rejects_bars_auto_and_nothing_is_armed(
    tmp_path: Path, rejected: int, waypoints: int
) -> None:
    air = Air()
    store = air.vehicles[0].mission_items
    plain = store.write

    def picky(seq: int, item: object) -> object:
        return type(plain(seq, item))(3) if seq == rejected else plain(seq, item)  # type: ignore[arg-type]

    store.write = picky  # type: ignore[assignment, method-assign]
    takeoff, north, home = short_items()
    order: FlightOrder = flight_order(1, (takeoff, *(north,) * waypoints, home), PLACE)
    (result,) = fly_in(air, [in_folder(order, 1, tmp_path)]).results
    assert result.ending is Ending.REFUSED
    assert f"item {rejected} (command 16)" in result.reason
    assert "AUTO is barred" in result.reason
    assert air.vehicles[0].armings == 0


# Numbers that are none


class Nan(Ether):
    """After each packet of the vehicle comes the same again with NaN in every number of it."""

    kinds = ("ATTITUDE", "GIMBAL_DEVICE_ATTITUDE_STATUS", "CAMERA_FEEDBACK", "EKF_STATUS_REPORT")

    def read(self) -> bytes:
        reader = dialect.MAVLink(None)
        reader.robust_parsing = True
        data = super().read()
        return data + b"".join(map(with_nan, reader.parse_buffer(data) or ()))


def with_nan(message: dialect.MAVLink_message) -> bytes:
    """The packet with NaN for every float; empty for kinds that are left alone."""
    if message.get_type() not in Nan.kinds:
        return b""
    values = [
        [math.nan] * len(value)
        if isinstance(value, list) and kind == "float"
        else math.nan
        if kind == "float"
        else value
        for value, kind in (
            (getattr(message, name), message.fieldtypes[message.fieldnames.index(name)])
            for name in message.fieldnames
        )
    ]
    writer = dialect.MAVLink(None, srcSystem=message.get_srcSystem(), srcComponent=1)
    return bytes(type(message)(*values).pack(writer))


def test_numbers_that_are_none_end_no_sortie_and_reach_no_record(tmp_path: Path) -> None:
    air = Air()

    def nowhere(order: object, tlog: TlogWriter) -> object:
        link = air.connect(1, tlog)
        air.ethers[-1].__class__ = Nan
        return link

    seen: list[LiveState] = []
    order = flight_order(1, plan_survey(SCENE, SIMULATED, TINY, PLACE).items, PLACE)
    sortie = in_folder(order, 1, tmp_path)
    (result,) = fly_in(air, [sortie], connect=nowhere, on_state=seen.append).results  # type: ignore[arg-type]
    assert result.ending is Ending.COMPLETED
    log = read_sortie(result.tlog_path)
    assert log.complete
    assert log.triggers
    numbers = [
        value
        for one in (*seen, *log.triggers)
        for value in dataclasses.asdict(one).values()
        if isinstance(value, float)
    ]
    assert len(numbers) > 100
    assert all(map(math.isfinite, numbers))


# Signatures, made and checked by pymavlink


class Signed(Ether):
    """A vehicle that signs with pymavlink and obeys nothing that is not signed with its key."""

    key = key_from_text("a passphrase of the team")

    def begin(self) -> Signed:
        """pymavlink's own signing on both directions."""
        self.obeyed, self.refused = 0, 0
        self.writer, self.reader = dialect.MAVLink(None, 1, 1), dialect.MAVLink(None)
        for one in (self.writer, self.reader):
            one.robust_parsing = True
            one.signing.secret_key = self.key
            one.signing.timestamp = steps(BOOT_AT.timestamp())
            one.signing.allow_unsigned_callback = None
        self.writer.signing.sign_outgoing = True
        self.plain = dialect.MAVLink(None)
        return self

    def read(self) -> bytes:
        self.writer.signing.timestamp = max(
            self.writer.signing.timestamp, steps(BOOT_AT.timestamp() + self._clock())
        )
        data = b""
        for message in self.plain.parse_buffer(super().read()) or ():
            self.writer.seq = message.get_seq()
            self.writer.srcComponent = message.get_srcComponent()
            data += message.pack(self.writer)
        return data + self.strangers() if data else b""

    def strangers(self) -> bytes:
        """Who says that the vehicle is disarmed and in another mode: unsigned, or with a guess."""
        said = b""
        for key in (None, bytes(32)):
            stranger = dialect.MAVLink(None, 1, 1)
            if key is not None:
                stranger.signing.secret_key, stranger.signing.sign_outgoing = key, True
                stranger.signing.timestamp = self.writer.signing.timestamp + 1000
            loiter = dialect.MAVLink_heartbeat_message(2, 3, 81, 5, 4, 3)
            said += loiter.pack(stranger)
        return said

    def write(self, data: bytes) -> None:
        for message in self.reader.parse_buffer(data) or ():
            if message.get_type() == "BAD_DATA":
                self.refused += 1
            else:
                self.obeyed += 1
                super().write(bytes(message.get_msgbuf()))


def test_a_signed_sortie_is_flown_through_strangers_who_claim_to_be_the_vehicle(
    tmp_path: Path,
) -> None:
    air, ethers, links = Air(), [], []

    def signed(order: object, tlog: TlogWriter) -> object:
        link = air.connect(1, tlog, signer=Signer(Signed.key))
        air.ethers[-1].__class__ = Signed
        ethers.append(air.ethers[-1].begin())  # type: ignore[attr-defined]
        links.append(link)
        return link

    order = in_folder(flight_order(1, short_items(), PLACE), 1, tmp_path)
    (result,) = fly_in(air, [order], connect=signed).results  # type: ignore[arg-type]
    assert result.ending is Ending.COMPLETED
    (ether,), (link,) = ethers, links
    assert ether.obeyed > 50
    assert ether.refused == 0  # pymavlink's check agrees with every signature of ours
    assert link.unsigned > 1000
    kinds = [entry.kind for entry in read_journal(result.journal_path)]
    assert "handed over" not in kinds


def test_the_oracles_of_this_file_are_what_they_seem() -> None:
    vehicle = Vehicle700()
    items = tuple(WireItem(s, 3, 16, (0.0, 0.0, 0.0, 0.0), 50.0, 4.0, 20.0) for s in range(600))
    state, sends = protocol.start_upload(items, Timing(), 0.0)
    state, _ = converse(state, sends, protocol.upload_step, vehicle, BadLink(delay_s=0.01))
    assert isinstance(state.outcome, Done)
