"""What work costs: wall time, CPU time with children, peak memory of the process tree."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_PROC = Path("/proc")
SAMPLE_PERIOD_S = 0.25


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of a finished piece of work.

    cpu_s : user and system time of this process and of the children it has waited for.
    peak_memory_bytes : highest resident memory of this process and all below it, sampled four
    times a second; None where the system has no /proc.
    """

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int | None


class Meter:
    """Measures what runs inside its `with` block."""

    def __init__(self) -> None:
        self.usage = Usage(0.0, 0.0, None)
        self._stop = threading.Event()
        self._peak_bytes = 0
        self._thread = threading.Thread(target=self._sample, name="memory-meter", daemon=True)

    def __enter__(self) -> Meter:
        _reset_peak()
        self._wall_s, self._cpu_s = time.perf_counter(), _cpu_s()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        peak = max(self._peak_bytes, _own_peak_bytes())
        self.usage = Usage(
            wall_s=round(time.perf_counter() - self._wall_s, 3),
            cpu_s=round(_cpu_s() - self._cpu_s, 3),
            peak_memory_bytes=peak or None,
        )

    def _sample(self) -> None:
        while True:
            self._peak_bytes = max(self._peak_bytes, tree_memory_bytes(os.getpid()))
            if self._stop.wait(SAMPLE_PERIOD_S):
                return


def tree_memory_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants; 0 where there is no /proc.

    Pages that processes share count once for each of them, so the sum errs upwards.
    """
    pids, total = [pid], 0
    while pids:
        current = pids.pop()
        total += _status_bytes(current, "VmRSS:")
        pids.extend(_children(current))
    return total


def available_memory_bytes() -> int | None:
    """Memory that can be taken without swapping; None where the system does not say."""
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return None
    name = "MemAvailable:"
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:  # the process, or one of its threads, ended meanwhile
        return found
    return found


def _status_bytes(pid: int, field: str) -> int:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def _own_peak_bytes() -> int:
    return _status_bytes(os.getpid(), "VmHWM:")


def _reset_peak() -> None:
    """Make VmHWM start again from the present (proc(5), clear_refs 5); best effort."""
    try:
        (_PROC / "self" / "clear_refs").write_text("5")
    except OSError:
        return
