"""50 people at work at a time, over HTTP, after a year of it: ``python -m benchmarks.mixed_load``.

Starts the real server on a database of a whole year (`benchmarks/year_site.py`), signs every client
in as somebody of the team or a zone, and lets each do what its role does: pages, API calls and now
and then a form, with a pause between two answers that is drawn from an exponential distribution
(``--think``, seconds on average).  The clients live in this process, the server in its own: the
table gives the CPU seconds of both.  What an answer took is counted from before the request is
sent to its last byte.  Every answer must be the one that was expected; the exit status is 1 when
one was not.  ``--think 0`` sends the next request at once and shows how many the server can take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.booking import SECRET, serving
from benchmarks.live_feed import cpu_of, wait_for, wait_until_quiet
from benchmarks.year_site import MISSIONS, filled_site
from droneteam import db
from droneteam.settings import Settings
from droneteam.web.app import create_app
from tests.web.conftest import Clock, Site

WARM_UP_S = 5.0
ANSWER_S = 30.0
DOES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "requester": (
        ("/requests/", 4),
        ("/requests/new", 3),
        ("answer", 8),
        ("submit", 1),
        ("own request", 4),
        ("/agreement/", 1),
        ("/scenes/", 1),
        ("/cases/", 1),
        ("/calendars/", 1),
        ("/api/v1/requests/", 1),
    ),
    "coordinator": (
        ("/board/", 6),
        ("/requests/", 2),
        ("/requests/{request}", 3),
        ("/missions/", 2),
        ("/live/state.json", 6),
        ("/alerts/", 1),
        ("/registry/", 1),
        ("/what-if/", 1),
        ("/api/v1/plans/current", 2),
        ("/api/v1/requests/", 1),
    ),
    "pilot": (
        ("/missions/", 3),
        ("/missions/{mission}", 3),
        ("/missions/1/field", 2),
        ("/missions/1/field/log.json", 4),
        ("/live/state.json", 4),
        ("/sorties/{sortie}", 1),
        ("/registry/drones", 1),
        ("/api/v1/missions", 1),
    ),
    "investigator": (
        ("/scenes/", 2),
        ("/scenes/{scene}", 4),
        ("/cases/", 2),
        ("/cases/{case}", 3),
        ("/live/history/", 1),
        ("/api/v1/scenes/{scene}", 2),
        ("/api/v1/cases", 1),
    ),
    "manager": (
        ("/statistics/", 2),
        ("/statistics/{year}/map", 1),
        ("/agreement/", 2),
        ("/board/", 2),
        ("/requests/", 2),
        ("/api/v1/figures", 1),
    ),
    "auditor": (
        ("/audit/", 3),
        ("/audit/?action=request", 2),
        ("/records/request/{request}", 2),
        ("/requests/{request}", 1),
        ("/api/v1/audit", 2),
    ),
    "administrator": (
        ("/people/", 2),
        ("/organisations/", 1),
        ("/operations/", 2),
        ("/geozones/", 1),
        ("/webhooks/", 1),
        ("/privacy/", 1),
    ),
}
"""What each role does, and how often for each other thing."""
EXPECTED = {"submit": 201}
_HREF = re.compile(rb'href="/requests/(\d+)"')


@dataclass(slots=True)
class Client:
    """Somebody with a browser: a session's cookie and one connection that stays open."""

    role: str
    port: int
    cookie: str
    token: str
    chance: random.Random
    own: Sequence[int] = ()
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and body of an answer; what is sent goes to the API with a token."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert self.reader is not None
        api = method == "POST"
        who = f"Authorization: Bearer {self.token}" if api else f"Cookie: {self.cookie}"
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", who]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()
        return await asyncio.wait_for(self._answer(), ANSWER_S)

    async def _answer(self) -> tuple[int, bytes]:
        assert self.reader is not None
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if (length := re.search(rb"content-length: (\d+)", head)) is not None:
            return status, await self.reader.readexactly(int(length[1]))
        raise RuntimeError(f"an answer without a length: {head!r}")

    def choose(self) -> str:
        """What the person does next."""
        names, weights = zip(*DOES[self.role], strict=True)
        return str(self.chance.choices(names, weights)[0])

    async def do(self, what: str) -> tuple[int, bytes]:
        """One request of that kind."""
        if what == "answer":
            return await self.ask("POST", "/api/v1/requests/answer", self._draft())
        if what == "submit":
            return await self.ask("POST", "/api/v1/requests/", self._draft())
        if what == "own request":
            number = self.chance.choice(self.own)
            return await self.ask("GET", f"/requests/{number}")
        path = what.format(
            request=self.chance.randrange(1, MISSIONS),
            mission=self.chance.randrange(1, 4 + MISSIONS // 2),
            sortie=self.chance.randrange(1, MISSIONS // 2),
            scene=self.chance.randrange(1, 20),
            case=self.chance.randrange(1, 20),
            year=datetime.now(UTC).year,
        )
        return await self.ask("GET", path)

    def _draft(self) -> bytes:
        at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        start_at = at + timedelta(days=self.chance.randrange(2, 20))
        draft = {
            "kind": self.chance.choice(["event", "photogrammetry", "reconnaissance"]),
            "title": "asked under load",
            "priority": self.chance.choice(["P2", "P3", "P4"]),
            "start_at": start_at.isoformat(),
            "end_at": (start_at + timedelta(hours=2)).isoformat(),
            "lat_deg": 50.8197,
            "lon_deg": 4.3908,
            "legal_basis": "benchmark",
            "contact": "benchmark",
        }
        return json.dumps(draft).encode()


@dataclass(slots=True)
class Seen:
    """What came of the requests: seconds by what was asked, and what was not as it should be."""

    took_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)


async def work(client: Client, seen: Seen, think_s: float, from_s: float, until_s: float) -> None:
    """One person's requests, one after the other; those before from_s do not count."""
    await asyncio.sleep(client.chance.uniform(0.0, max(think_s, 0.1)))
    while time.perf_counter() < until_s:
        what, began_s = client.choose(), time.perf_counter()
        try:
            status, body = await client.do(what)
        except (OSError, RuntimeError, EOFError, TimeoutError) as error:
            seen.wrong.append(f"{client.role} {what}: {error!r}")
            return
        if status != EXPECTED.get(what, 200):
            seen.wrong.append(f"{client.role} {what}: {status} {body[:200]!r}")
        elif began_s >= from_s:
            seen.took_s[what].append(time.perf_counter() - began_s)
        if think_s > 0:
            await asyncio.sleep(client.chance.expovariate(1 / think_s))


async def run(clients: Sequence[Client], think_s: float, seconds: float) -> Seen:
    """Everybody at work for that long, after a time that does not count."""
    seen, now_s = Seen(), time.perf_counter()
    from_s = now_s + WARM_UP_S
    for client in clients:
        if client.role == "requester":
            _status, page = await client.ask("GET", "/requests/")
            client.own = [int(number) for number in _HREF.findall(page)]
    await asyncio.gather(
        *(work(client, seen, think_s, from_s, from_s + seconds) for client in clients)
    )
    return seen


def signed_in(site: Site, logins: Sequence[str], port: int, seed: int) -> list[Client]:
    """A client for each login, with a session as the server signs it."""
    clients = []
    for number, login in enumerate(logins):
        browser = site.client(login)
        with browser.session_transaction() as kept:
            token = str(kept["key"])
        value = browser.get_cookie("droneteam")
        assert value is not None
        role = login.split("-")[0]
        chance = random.Random(f"{seed}:{number}")
        clients.append(Client(role, port, f"droneteam={value.value}; language=fr", token, chance))
    return clients


def report(seen: Seen) -> float:
    """Prints a row for each kind of request, the slowest first; the p95 of all in ms."""
    every = [1000.0 * one for took in seen.took_s.values() for one in took]
    print(f"{'what':36s}{'requests':>9s}{'median':>9s}{'p95':>9s}{'p99':>9s}  ms")
    rows = [(what, 1000.0 * np.array(took)) for what, took in seen.took_s.items()]
    for what, took_ms in sorted(rows, key=lambda row: -float(np.percentile(row[1], 95))):
        _row(what, took_ms)
    _row("all", np.array(every))
    return float(np.percentile(every, 95))


def _row(what: str, took_ms: np.ndarray) -> None:
    median, p95, p99 = np.percentile(took_ms, [50, 95, 99])
    print(f"{what:36s}{len(took_ms):9d}{median:9.1f}{p95:9.1f}{p99:9.1f}")


def measure(site: Site, logins: Sequence[str], folder: Path, asked: argparse.Namespace) -> int:
    """One run; the exit status."""
    url = site.settings.database_url
    with serving(url, folder) as (port, process):
        wait_for(port)
        wait_until_quiet(process.pid)
        clients = signed_in(site, logins, port, asked.seed)
        server_s, own_s, wall_s = cpu_of(process.pid), time.process_time(), time.perf_counter()
        seen = asyncio.run(run(clients, asked.think, asked.seconds))
        wall_s = time.perf_counter() - wall_s
        server_s, own_s = cpu_of(process.pid) - server_s, time.process_time() - own_s
    p95_ms = report(seen)
    count = sum(map(len, seen.took_s.values()))
    print(
        f"{len(clients)} clients, pause {asked.think} s: {count / asked.seconds:.1f} requests/s, "
        f"p95 {p95_ms:.1f} ms, {len(seen.wrong)} errors; in {wall_s:.0f} s of wall the server "
        f"used {server_s:.1f} CPU s, the clients {own_s:.1f}, load {os.getloadavg()[0]:.1f}"
    )
    print("\n".join(seen.wrong[:10]))
    return 1 if seen.wrong else 0


def prepared(kept: Path | None, folder: Path, clients: int) -> tuple[Site, tuple[str, ...]]:
    """The year's database in the folder: copied from where it was kept, else made."""
    url, names = f"sqlite:///{folder / 'year.db'}", folder / "logins.json"
    if kept is not None and (kept / names.name).exists():
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        settings = Settings(data_dir=folder / "data", database_url=url, secret_key=SECRET)
        engine = db.make_engine(url)
        site = Site(create_app(settings, engine), engine, settings, Clock(datetime.now(UTC)))
        return site, tuple(json.loads(names.read_text()))[:clients]
    filled = filled_site(folder, url, clients)
    names.write_text(json.dumps(filled.logins))
    filled.site.engine.dispose()  # the last connection writes the log back into the one file
    if kept is not None:
        shutil.copytree(folder, kept, dirs_exist_ok=True)
    return filled.site, filled.logins


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--think", type=float, default=5.0, help="seconds between two requests")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder that keeps the database for later runs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        site, logins = prepared(asked.keep, Path(name), asked.clients)
        return measure(site, logins, Path(name), asked)


if __name__ == "__main__":
    sys.exit(main())
