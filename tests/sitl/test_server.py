"""The command as a whole: ports, several stations, bad links, photos, a clean end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mav

from droneteam.detection import rid
from droneteam.errors import InputError
from sitl.__main__ import main, parse
from tests.sitl.fleet import Fleet, running

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Pilot:
    """A ground station over a real socket (pymavlink's own connection)."""

    def __init__(self, link: str, sysid: int = 255) -> None:
        self.link = mavutil.mavlink_connection(link, source_system=sysid, source_component=190)
        self.heartbeat()
        assert self.link.wait_heartbeat(timeout=20) is not None

    def heartbeat(self) -> None:
        self.link.mav.heartbeat_send(6, 8, 0, 0, 4)

    def wait(self, kind: str, limit_s: float = 20.0) -> Any:
        message = self.link.recv_match(type=kind, blocking=True, timeout=limit_s)
        assert message is not None, f"no {kind} within {limit_s} s"
        return message

    def command(self, command: int, *params: float) -> int:
        given = [*params, *(0.0,) * (7 - len(params))]
        self.link.mav.command_long_send(self.link.target_system, 1, command, 0, *given)
        while (ack := self.wait("COMMAND_ACK")).command != command:
            pass
        return int(ack.result)

    def upload(self, items: list[Any], again_s: float = 1.0, limit_s: float = 30.0) -> int:
        """The result; COUNT and items are repeated until the vehicle has them all."""
        until, last = time.monotonic() + limit_s, -1
        self.link.mav.mission_count_send(1, 1, len(items))
        while time.monotonic() < until:
            kinds = ["MISSION_REQUEST", "MISSION_ACK"]
            message = self.link.recv_match(type=kinds, blocking=True, timeout=again_s)
            if message is None and last < 0:
                self.link.mav.mission_count_send(1, 1, len(items))
            elif message is None:
                self.link.mav.send(items[last])
            elif message.get_type() == "MISSION_REQUEST":
                last = message.seq
                self.link.mav.send(items[last])
            elif message.type != mav.MAV_MISSION_INVALID_SEQUENCE:
                return int(message.type)
        raise AssertionError("upload not finished")

    def wait_ready(self) -> None:
        assert self.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, 193, 200_000) == 0
        while not self.wait("EKF_STATUS_REPORT").flags & 16:
            pass

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> Pilot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def item(seq: int, command: int, lat_deg: float, lon_deg: float, up_m: float, *p: float) -> Any:
    params = [*p, *(0.0,) * (4 - len(p))]
    x, y = round(lat_deg * 1e7), round(lon_deg * 1e7)
    return mav.MAVLink_mission_item_int_message(1, 1, seq, 3, command, 0, 1, *params, x, y, up_m, 0)


def small_survey(facts: dict[str, Any]) -> list[Any]:
    lat, lon = facts["home"]["lat_deg"], facts["home"]["lon_deg"]
    return [
        item(0, 16, lat, lon, 0),
        item(1, 22, 0, 0, 15),
        item(2, 205, 0, 0, 2, -90),
        item(3, 206, 0, 0, 0, 8, 0, 1),
        item(4, 16, lat + 0.0003, lon, 15),
        item(5, 206, 0, 0, 0, 0),
        item(6, 20, 0, 0, 0),
    ]


def fly(pilot: Pilot, items: list[Any]) -> None:
    pilot.wait_ready()
    assert pilot.upload(items) == 0
    assert pilot.command(mav.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    assert pilot.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
    assert pilot.command(mav.MAV_CMD_MISSION_START) == 0


def test_two_drones_are_served_to_several_stations_and_the_end_is_clean(tmp_path: Path) -> None:
    with running(tmp_path, "--drones", "2", "--speedup", "20") as fleet:
        assert [drone["sysid"] for drone in fleet.facts["drones"]] == [1, 2]
        one, two = fleet.links
        with Pilot(one) as first, Pilot(one, sysid=254) as second, Pilot(two) as other:
            assert (first.link.target_system, other.link.target_system) == (1, 2)
            assert first.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, 30, 100_000) == 0
            first.wait("ATTITUDE")
            assert second.link.recv_match(type="ATTITUDE", blocking=True, timeout=0.3) is None
            second.link.mav.param_set_send(1, 1, b"RTL_ALT", 2000, 6)
            assert first.wait("PARAM_VALUE").param_value == 2000.0
        assert fleet.stop() == 0


def test_a_survey_is_flown_seen_by_radio_and_leaves_its_shots(tmp_path: Path) -> None:
    shots = tmp_path / "shots.jsonl"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.5)
        port = receiver.getsockname()[1]
        options = ("--speedup", "20", "--shots", str(shots), "--rid-out", f"udp:127.0.0.1:{port}")
        with running(tmp_path, *options, "--beacon", "unregistered@5") as fleet:
            with Pilot(fleet.links[0]) as pilot:
                fly(pilot, small_survey(fleet.facts))
                fleet.wait(lambda drone: drone["photos"] == 5 and not drone["armed"])
            assert fleet.stop() == 0
            serials = {drone["serial"] for drone in fleet.facts["drones"]}
            serials |= {beacon["serial"] for beacon in fleet.facts["beacons"]}
        assert heard(receiver) == serials
    lines = [json.loads(line) for line in shots.read_text().splitlines()]
    assert [line["index"] for line in lines] == [1, 2, 3, 4, 5]
    assert all(line["pitch_deg"] == -90.0 for line in lines[1:])


def heard(receiver: socket.socket) -> set[str]:
    """The serial numbers in every datagram that has arrived."""
    serials = set()
    while True:
        try:
            report = json.loads(receiver.recv(4096))
        except TimeoutError:
            return serials
        pack = rid.decode(bytes.fromhex(report["payload"]))
        serials |= {m.uas_id for m in pack.messages if isinstance(m, rid.BasicId)}


def test_a_link_that_loses_a_fifth_still_takes_a_mission(tmp_path: Path) -> None:
    with running(tmp_path, "--loss", "0.2", "--delay", "0.01", "--seed", "3") as fleet:
        time.sleep(2.0)  # storage is ready 1.5 s after boot
        items = [item(n, 16, 50.8197, 4.3908 + n * 1e-5, 20) for n in range(8)]
        with Pilot(fleet.links[0]) as pilot:
            assert pilot.upload(items, again_s=0.4) in (0, 1)  # 1: the last ACK was lost


def test_udp_and_a_cut_link(tmp_path: Path) -> None:
    with running(tmp_path, "--udp", "--speedup", "10") as fleet:
        assert fleet.links[0].startswith("udpout:127.0.0.1:")
        with Pilot(fleet.links[0]) as pilot:
            assert pilot.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, 30, 100_000) == 0
            pilot.wait("ATTITUDE")
            assert fleet.control(cmd="cut", drone=1)["ok"]
            drain(pilot)
            assert pilot.link.recv_match(blocking=True, timeout=0.5) is None
            assert fleet.control(cmd="restore", drone=1)["ok"]
            pilot.wait("ATTITUDE")


def drain(pilot: Pilot) -> None:
    while pilot.link.recv_match(blocking=True, timeout=0.1) is not None:
        pass


def test_a_connection_closed_by_the_world_can_be_opened_again(tmp_path: Path) -> None:
    with running(tmp_path, "--speedup", "5") as fleet:
        with socket.create_connection(("127.0.0.1", fleet.port()), 5.0) as link:
            assert link.recv(16)
            fleet.control(cmd="disconnect", drone=1)
            link.settimeout(5.0)
            while link.recv(4096):
                pass
        with Pilot(fleet.links[0]) as pilot:
            assert pilot.link.target_system == 1


def test_garbage_on_the_port_does_not_disturb_others(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--speedup", "5") as fleet,
        socket.create_connection(("127.0.0.1", fleet.port()), 5.0) as link,
    ):
        link.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 40)
        with Pilot(fleet.links[0]) as pilot:
            assert pilot.command(mav.MAV_CMD_REQUEST_MESSAGE, 148) == 0


@pytest.mark.slow
def test_the_card_is_complete_when_the_command_has_ended(tmp_path: Path) -> None:
    card, truth = tmp_path / "card", tmp_path / "truth"
    options = ("--card", str(card), "--truth", str(truth), "--photo-width", "320")
    with running(tmp_path, "--speedup", "20", *options) as fleet:
        with Pilot(fleet.links[0]) as pilot:
            fly(pilot, small_survey(fleet.facts))
            fleet.wait(lambda drone: drone["photos"] == 5)
        fleet.process.terminate()
        assert fleet.process.wait(240) == 0
    names = sorted(path.name for path in (card / "drone-01").iterdir())
    assert names == [f"DJI_{n:04d}.JPG" for n in range(1, 6)]
    assert (truth / "world.json").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--drones", "0"], "--drones"),
        (["--drones", "101"], "--drones"),
        (["--speedup", "1000"], "--speedup"),
        (["--loss", "1.5"], "loss"),
        (["--truth", "somewhere"], "--card"),
        (["--rid-out", "tcp:1"], "--rid-out"),
        (["--start", "yesterday"], "--start"),
        (["--beacon", "ufo"], "ufo"),
        (["--beacon", "registered@soon"], "soon"),
    ],
)
def test_a_wrong_option_is_named(options: list[str], named: str) -> None:
    with pytest.raises(InputError, match=named):
        parse(options)


def test_the_roster_names_the_vehicles_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    roster = tmp_path / "roster.json"
    roster.write_text('[{"name": "falcon", "remote_id_serial": "DTSMA0000000042"}]')
    assert parse(["--roster", str(roster)]).roster == (("falcon", "DTSMA0000000042"),)
    for wrong in ("", "{}", "[1]", '[{"name": "falcon"}]'):
        roster.write_text(wrong)
        with pytest.raises(InputError, match="--roster"):
            parse(["--roster", str(roster)])
    with pytest.raises(InputError, match="--roster"):
        parse(["--roster", str(tmp_path / "absent.json")])


def test_a_port_that_is_taken_ends_the_command_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--base-port", str(taken.getsockname()[1])]) == 2
    assert "sitl:" in capsys.readouterr().err


def test_the_simulated_time_keeps_its_pace(tmp_path: Path) -> None:
    with running(tmp_path, "--drones", "3", "--speedup", "10") as fleet:
        pace = measured_pace(fleet, time.sleep)
        assert 5.0 < pace <= 10.6


def measured_pace(fleet: Fleet, sleep: Callable[[float], None]) -> float:
    """Simulated seconds per second over two seconds."""
    before, began = fleet.control(cmd="status")["t_s"], time.monotonic()
    sleep(2.0)
    after = fleet.control(cmd="status")["t_s"]
    return float((after - before) / (time.monotonic() - began))
