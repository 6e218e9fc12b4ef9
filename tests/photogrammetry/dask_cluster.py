"""A real Dask scheduler and real worker processes on 127.0.0.1, started and ended by a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


@dataclass
class LocalCluster:
    """Its address, and its worker processes by name."""

    address: str
    folder: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_worker(self, name: str) -> None:
        """A worker of one thread without a nanny: it is one process, and killed it stays dead."""
        command = ["distributed.cli.dask_worker", self.address, "--no-nanny", "--nthreads", "1"]
        command += ["--host", "127.0.0.1", "--no-dashboard", "--name", name]
        command += ["--local-directory", str(self.folder)]
        self.workers[name] = _start(command)

    def end(self) -> None:
        for process in self.workers.values():
            process.kill()
            process.wait()


@contextmanager
def local_cluster(folder: Path, workers: int) -> Iterator[LocalCluster]:
    """A scheduler and so many workers; all ended on leaving."""
    contact = folder / "scheduler.json"
    command = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--no-show", "--scheduler-file", str(contact)]
    scheduler = _start(command)
    try:
        wait_for(contact.exists, "the scheduler")
        wait_for(lambda: bool(contact.read_text()), "the scheduler's address")
        cluster = LocalCluster(json.loads(contact.read_text())["address"], folder)
        for index in range(workers):
            cluster.start_worker(f"worker-{index}")
        try:
            yield cluster
        finally:
            cluster.end()
    finally:
        scheduler.kill()
        scheduler.wait()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE_S} s"
        time.sleep(0.05)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
