"""The server as it is started: granian, one process, clear words when something is missing."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from droneteam import db, schema

START_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(data: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "droneteam", "serve", "--port", str(port)]
    environment = {**os.environ, "DRONETEAM_DATA": str(data), "DRONETEAM_SECRET": "s" * 40}
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running server on a new installation, and its port."""
    (tmp_path / "data").mkdir()
    engine = db.make_engine(f"sqlite:///{tmp_path / 'data' / 'droneteam.db'}")
    schema.upgrade(engine)
    engine.dispose()
    port = free_port()
    with start(tmp_path / "data", port) as process:
        try:
            wait_for(process, port)
            yield process, port
        finally:
            process.kill()
            process.communicate()


def wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer within {START_S:.0f} s")


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_server_answers_and_ends_when_told_to(
    served: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = served
    assert get(port, "/health") == (200, b'{"status":"ok"}\n')
    status, page = get(port, "/sign-in")
    assert status == 200
    assert b"<!doctype html>" in page
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert f"http://127.0.0.1:{port}/" in output


def test_a_database_that_was_not_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with start(tmp_path / "data", free_port()) as process:
        _, errors = process.communicate(timeout=START_S)
    assert process.returncode == 1
    assert "droneteam database upgrade" in errors
    assert "Traceback" not in errors
