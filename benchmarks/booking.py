"""Many bookings of the last free drone at once, over HTTP: ``python -m benchmarks.booking``.

Starts the real server on a database of its own (``--database postgresql://…`` for PostgreSQL, an
empty one), grounds all photogrammetry drones but one, submits as many requests for the same hour
as there are bookings, opens every connection, and then sends all bookings.  Prints the answers,
the time to the last of them and the database's own count of double bookings, which must be 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from droneteam import accounts, db, schema
from droneteam.accounts import SYSTEM, Actor
from droneteam.fleet import models
from droneteam.fleet import service as fleet
from droneteam.fleet.views import RequestDraft

PASSWORD = "only for this benchmark"
SECRET = "only for this benchmark " * 2
START_S = 120.0
ANSWER_S = 600.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the bookings; seconds from the first byte sent to each answer."""

    statuses: Counter[int]
    winners: int
    waits_s: tuple[float, ...]
    assignments: int
    double_bookings: int
    server_cpu_s: float


def prepare(url: str, bookings: int) -> list[int]:
    """The ids of requests that all want the one drone that is left, for the same hour."""
    engine = db.make_engine(url)
    schema.upgrade(engine)
    now = datetime.now(UTC)
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, now)
        accounts.add_user(
            session,
            accounts.NewUser("coordinator", "coordinator", "DRONE", ("coordinator",), PASSWORD),
        )
        zone = accounts.organisation_by_code(session, "5344").id
        able = [
            row
            for row in fleet.list_drones(session, SYSTEM, now)
            if "photogrammetry" in row.capabilities
        ]
        for drone in able[1:]:
            fleet.report_defect(session, SYSTEM, drone.id, "kept out of the benchmark", now)
        asker = Actor(0, zone, frozenset({"requester"}), "benchmark", "en")
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        start_at = noon + timedelta(days=1)  # in daylight at whatever hour this runs
        draft = RequestDraft(
            kind=fleet.RequestKind.PHOTOGRAMMETRY,
            title="Accident",
            priority="P2",
            start_at=start_at,
            end_at=start_at + timedelta(hours=1),
            lat_deg=50.8197,
            lon_deg=4.3908,
            polygon=(),
            legal_basis="benchmark",
            contact="benchmark",
        )
        ids = [
            fleet.submit_request(session, asker, replace(draft, title=f"Accident {n}"), now).id
            for n in range(bookings)
        ]
    engine.dispose()
    return ids


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port of a running server on the database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DRONETEAM_DATA": str(folder / "data"),
        "DRONETEAM_DATABASE": url,
        "DRONETEAM_SECRET": SECRET,
        "DRONETEAM_LOG": "WARNING",
    }
    command = [sys.executable, "-m", "droneteam", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(process, port)
            yield port, process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not answer within {START_S:.0f} s")


async def book_all(port: int, ids: list[int]) -> list[tuple[int, bytes, float]]:
    """(status, body, seconds) of each booking; all connections are open before the first."""
    token = json.loads(
        (await _send(port, "/api/v1/tokens", {"login": "coordinator", "password": PASSWORD}))[1]
    )["token"]
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in ids]
    started = time.perf_counter()

    async def book(number: int, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter]):  # type: ignore[no-untyped-def]
        status, body = await _exchange(pair, f"/api/v1/requests/{number}/book", b"", token)
        return status, body, time.perf_counter() - started

    tasks = (book(number, pair) for number, pair in zip(ids, opened, strict=True))
    return list(await asyncio.wait_for(asyncio.gather(*tasks), ANSWER_S))


async def _send(port: int, path: str, body: dict[str, str]) -> tuple[int, bytes]:
    pair = await asyncio.open_connection("127.0.0.1", port)
    return await _exchange(pair, path, json.dumps(body).encode(), "")


async def _exchange(
    pair: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, body: bytes, token: str
) -> tuple[int, bytes]:
    reader, writer = pair
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if token:
        head.append(f"Authorization: Bearer {token}")
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    status = int(answer.split(b" ", 2)[1])
    return status, answer.split(b"\r\n\r\n", 1)[1]


def judge(url: str) -> tuple[int, int]:
    """(assignments, pairs that share a drone or a pilot at one time), read from the database."""
    engine = db.make_engine(url)
    with db.read_scope(engine) as session:
        head = session.get_one(models.PlanHead, 1)
        rows = session.query(models.Assignment).filter_by(plan_id=head.plan_id).all()
        clashes = sum(
            (one.drone_id == other.drone_id or bool(set(one.crew_ids) & set(other.crew_ids)))
            and one.taken_at < other.free_at
            and other.taken_at < one.free_at
            for n, one in enumerate(rows)
            for other in rows[n + 1 :]
        )
    engine.dispose()
    return len(rows), clashes


def measure(url: str, bookings: int, folder: Path) -> Result:
    """One run on an empty database."""
    ids = prepare(url, bookings)
    with serving(url, folder) as (port, process):
        answers = asyncio.run(book_all(port, ids))
        cpu_s = _cpu_s(process.pid)
    assignments, double = judge(url)
    won = [
        body
        for status, body, _ in answers
        if status == 200 and json.loads(body)["assignment"] is not None
    ]
    return Result(
        statuses=Counter(status for status, _, _ in answers),
        winners=len(won),
        waits_s=tuple(sorted(wait for _, _, wait in answers)),
        assignments=assignments,
        double_bookings=double,
        server_cpu_s=cpu_s,
    )


def _cpu_s(pid: int) -> float:
    """User and system seconds of the process and its children so far (Linux)."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended meanwhile
        if pid in (int(path.parent.name), int(fields[1])):
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bookings", type=int, default=1000)
    parser.add_argument("--database", help="an empty PostgreSQL database; SQLite by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        url = asked.database or f"sqlite:///{folder / 'booking.db'}"
        found = measure(url, asked.bookings, folder)
    waits = found.waits_s
    print(f"{asked.bookings} bookings at once on {url.split(':', 1)[0]}")
    print(
        f"answers {dict(found.statuses)}, winners {found.winners}, "
        f"assignments {found.assignments}, double bookings {found.double_bookings}"
    )
    print(
        f"median {waits[len(waits) // 2]:.2f} s, p95 {waits[int(0.95 * len(waits))]:.2f} s, "
        f"last {waits[-1]:.2f} s; server CPU {found.server_cpu_s:.1f} s"
    )


if __name__ == "__main__":
    main()
