"""pymavlink's and MAVSDK's own clients bring the same bytes home from the simulator as ours do."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav
from pymavlink.mavftp import MAVFTP

from droneteam.missions.mavlink.fetching import fetch_log
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.transports import LinkAddress
from tests.sitl.fleet import Fleet, running
from tests.sitl.test_server import Pilot

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SPEEDUP = 10.0
MAVSDK_CLIENT = Path(__file__).with_name("mavsdk_logs.py")
LIMIT_S = 200.0


@dataclass
class Landed:
    """A simulator whose vehicle has flown, and what our own client fetched from it."""

    fleet: Fleet
    ours: StoredLog


def hop(fleet: Fleet) -> None:
    """Up to ten metres and down again."""
    pilot = Pilot(fleet.links[0])
    assert pilot.command(mav.MAV_CMD_DO_SET_MODE, 1, 4) == 0
    until_s = time.monotonic() + LIMIT_S
    while pilot.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1) != 0:  # the filter takes 41 s
        assert time.monotonic() < until_s
    assert pilot.command(mav.MAV_CMD_NAV_TAKEOFF, *(0.0,) * 6, 10.0) == 0
    fleet.wait(lambda drone: drone["height_m"] > 9.0)
    assert pilot.command(mav.MAV_CMD_DO_SET_MODE, 1, 9) == 0
    fleet.wait(lambda drone: not drone["armed"])
    pilot.link.close()


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landed]:
    folder = tmp_path_factory.mktemp("logs")
    with running(folder, "--speedup", str(SPEEDUP)) as fleet:
        hop(fleet)
        address = LinkAddress.parse(fleet.links[0])
        ours = fetch_log(address, folder / "ours.bin", Timing.scaled(SPEEDUP))
        assert isinstance(ours, StoredLog), ours
        yield Landed(fleet, ours)


def test_ours_is_a_whole_log(landed: Landed) -> None:
    assert landed.ours.size_bytes > 30_000
    assert landed.ours.path.read_bytes()[:3] == b"\xa3\x95\x80"


def test_pymavlinks_own_file_transfer_reads_the_same_bytes(landed: Landed, tmp_path: Path) -> None:
    pilot = Pilot(landed.fleet.links[0])
    client = MAVFTP(pilot.link, 1, 1)
    local = tmp_path / "theirs.bin"
    client.cmd_get(["/APM/LOGS/00000001.BIN", str(local)])
    assert client.process_ftp_reply("OpenFileRO", timeout=LIMIT_S).error_code == 0
    assert hashlib.sha256(local.read_bytes()).hexdigest() == landed.ours.sha256
    pilot.link.close()


def test_mavsdks_log_files_and_ftp_read_the_same_bytes(landed: Landed, tmp_path: Path) -> None:
    pytest.importorskip("mavsdk", reason="MAVSDK is not installed")
    command = [sys.executable, str(MAVSDK_CLIENT), str(landed.fleet.port()), str(tmp_path)]
    finished = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert finished.returncode == 0, finished.stderr + finished.stdout
    told = json.loads(finished.stdout.strip().splitlines()[-1])
    assert told["sizes"] == [landed.ours.size_bytes]
    assert told["by_log"] == ["SUCCESS", landed.ours.sha256]
    assert told["by_ftp"] == ["SUCCESS", landed.ours.sha256]
    assert told["listed"] == ["00000001.BIN", "LASTLOG.TXT"]
