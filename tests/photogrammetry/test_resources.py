"""What work costs is measured on this process and on those below it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from droneteam.photogrammetry.resources import Meter, tree_memory_bytes

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112


def test_sleeping_costs_wall_time_and_no_cpu() -> None:
    with Meter() as meter:
        time.sleep(0.3)
    assert 0.3 <= meter.usage.wall_s < 3.0
    assert meter.usage.cpu_s < 0.2


def test_computing_costs_cpu_time() -> None:
    with Meter() as meter:
        start = time.process_time()
        while time.process_time() - start < 0.3:
            pass
    assert 0.29 <= meter.usage.cpu_s < 1.0


def test_a_childs_cpu_time_counts_once_it_is_waited_for() -> None:
    loop = "import time\nwhile time.process_time() < 0.5: pass"
    with Meter() as meter:
        subprocess.run([sys.executable, "-c", loop], check=True)
    assert 0.45 <= meter.usage.cpu_s < 3.0  # the system counts in hundredths of a second


def test_memory_that_was_freed_before_the_end_counts() -> None:
    before = tree_memory_bytes(os.getpid())
    with Meter() as meter:
        block = np.ones(30_000_000)
        time.sleep(1.0)  # several of the meter's periods, on a busy machine too
        del block
    assert meter.usage.peak_memory_bytes is not None
    assert meter.usage.peak_memory_bytes - before > 200e6


def test_a_childs_memory_counts() -> None:
    hold = "import time\nblock = b'x' * 300_000_000\ntime.sleep(1.0)"
    before = tree_memory_bytes(os.getpid())
    with Meter() as meter:
        subprocess.run([sys.executable, "-c", hold], check=True)
    assert meter.usage.peak_memory_bytes is not None
    assert meter.usage.peak_memory_bytes - before > 250e6


def test_a_process_that_has_ended_holds_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert tree_memory_bytes(child.pid) == 0
