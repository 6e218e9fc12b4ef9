"""The live feed with many listeners: how late an event comes, and what other requests feel of it.

The server runs as it does in service (`droneteam serve`, a process of its own) on a database of its
own.  Once a second a writer, another process, commits new places of every track; the time of the
commit travels in the track's name.  The listeners are raw sockets in this process: they read the
stream, find the stamp, and take the difference.  Beside them one client asks for pages that answer
fast (the health page, an alert) and takes the time.

    python -m benchmarks.live_feed [--clients 300] [--objects 200] [--seconds 20]
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import insert, update

from droneteam import accounts, db, schema
from droneteam.accounts import NewUser, OrganisationKind
from droneteam.detection.models import TrackRow
from droneteam.settings import Settings

PASSWORD = "a long password"
SECRET = "for the benchmark only, " * 2
PATIENCE_S = 60.0
WARM_UP_S = 3.0
ASK_EVERY_S = 0.2
QUIET = 0.1
"""CPU seconds in a second of a server that does nothing."""
_STAMP = re.compile(rb'"label":"at (\d+\.\d+)"')


@dataclass(frozen=True, slots=True)
class Load:
    """How many listen, to how many objects, for how long."""

    clients: int
    objects: int
    seconds: float


def fill(engine_url: str, objects: int) -> None:
    """Tracks that the writer moves."""
    engine = db.make_engine(engine_url)
    now = datetime.now(UTC)
    rows = [
        {
            "id": n + 1,
            "uas_id": f"BENCH{n:06d}",
            "transmitters": [f"02:{n:04x}"],
            "receivers": ["roof"],
            "status": 2,
            "lat_deg": 50.8 + n * 1e-4,
            "lon_deg": 4.3,
            "speed_mps": 8.0,
            "course_deg": 90.0,
            "sigma_m": 3.0,
            "ellipse": [9.0, 6.0, 40],
            "height_m": 60.0,
            "height_reference": 0,
            "started_at": now,
            "last_at": now,
            "flags": [],
            "match_kind": "registered",
            "match_subject": "at 0.0",
            "match_evidence": [],
        }
        for n in range(objects)
    ]
    with db.session_scope(engine) as session:
        session.execute(insert(TrackRow), rows)
    engine.dispose()


def write(engine_url: str, load: Load) -> None:
    """Every second all tracks move in one commit, which is stamped just before it."""
    engine = db.make_engine(engine_url)
    start_s = time.monotonic()
    for beat in range(1, round(load.seconds + WARM_UP_S) + 1):
        time.sleep(max(0.0, start_s + beat - time.monotonic()))
        with db.session_scope(engine) as session:
            moved = TrackRow.lon_deg + 8.0 / 70_300.0
            session.execute(update(TrackRow).values(lon_deg=moved, last_at=datetime.now(UTC)))
            session.execute(update(TrackRow).values(match_subject=f"at {time.time():.6f}"))
    engine.dispose()


@contextmanager
def served(folder: Path, objects: int) -> Iterator[tuple[Settings, subprocess.Popen[bytes], str]]:
    """A server on a filled database, and a coordinator's token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"sqlite:///{folder / 'sky.db'}"
    engine = db.make_engine(url)
    schema.create_all(engine)
    settings = Settings(folder / "data", url, SECRET, host="127.0.0.1", port=port)
    with db.session_scope(engine) as session:
        accounts.add_organisation(
            session, code="TEAM", kind=OrganisationKind.DRONE_TEAM, names=("t", "t", "t")
        )
        new = NewUser("c", "coordinator", "TEAM", ("coordinator",), PASSWORD)
        accounts.add_user(session, new)
    fill(url, objects)
    environment = {
        **os.environ,
        "DRONETEAM_DATABASE": url,
        "DRONETEAM_DATA": str(settings.data_dir),
        "DRONETEAM_SECRET": SECRET,
        "DRONETEAM_LOG": "WARNING",
    }
    command = [sys.executable, "-m", "droneteam", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield settings, server, token_of(port)
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)


def wait_for(port: int) -> None:
    """Returns once the server answers."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        try:
            ask(port, "/health", "")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not answer")


def ask(port: int, path: str, token: str) -> float:
    """Seconds until a request was answered in full."""
    began_s = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}")
    return time.perf_counter() - began_s


def wait_until_quiet(pid: int) -> None:
    """Returns once the server has loaded what it loads after its start."""
    deadline_s = time.monotonic() + PATIENCE_S
    before_s = cpu_of(pid)
    while time.monotonic() < deadline_s:
        time.sleep(1.0)
        used_s, before_s = cpu_of(pid) - before_s, cpu_of(pid)
        if used_s < QUIET:
            return
    raise SystemExit("the server does not come to rest")


class Listeners:
    """Many streams in one thread; each event's lateness, by its stamp."""

    def __init__(self, port: int, token: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._pieces: dict[socket.socket, list[tuple[float, bytes]]] = {}
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", port))
            head = f"GET /api/v1/live/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}"
            stream.sendall(f"{head}\r\n\r\n".encode())
            stream.setblocking(False)
            self._pieces[stream] = []
            self._selector.register(stream, selectors.EVENT_READ)

    def listen(self, until_s: float) -> None:
        """Read until a moment of the monotonic clock."""
        while (left_s := until_s - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left_s, 0.05)):
                self._read(key.fileobj)  # type: ignore[arg-type]

    def _read(self, stream: socket.socket) -> None:
        data = stream.recv(1 << 20)
        if not data:
            raise SystemExit("a stream ended")
        self._pieces[stream].append((time.time(), data))

    def late_s(self) -> dict[float, list[float]]:
        """By stamp, how late the end of its event came at each listener.

        Taken apart afterwards: 300 listeners share one thread here, and each would else count
        what it takes to read the others' events.
        """
        found: dict[float, list[float]] = {}
        for pieces in self._pieces.values():
            text = b""
            for at_s, data in pieces:
                text += data
                # A change's stamp is the same on all its rows: the last one tells that it is whole.
                end = text.rfind(b"\n\n")
                if end >= 0:
                    for stamp in set(_STAMP.findall(text[:end])):
                        found.setdefault(float(stamp), []).append(at_s - float(stamp))
                    text = text[end:]
        return found

    def forget(self) -> None:
        """What has come so far does not count."""
        for pieces in self._pieces.values():
            pieces.clear()

    def close(self) -> None:
        """End every stream."""
        for stream in self._pieces:
            stream.close()


def ask_often(port: int, token: str, seconds: float, results: multiprocessing.Queue[float]) -> None:
    """The other requests, one at a time."""
    end_s = time.monotonic() + seconds
    paths = ("/health", "/api/v1/receivers", "/api/v1/alerts")
    turn = 0
    while time.monotonic() < end_s:
        results.put(ask(port, paths[turn % len(paths)], token))
        turn += 1
        time.sleep(ASK_EVERY_S)


def measure(load: Load) -> dict[str, float]:
    """Lateness of events and of other requests, in milliseconds; CPU of the server in seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), load.objects) as (settings, server, token),
    ):
        wait_until_quiet(server.pid)
        listeners = Listeners(settings.port, token, load.clients)
        answers: multiprocessing.Queue[float] = multiprocessing.Queue()
        listeners.listen(time.monotonic() + WARM_UP_S)
        listeners.forget()
        writer = multiprocessing.Process(target=write, args=(settings.database_url, load))
        asker = multiprocessing.Process(
            target=ask_often, args=(settings.port, token, load.seconds, answers)
        )
        before_s = cpu_of(server.pid)
        writer.start()
        asker.start()
        listeners.listen(time.monotonic() + load.seconds + WARM_UP_S)
        used_s = cpu_of(server.pid) - before_s
        asked = [answers.get() for _ in range(answers.qsize())]
        writer.join()
        asker.join()
        listeners.close()
    whole = {at: late for at, late in listeners.late_s().items() if len(late) >= load.clients}
    late_ms = 1000.0 * np.array([one for late in whole.values() for one in late])
    spread_ms = 1000.0 * np.array([max(late) - min(late) for late in whole.values()])
    asked_ms = 1000.0 * np.array(asked)
    return {
        "changes that reached all": float(len(whole)),
        "event median": float(np.median(late_ms)),
        "event p99": float(np.percentile(late_ms, 99)),
        "first to last listener, p99": float(np.percentile(spread_ms, 99)),
        "other request median": float(np.median(asked_ms)),
        "other request p99": float(np.percentile(asked_ms, 99)),
        "server CPU s per s": used_s / (load.seconds + WARM_UP_S),
    }


def cpu_of(pid: int) -> float:
    """CPU seconds that a process and its children have used."""
    total = 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def token_of(port: int) -> str:
    """A bearer token of the only user."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    said = json.dumps({"login": "c", "password": PASSWORD})
    connection.request("POST", "/api/v1/tokens", said, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return str(answer["token"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    print(f"{args.clients} listeners, {args.objects} objects at 1 Hz")
    for name, value in measure(Load(args.clients, args.objects, args.seconds)).items():
        print(f"  {name:30} {value:9.2f}")


if __name__ == "__main__":
    main()
