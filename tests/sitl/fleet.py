"""The real command in a process of its own, for clients that need sockets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_S = 60.0
START_WITH_CARD_S = 240.0
"""The world is built and its truth written before the ports open."""
STOP_S = 30.0


class Fleet:
    """A running `python -m sitl`, and what it says about itself."""

    def __init__(self, process: subprocess.Popen[bytes], facts: dict[str, Any]) -> None:
        self.process, self.facts = process, facts

    @property
    def links(self) -> list[str]:
        return [drone["link"] for drone in self.facts["drones"]]

    def port(self, number: int = 0) -> int:
        return int(self.links[number].rpartition(":")[2])

    def control(self, **command: Any) -> dict[str, Any]:
        """The control port's answer to one command."""
        _, host, port = self.facts["control"].split(":")
        with socket.create_connection((host, int(port)), 10.0) as link:
            link.sendall(json.dumps(command).encode() + b"\n")
            answer = json.loads(link.makefile().readline())
        assert isinstance(answer, dict)
        return answer

    def wait(self, done: Any, limit_s: float = 60.0, **command: Any) -> dict[str, Any]:
        """The first drone's state once something holds of it."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            drone = self.control(cmd="status")["drones"][0]
            if done(drone):
                return dict(drone)
            time.sleep(0.05)
        raise AssertionError(f"not within {limit_s} s: {drone}")

    def stop(self) -> int:
        """Ends it as an operator would; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


@contextlib.contextmanager
def running(tmp_path: Path, *options: str) -> Iterator[Fleet]:
    """The command with some options, ready to be connected to."""
    endpoints = tmp_path / "endpoints.json"
    environment = dict(os.environ, OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")
    command = [sys.executable, "-m", "sitl", "--endpoints", str(endpoints), *options]
    process = subprocess.Popen(command, env=environment)
    try:
        until = time.monotonic() + (START_WITH_CARD_S if "--card" in options else START_S)
        while not endpoints.exists():
            assert process.poll() is None, f"sitl ended with {process.returncode}"
            assert time.monotonic() < until, "sitl did not become ready"
            time.sleep(0.02)
        yield Fleet(process, json.loads(endpoints.read_text()))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
