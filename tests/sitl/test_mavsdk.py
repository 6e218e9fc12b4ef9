"""MAVSDK 4.1, an independent client, flies a small mission on the simulated vehicle.

The library runs threads in the process that loads it, so it gets one of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sitl.fleet import running

SPEEDUP = 10
CLIENT = Path(__file__).with_name("mavsdk_client.py")
LIMIT_S = 90.0


@pytest.fixture
def told(tmp_path: Path) -> dict[str, object]:
    """What the client saw on its flight."""
    pytest.importorskip("mavsdk", reason="MAVSDK is not installed")
    with running(tmp_path, "--speedup", str(SPEEDUP)) as fleet:
        finished = subprocess.run(
            [sys.executable, str(CLIENT), str(fleet.port())],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env=dict(os.environ, OMP_NUM_THREADS="1"),
        )
        assert finished.returncode == 0, finished.stderr
        last_line = finished.stdout.strip().splitlines()[-1]
        return dict(json.loads(last_line))


def test_mavsdk_connects_uploads_flies_and_lands(told: dict[str, object]) -> None:
    assert told["autopilot"] == "ARDUPILOT"
    assert told["read_back"] == told["uploaded"]  # item 0, home, left out
    assert told["rtl_alt_cm"] == 1800
    assert told["highest_m"] == pytest.approx(20.0, abs=0.7)
    assert told["reached"] == told["items"]
    assert told["landed"] is True
    assert told["from_home_m"] < 1.5  # type: ignore[operator]
