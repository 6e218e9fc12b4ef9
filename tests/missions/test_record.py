"""Packets, logs and journals: what was written is read back, what was cut is said."""

from __future__ import annotations

import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import Conflict, DecodeError, InputError
from droneteam.missions.items import Frame, MissionCommand, MissionType, WireItem, wire_fence
from droneteam.missions.mavlink import codec
from droneteam.missions.mavlink import messages as m
from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.mavlink.link import MavlinkLink
from droneteam.missions.mavlink.tlog import TlogReader, TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.record.journal import ARMING, Entry, Journal, read_journal, was_arming
from droneteam.missions.record.sortie import read_sortie, sortie_from_bytes

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MAVLINK_DATA = Path(__file__).parents[3] / "shared" / "data" / "mavlink"


class Vehicle:
    """Packs what a vehicle says, with pymavlink itself."""

    def __init__(self, system_id: int = 1) -> None:
        self.mav = dialect.MAVLink(None, srcSystem=system_id, srcComponent=1)

    def pack(self, message: object) -> bytes:
        raw = bytes(message.pack(self.mav))  # type: ignore[attr-defined]
        self.mav.seq = (self.mav.seq + 1) % 256
        return raw

    def heartbeat(self, mode: int = 3, armed: bool = True) -> bytes:
        base = 128 if armed else 0
        return self.pack(dialect.MAVLink_heartbeat_message(2, 3, 81 | base, mode, 4, 3))

    def position(self, boot_s: float, alt_m: float, lat_deg: float = 50.8197) -> bytes:
        return self.pack(
            dialect.MAVLink_global_position_int_message(
                int(boot_s * 1e3), round(lat_deg * 1e7), 43908000, int((56.4 + alt_m) * 1e3),
                int(alt_m * 1e3), 300, 400, 0, 9000,
            )
        )  # fmt: skip

    def system_time(self, boot_s: float) -> bytes:
        unix_us = int((START + timedelta(seconds=boot_s)).timestamp() * 1e6)
        return self.pack(dialect.MAVLink_system_time_message(unix_us, int(boot_s * 1e3)))

    def feedback(self, boot_s: float, index: int) -> bytes:
        unix_us = int((START + timedelta(seconds=boot_s)).timestamp() * 1e6)
        return self.pack(
            dialect.MAVLink_camera_feedback_message(
                unix_us, 0, 0, index, 508197000, 43908000, 70.3, 13.9, 1.0, 2.0, 90.0, 0.0, 0, index
            )
        )

    def captured(self, unix_s: float, index: int) -> bytes:
        return self.pack(
            dialect.MAVLink_camera_image_captured_message(
                0,
                round(unix_s * 1e6),
                1,
                508197000,
                43908000,
                70300,
                13900,
                [1.0, 0.0, 0.0, 0.0],
                index - 1,
                1,
                b"",
            )
        )

    def counted(self, boot_s: float, images: int) -> bytes:
        return self.pack(
            dialect.MAVLink_camera_capture_status_message(
                int(boot_s * 1e3), 0, 0, 0.0, 0, 0.0, images
            )
        )

    def gimbal(self, boot_s: float, pitch_deg: float) -> bytes:
        half = math.radians(pitch_deg) / 2.0
        q = [math.cos(half), 0.0, math.sin(half), 0.0]
        return self.pack(
            dialect.MAVLink_gimbal_device_attitude_status_message(
                0, 0, int(boot_s * 1e3), 32 | 8 | 4, q, 0.0, 0.0, 0.0, 0
            )
        )


def a_log(vehicle: Vehicle | None = None) -> bytes:
    """Ten seconds on the ground, twenty in the air with a photo every two, ten on the ground."""
    vehicle = vehicle or Vehicle()
    packets: list[tuple[float, bytes]] = []
    for second in range(40):
        airborne = 10 <= second < 30
        packets.append((second, vehicle.heartbeat(3, airborne)))
        packets.append((second, vehicle.system_time(second)))
        packets.append((second, vehicle.position(second, 14.0 if airborne else 0.0)))
        packets.append((second, vehicle.gimbal(second, -90.0 if second < 20 else -45.0)))
        if airborne and second % 2 == 0:
            packets.append((second, vehicle.feedback(second, second)))
    return b"".join(
        int((START.timestamp() + at) * 1e6).to_bytes(8, "big") + raw for at, raw in packets
    )


def test_a_sortie_is_read_from_its_log() -> None:
    log = sortie_from_bytes(a_log(), mission_id=7, drone="drone-01")
    assert log.took_off_at == START + timedelta(seconds=10)
    assert log.landed_at == START + timedelta(seconds=30)
    assert [trigger.index for trigger in log.triggers] == list(range(10, 30, 2))
    assert [round(trigger.pitch_deg) for trigger in log.triggers] == [-90] * 5 + [-45] * 5
    assert log.triggers[0].at == START + timedelta(seconds=10)
    assert log.track.t_s[0] == -10.0
    assert log.track.speed_mps[0] == pytest.approx(5.0)
    assert log.max_alt_home_m == 14.0
    assert (log.complete, log.note) == (True, "")
    assert [event.detail for event in log.events if event.kind == "vehicle"] == [
        "armed",
        "disarmed",
    ]


def stamped(packets: list[bytes]) -> bytes:
    """A log of a vehicle on the ground and of packets, a second apart."""
    vehicle = Vehicle()
    known = [vehicle.heartbeat(), vehicle.system_time(0.0), vehicle.position(0.0, 0.0), *packets]
    return b"".join(
        int((START.timestamp() + n) * 1e6).to_bytes(8, "big") + raw for n, raw in enumerate(known)
    )


def test_a_photo_told_again_much_later_is_one_and_a_restarted_cameras_numbers_are_new() -> None:
    vehicle, t = Vehicle(), START.timestamp()
    first = [vehicle.captured(t + n, n) for n in (1, 2, 3, 4, 5, 6)]
    again = [vehicle.captured(t + n, n) for n in (1, 2, 6)]
    anew = [vehicle.captured(t + 30 + n, n) for n in (1, 2, 3)]
    log = sortie_from_bytes(stamped([*first, *again, *anew]))
    assert [trigger.index for trigger in log.triggers] == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert [(trigger.at - START).total_seconds() for trigger in log.triggers[-3:]] == [31, 32, 33]


@pytest.mark.parametrize("late", [0, 5])
def test_the_autopilots_and_the_cameras_word_for_a_photo_are_one_however_late(late: int) -> None:
    vehicle, t = Vehicle(), START.timestamp()
    by_autopilot = [vehicle.feedback(n, n) for n in range(1, 8)]
    by_camera = [vehicle.captured(t + n + 0.2, n) for n in range(1, 8)]
    told = [*by_autopilot[:late], *by_camera, *by_autopilot[late:]]
    assert [trigger.index for trigger in sortie_from_bytes(stamped(told)).triggers] == [
        *range(1, 8)
    ]


def test_photos_that_a_camera_without_a_clock_tells_are_told_apart_by_number() -> None:
    vehicle = Vehicle()
    told = [vehicle.captured(0.0, n) for n in (1, 1, 2, 3, 4, 4)]
    assert [trigger.index for trigger in sortie_from_bytes(stamped(told)).triggers] == [1, 2, 3, 4]


def test_photos_that_a_restarted_camera_counted_are_missed_too() -> None:
    vehicle, t = Vehicle(), START.timestamp()
    counts = [(600, 10), (602, 12), (601, 11), (604, 14), (3, 2), (5, 5)]
    told = [*(vehicle.counted(*one) for one in counts), vehicle.captured(t + 1, 11)]
    log = sortie_from_bytes(stamped(told))
    assert log.note == "the camera counted 8 photos more than are known"


def test_pymavlink_reads_our_log_and_we_read_pymavlinks(tmp_path: Path) -> None:
    path = tmp_path / "ours.tlog"
    vehicle = Vehicle()
    writer = TlogWriter(path)
    packets = [vehicle.heartbeat(), vehicle.position(1.0, 5.0), vehicle.feedback(2.0, 1)]
    for raw in packets:
        writer.write(raw, int(START.timestamp() * 1e6))
    writer.close()
    theirs = mavutil.mavlink_connection(str(path))
    kinds = []
    while (message := theirs.recv_match()) is not None:
        kinds.append(message.get_type())
        assert message._timestamp == pytest.approx(START.timestamp())
    theirs.close()
    assert kinds == ["HEARTBEAT", "GLOBAL_POSITION_INT", "CAMERA_FEEDBACK"]
    assert [record.frame.raw for record in TlogReader(path.read_bytes()).records()] == packets


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 4000))
def test_a_log_cut_anywhere_is_read_up_to_the_cut_and_says_so(cut: int) -> None:
    whole = a_log()
    data = whole[: len(whole) - cut]
    reader = TlogReader(data)
    records = list(reader.records())
    length = sum(8 + len(record.frame.raw) for record in records)
    assert length + reader.cut_bytes == len(data)
    log = sortie_from_bytes(data)
    assert log.packets == len(records)
    assert log.complete == (reader.cut_bytes == 0)
    assert ("cut in mid-packet" in log.note) == (reader.cut_bytes > 0)


def test_damage_inside_a_log_costs_the_damaged_packets_only() -> None:
    whole = bytearray(a_log())
    for at in (700, 701, 2000):
        whole[at] ^= 0xFF
    log = sortie_from_bytes(bytes(whole))
    assert "damaged bytes are left out" in log.note
    assert log.packets >= len(list(TlogReader(a_log()).records())) - 3


def test_a_log_without_a_vehicle_is_refused() -> None:
    for data in (b"", b"nonsense" * 100):
        with pytest.raises(DecodeError, match="no vehicle"):
            sortie_from_bytes(data)


def test_positions_before_the_first_fix_do_not_lengthen_the_track() -> None:
    vehicle = Vehicle()
    at = int(START.timestamp() * 1e6).to_bytes(8, "big")
    nowhere = vehicle.pack(
        dialect.MAVLink_global_position_int_message(1, 0, 0, 0, 0, 0, 0, 0, 65535)
    )
    log = sortie_from_bytes(at + nowhere + a_log(vehicle))
    assert log.distance_m == 0.0


@settings(max_examples=100, deadline=None)
@given(chunks=st.lists(st.integers(1, 60), min_size=1, max_size=200), seed=st.integers(0, 999))
def test_packets_are_found_however_the_stream_is_cut_and_whatever_lies_between(
    chunks: list[int], seed: int
) -> None:
    vehicle, noise = Vehicle(), random.Random(seed)
    packets = [vehicle.heartbeat(), vehicle.position(1.0, 2.0), vehicle.gimbal(1.0, -30.0)] * 5
    stream = b""
    for raw in packets:
        junk = bytes(noise.choice((0x00, 0x55, 0xAA)) for _ in range(noise.randrange(4)))
        stream += junk + raw
    framer, found, at = Framer(), [], 0
    for size in [*chunks, len(stream)]:
        found += framer.feed(stream[at : at + size])
        at += size
    assert [frame.raw for frame in found] == packets
    assert framer.dropped_bytes == len(stream) - sum(map(len, packets))


@given(data=st.binary(max_size=400))
def test_noise_is_never_taken_for_a_known_packet(data: bytes) -> None:
    for frame in Framer().feed(data):
        assert frame.message_id not in (0, 30, 33)


OUTBOUND: list[tuple[m.Outbound, dict[str, object]]] = [
    (m.GroundHeartbeat(), {"type": 6, "autopilot": 8}),
    (m.CommandLong(400, (1.0,), 2), {"command": 400, "param1": 1.0, "confirmation": 2}),
    (m.ParamRead("FENCE_ENABLE"), {"param_id": "FENCE_ENABLE", "param_index": -1}),
    (m.ParamSet("RTL_ALT", 2000.0), {"param_id": "RTL_ALT", "param_value": 2000.0}),
    (m.MissionCount(12, MissionType.FENCE), {"count": 12, "mission_type": 1}),
    (m.MissionRequest(3), {"seq": 3, "mission_type": 0}),
    (m.MissionAck(0, MissionType.RALLY), {"type": 0, "mission_type": 2}),
    (m.MissionRequestList(), {"mission_type": 0}),
    (m.MissionClear(MissionType.FENCE), {"mission_type": 1}),
]


@pytest.mark.parametrize(("message", "fields"), OUTBOUND)
def test_messages_go_out_as_pymavlink_understands_them(
    message: m.Outbound, fields: dict[str, object]
) -> None:
    raw = codec.encode(message, 7).pack(dialect.MAVLink(None, srcSystem=255, srcComponent=190))
    (read,) = dialect.MAVLink(None).parse_buffer(bytes(raw))
    for name, value in fields.items():
        assert getattr(read, name) == value
    if hasattr(read, "target_system"):
        assert (read.target_system, read.target_component) == (7, 1)


@pytest.mark.parametrize(("status", "healthy"), [(0, True), (1, False), (7, False)])
def test_a_remote_id_transmitters_word_is_read_from_its_own_component(
    status: int, healthy: bool
) -> None:
    transmitter = dialect.MAVLink(None, srcSystem=1, srcComponent=236)
    message = dialect.MAVLink_open_drone_id_arm_status_message(status, b"no UAS ID set")
    (frame,) = Framer().feed(bytes(message.pack(transmitter)))
    assert codec.decode(frame) == m.RemoteIdStatus(healthy, "no UAS ID set")


ITEMS = [
    WireItem(3, Frame.GLOBAL_RELATIVE, MissionCommand.WAYPOINT, (1, 0, 0, 0), 50.8, -4.39, 13.9),
    WireItem(
        4, Frame.MISSION, MissionCommand.DO_SET_CAM_TRIGG_DIST, (3.75, 0, 1, 0), 0.0, 0.0, 0.0
    ),
    WireItem(5, Frame.MISSION, MissionCommand.DO_MOUNT_CONTROL, (-90, 0, 0, 0), 0.0, 0.0, 2.0),
    wire_fence(((50.8, 4.3), (50.9, 4.3), (50.9, 4.4)))[1],
]


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_comes_back_as_it_went_out(item: WireItem) -> None:
    packed = codec.encode(m.MissionItemMessage(item), 1).pack(dialect.MAVLink(None))
    (frame,) = Framer().feed(bytes(packed))
    back = codec.decode(frame)
    assert isinstance(back, m.MissionItemMessage)
    assert back.item.x == pytest.approx(item.x, abs=1e-7)
    assert back.item.y == pytest.approx(item.y, abs=1e-7)
    assert back.item.z == pytest.approx(item.z, rel=1e-6)
    assert back.item.params == pytest.approx(item.params)
    assert back.item.mission_type is item.mission_type


@pytest.mark.parametrize(
    "text", ["", "tcp", "tcp:host", "tcp:host:0", "tcp::5760", "x:h:1", "udp:h:99999"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not like tcp"):
        LinkAddress.parse(text)


def a_udp_link(tmp_path: Path) -> tuple[MavlinkLink, socket.socket, tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    link = MavlinkLink(LinkAddress("udpin", "127.0.0.1", port), TlogWriter(tmp_path / "a.tlog"))
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return link, other, ("127.0.0.1", port)


def heard(link: MavlinkLink) -> list[m.Inbound]:
    time.sleep(0.02)
    return link.receive()


def test_a_link_follows_its_vehicle_and_names_strangers(tmp_path: Path) -> None:
    link, other, address = a_udp_link(tmp_path)
    with other:
        other.sendto(Vehicle(1).heartbeat(3), address)
        assert heard(link) == [m.Heartbeat(3, True, 4)]
        other.sendto(Vehicle(9).heartbeat(5), address)
        assert heard(link) == []
        assert link.system_id == 1
        assert link.strangers == {9}
        link.send(m.CommandLong(176, (1.0, 4.0)))
        (read,) = dialect.MAVLink(None).parse_buffer(other.recv(1000))
        assert (read.target_system, read.param2) == (1, 4.0)
    link.close()
    systems = [r.frame.system_id for r in TlogReader((tmp_path / "a.tlog").read_bytes()).records()]
    assert systems == [1, 9, 255]


def test_a_ground_stations_heartbeat_is_not_taken_for_a_vehicle(tmp_path: Path) -> None:
    link, other, address = a_udp_link(tmp_path)
    with other:
        ground = dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3)
        other.sendto(Vehicle(250).pack(ground), address)
        assert heard(link) == []
        assert link.system_id is None
    link.close()


def test_a_tcp_link_comes_back_after_a_break(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = LinkAddress("tcp", "127.0.0.1", server.getsockname()[1])
        link = MavlinkLink(address, TlogWriter(tmp_path / "b.tlog"))
        for attempt in range(2):
            deadline = time.monotonic() + 60.0
            server.settimeout(0.05)
            connection = None
            while connection is None:
                assert time.monotonic() < deadline
                link.receive()
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
            connection.sendall(Vehicle(1).heartbeat(attempt))
            assert heard(link) == [m.Heartbeat(attempt, True, 4)]
            connection.close()
            assert heard(link) == []
            assert link.fileno() == -1
        link.close()


KILLED = """
import sys, time
from pathlib import Path
from droneteam.missions.mavlink.tlog import TlogWriter
from tests.missions.test_record import Vehicle
writer, vehicle = TlogWriter(Path(sys.argv[1])), Vehicle()
while True:
    now = time.time()
    writer.write(vehicle.position(now % 1000, 1.0), int(now * 1e6))
    writer.flush_if_due(time.monotonic())
    if writer.packets == 200:
        print("ready", flush=True)
    time.sleep(0.001)
"""


def test_a_killed_process_loses_at_most_a_tenth_of_a_second_of_its_log(tmp_path: Path) -> None:
    path = tmp_path / "killed.tlog"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        killed_at = time.time()
    last = [record.at for record in TlogReader(path.read_bytes()).records()][-1]
    assert killed_at - last.timestamp() < 0.1 + 0.05  # the signal's own delivery


def test_a_journal_has_one_writer_at_a_time_and_a_cut_line_costs_only_itself(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.jsonl"
    first = Journal(path)
    first.write(Entry(START, "intent", "mode"))
    with pytest.raises(Conflict, match=r"another controller is flying.*j\.jsonl"):
        Journal(path)
    first.close()
    with path.open("ab") as file:
        file.write(b'{"at": "2026-03-')  # the power went
    second = Journal(path)
    second.write(Entry(START, ARMING, "yes"))
    second.close()
    assert read_journal(path) == [Entry(START, "intent", "mode"), Entry(START, ARMING, "yes")]
    assert was_arming(path)


def test_a_journal_is_read_back_and_a_cut_line_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    entries = [Entry(START, "intent", "mode"), Entry(START, ARMING, "é"), Entry(START, "x", "y")]
    for entry in entries:
        journal.write(entry, durable=entry.kind == ARMING)
    journal.close()
    assert read_journal(path) == entries
    assert was_arming(path)
    path.write_bytes(path.read_bytes()[:-5])
    assert read_journal(path) == entries[:2]
    assert not was_arming(tmp_path / "none.jsonl")


def real_log(name: str) -> Path:
    path = MAVLINK_DATA / name
    if not path.exists():
        pytest.skip(f"the recorded log {name} of a real ArduCopter is not on this machine")
    return path


def test_every_packet_of_a_real_vehicles_logs_is_read() -> None:
    for name in ("t1.tlog", "t2.tlog", "t3.tlog"):
        reader = TlogReader(real_log(name).read_bytes())
        ours = sum(1 for _ in reader.records())
        theirs = mavutil.mavlink_connection(str(real_log(name)))
        count = 0
        while theirs.recv_match() is not None:
            count += 1
        theirs.close()
        assert (ours, reader.skipped_bytes, reader.cut_bytes) == (count, 0, 0)


def test_a_real_vehicles_flight_is_told_by_its_log() -> None:
    log = read_sortie(real_log("t1.tlog"))
    assert log.max_alt_home_m == pytest.approx(30.0, abs=0.1)
    modes = [event.detail for event in log.events if event.kind == "mode"]
    assert modes[-1] == "AUTO"
    assert log.landed_at is not None
    assert log.landed_at > log.took_off_at


def test_a_real_vehicles_triggers_carry_the_gimbals_attitude() -> None:
    log = read_sortie(real_log("t2.tlog"))
    assert len(log.triggers) == 10
    assert log.triggers[0].pitch_deg == pytest.approx(-60.1, abs=0.2)
