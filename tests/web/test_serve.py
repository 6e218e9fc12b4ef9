"""The server as it is started: granian, one process, clear words when something is missing."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from droneteam import accounts, db, schema, web
from droneteam.accounts import NewUser, OrganisationKind
from droneteam.commands.serve import require_free
from droneteam.errors import SetupError

START_S = 180.0
PASSWORD = "a long password"


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
            process.terminate()
            process.communicate(timeout=60)


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


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def listening(data: Path, port: int) -> Iterator[socket.socket]:
    """An open event stream of a coordinator."""
    engine = db.make_engine(f"sqlite:///{data / 'droneteam.db'}")
    with db.session_scope(engine) as session:
        kind = OrganisationKind.DRONE_TEAM
        accounts.add_organisation(session, code="TEAM", kind=kind, names=("t", "t", "t"))
        accounts.add_user(session, NewUser("c", "coordinator", "TEAM", ("coordinator",), PASSWORD))
    engine.dispose()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    said = json.dumps({"login": "c", "password": PASSWORD})
    connection.request("POST", "/api/v1/tokens", said, {"Content-Type": "application/json"})
    token = json.loads(connection.getresponse().read())["token"]
    connection.close()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as stream:
        head = f"GET /api/v1/live/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}"
        stream.sendall(f"{head}\r\n\r\n".encode())
        yield stream


def read_until(stream: socket.socket, end: bytes) -> bytes:
    found = b""
    while end not in found:
        data = stream.recv(65_536)
        assert data, found
        found += data
    return found


def test_the_server_answers_and_ends_when_told_to(
    served: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    process, port = served
    assert get(port, "/health") == (200, b'{"status":"ok"}\n')
    status, page = get(port, "/sign-in")
    assert status == 200
    assert b"<!doctype html>" in page
    # What the door adds to WSGI, over the wire: a part of a file, and a stream on the loop.
    sheet = (Path(web.__file__).parent / "static" / "droneteam.css").read_bytes()
    part = get(port, "/static/droneteam.css", {"Range": "bytes=100-299"})
    assert part == (206, sheet[100:300])
    with listening(tmp_path / "data", port) as stream:
        assert b"event: snapshot" in read_until(stream, b"event: snapshot")
        process.send_signal(signal.SIGTERM)  # a listener does not keep the server
        process.wait(timeout=120)
    output, _ = process.communicate(timeout=120)
    assert f"http://127.0.0.1:{port}/" in output


def test_no_process_goes_on_serving_after_its_server_was_killed(
    served: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = served
    assert get(port, "/health")[0] == 200
    process.kill()
    process.communicate(timeout=60)  # ends when the last process that writes there has ended
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_database_that_was_not_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with start(tmp_path / "data", free_port()) as process:
        _, errors = process.communicate(timeout=START_S)
    assert process.returncode == 1
    assert "droneteam database upgrade" in errors
    assert "Traceback" not in errors


def test_a_port_that_another_server_shares_is_refused() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as granian opens its door
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=rf"port {port}: something listens there already"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_this_machines_is_named(host: str) -> None:
    with pytest.raises(SetupError, match=re.escape(host)):
        require_free(host, free_port())
