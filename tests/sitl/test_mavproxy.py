"""MAVProxy, an independent ground station, on a simulated vehicle and behind our controller.

It is looked for as ``mavproxy.py`` on the path or beside the interpreter, or where the environment
variable ``MAVPROXY`` says.  It reads commands from its standard input, as its user would type them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.tlog import TlogReader
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.sortie import read_sortie
from tests.missions.conftest import PLACE
from tests.missions.test_separation import line_mission
from tests.sitl.fleet import running

SPEEDUP = 10.0
PATIENCE_S = 90.0
MODULES = "wp,param,arm,mode,misc,cmdlong,link,output"
STATION_ID = 255
WAYPOINTS = """QGC WPL 110
0\t1\t0\t16\t0\t0\t0\t0\t{lat}\t{lon}\t0\t1
1\t0\t3\t22\t0\t0\t0\t0\t0\t0\t15\t1
2\t0\t3\t16\t0\t0\t0\t0\t{north}\t{lon}\t15\t1
3\t0\t3\t20\t0\t0\t0\t0\t0\t0\t0\t1
"""


def mavproxy() -> str:
    beside = Path(sys.executable).with_name("mavproxy.py")
    found = os.environ.get("MAVPROXY") or shutil.which("mavproxy.py") or str(beside)
    if not Path(found).exists():
        pytest.skip("MAVProxy is not installed (requirements-peers.lock, or name it in MAVPROXY)")
    return found


class Station:
    """A running MAVProxy: what is typed, and what it printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.printed = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while text := self._process.stdout.read(1):
            self.printed += text

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def wait(self, pattern: str, line: str | None = None) -> re.Match[str]:
        """What it prints after a line was typed; the line is typed again every few seconds."""
        begun, until_s, typed_s = len(self.printed), time.monotonic() + PATIENCE_S, -10.0
        while True:
            if found := re.search(pattern, self.printed[begun:]):
                return found
            assert time.monotonic() < until_s, f"{line!r}: no {pattern!r} in {self.printed[-800:]}"
            assert self._process.poll() is None, self.printed[-800:]
            if line is not None and time.monotonic() - typed_s > 5.0:
                typed_s = time.monotonic()
                self.type(line)
            time.sleep(0.05)


@contextlib.contextmanager
def station(folder: Path, master: str) -> Iterator[Station]:
    command = [mavproxy(), f"--master={master}", f"--state-basedir={folder}"]
    command += [f"--default-modules={MODULES}", f"--source-system={STATION_ID}", "--nowait"]
    command += [f"--logfile={folder / 'proxy.tlog'}", "--force-connected", "--streamrate=-1"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"HOME": str(folder), "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield Station(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()


def test_mavproxy_uploads_flies_and_lands_the_simulated_vehicle(tmp_path: Path) -> None:
    with running(tmp_path, "--speedup", str(SPEEDUP)) as fleet:
        home = fleet.facts["home"]
        places = {"lat": home["lat_deg"], "lon": home["lon_deg"]}
        written = WAYPOINTS.format(**places, north=home["lat_deg"] + 30.0 / 111_200.0)
        (tmp_path / "way.txt").write_text(written)
        with station(tmp_path, f"tcp:127.0.0.1:{fleet.port()}") as pilot:
            pilot.wait(r"RTL_ALT\s+1800", "param set RTL_ALT 1800\nparam show RTL_ALT")
            pilot.wait(
                r"Flight plan received|loaded|Sent waypoint 3|Got MISSION_ACK",
                f"wp load {tmp_path / 'way.txt'}",
            )
            pilot.wait(r"Saved 4 waypoints", f"wp save {tmp_path / 'back.txt'}")
            fleet.wait(lambda drone: drone["mode"] == "GUIDED" or pilot.type("mode GUIDED"))
            fleet.wait(lambda drone: drone["armed"] or pilot.type("arm throttle"))
            pilot.type("takeoff 10")
            fleet.wait(lambda drone: drone["height_m"] > 9.0)
            pilot.type("mode AUTO")
            fleet.wait(lambda drone: drone["mode"] == "AUTO")
            pilot.type("long MISSION_START 0 0")
            fleet.wait(lambda drone: drone["from_start_m"] > 20.0)
            landed = fleet.wait(lambda drone: not drone["armed"])
    back = (tmp_path / "back.txt").read_text().splitlines()
    assert [line.split()[3] for line in back[1:]] == ["16", "22", "16", "20"]
    assert landed["landed"]
    assert landed["from_start_m"] < 1.5


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def test_a_pilot_at_mavproxy_sees_the_flight_through_our_controller_and_takes_it_over(
    tmp_path: Path,
) -> None:
    port = free_port()
    plan = flight_order(1, line_mission(20.0, 0.0, 120.0), PLACE, time_scale=SPEEDUP)
    with (
        running(tmp_path, "--speedup", str(SPEEDUP)) as fleet,
        station(tmp_path, f"udpin:127.0.0.1:{port}") as pilot,
    ):
        sortie = SortieOrder(
            plan,
            1,
            "drone-01",
            LinkAddress.parse(fleet.links[0]),
            tmp_path / "logs",
            forward=LinkAddress.parse(f"udpout:127.0.0.1:{port}"),
        )
        typed: list[str] = []

        def pilot_acts(state: LiveState) -> None:
            if state.phase == "flying" and state.progress > 0.5 and "mode LAND" not in typed:
                typed.append("mode BRAKE")
                pilot.type("mode BRAKE")
            if state.phase == "handed over" and "mode LAND" not in typed:
                typed.append("mode LAND")
                pilot.type("mode LAND")

        (result,) = FlightDeck([sortie], time_scale=SPEEDUP, on_state=pilot_acts).fly()
        printed = pilot.printed
        (truth,) = fleet.control(cmd="status")["drones"]
    assert result.ending is Ending.HANDED_OVER
    assert "BRAKE" in result.reason
    assert not truth["armed"]
    assert "AUTO" in printed  # it saw the mode that our controller commanded
    kinds = [entry.kind for entry in read_journal(result.journal_path)]
    assert "intent" not in kinds[kinds.index("handed over") :]
    systems = {
        record.frame.component_id
        for record in TlogReader(result.tlog_path.read_bytes()).records()
        if record.frame.system_id == STATION_ID
    }
    assert len(systems) == 2  # our controller's packets and the pilot's are both in the record
    assert read_sortie(result.tlog_path).landed_at is not None
