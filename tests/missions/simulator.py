"""The embedded simulator as a process of its own: the other end of a real link."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_LIMIT_S = 60.0


@dataclass(frozen=True)
class Simulator:
    """Links to its vehicles, and the hand of the world."""

    links: tuple[str, ...]
    control: tuple[str, int]
    shots_path: Path

    def tell(self, **command: Any) -> dict[str, Any]:
        """The simulator's answer to a command of its control port."""
        return tell(self.control, **command)

    def shots(self) -> list[dict[str, Any]]:
        """True poses of the photos taken so far."""
        return [json.loads(line) for line in self.shots_path.read_text().splitlines()]


def tell(control: tuple[str, int], **command: Any) -> dict[str, Any]:
    """The answer of a simulator's control port to a command."""
    with socket.create_connection(control, timeout=60.0) as connection:
        connection.sendall(json.dumps(command).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
    assert answer["ok"], answer
    return answer


@contextlib.contextmanager
def simulator(
    folder: Path, *options: str, drones: int = 1, speedup: float = 20.0
) -> Iterator[Simulator]:
    """A running simulator of some drones at the accident's place."""
    endpoints, shots = folder / "endpoints.json", folder / "shots.jsonl"
    command = [sys.executable, "-m", "sitl", "--drones", str(drones), "--speedup", str(speedup)]
    command += ["--endpoints", str(endpoints), "--shots", str(shots), *options]
    with (folder / "sitl.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            deadline = time.monotonic() + START_LIMIT_S
            while not endpoints.exists():
                assert process.poll() is None, (folder / "sitl.log").read_text()
                assert time.monotonic() < deadline, "the simulator does not start"
                time.sleep(0.05)
            document = json.loads(endpoints.read_text())
            _, host, port = document["control"].split(":")
            yield Simulator(
                tuple(drone["link"] for drone in document["drones"]), (host, int(port)), shots
            )
        finally:
            process.terminate()
            process.wait(timeout=60)
