"""Network Remote ID: a display provider of ASTM F3411-22a, for the watch and for nobody else.

The discovery service names the service providers in the area; each is asked once a second for the
flights in every view, and once per flight, and now and then again, for its details.  A provider
that is slow or down has a row and a backoff of its own, and delays no other.  Positions that reach
us later than the standard's 60 s are named and left out: they say where a drone was.

What is shown goes to the roles that see broadcasts, so the standard's clustering for the public
does not apply; its retention (24 h) does, and is `retention`'s.
"""

from __future__ import annotations

import random
import threading
import time
import urllib.parse
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from droneteam.detection.feeds import Backoff, Outlet
from droneteam.detection.sources import netrid_messages
from droneteam.detection.sources.https import Client
from droneteam.detection.sources.netrid_area import View, views
from droneteam.detection.sources.netrid_dss import Asker, Discovery
from droneteam.detection.sources.netrid_notify import Door, Notices
from droneteam.detection.sources.netrid_types import (
    Details,
    Flight,
    Flights,
    read_details,
    read_flights,
)
from droneteam.detection.sources.oauth import Credentials, Tokens
from droneteam.errors import DroneteamError, InputError

WORKERS = 8
TICK_S = 0.1
LATE = timedelta(seconds=60)
"""F3411-22a, NetMaxNearRealTimeDataPeriod."""
RECENT_S = 5
"""How much of the way between two polls is asked for."""
DETAILS_FOR_S = 30.0
"""How long details hold: an operator walks."""
MAX_DETAILS = 20
"""New details per provider and poll."""
FORGET_S = 120.0
SEARCH_WITH_NOTICES_S = 300.0


@dataclass(frozen=True, slots=True)
class NetworkRemoteId:
    """Where flights are asked for, and how.

    poll_s : between two questions to a provider; search_s : to the discovery service. door :
    where providers tell us of changes, None for asking alone.
    """

    dss_url: str
    area: View
    credentials: Credentials
    poll_s: float = 1.0
    search_s: float = 15.0
    allow_http: bool = False
    ca_file: Path | None = None
    door: Door | None = None
    kind: str = "network"

    def __post_init__(self) -> None:
        Client(self.allow_http).check(self.dss_url)
        Client(self.allow_http).check(self.credentials.token_url)
        views(self.area)
        # F3411-22a: a provider refreshes once a second, and no faster.
        if not 1.0 <= self.poll_s <= 60.0:
            raise InputError(f"poll_s {self.poll_s} outside [1, 60]", field="poll_s")
        if not 5.0 <= self.search_s <= 3600.0:
            raise InputError(f"search_s {self.search_s} outside [5, 3600]", field="search_s")

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Ask until `stop` is set; LinkError when the discovery service does not answer."""
        client = Client(self.allow_http, self.ca_file)
        asker = Asker(client, Tokens(self.credentials, client, time.monotonic))
        callback = "" if self.door is None else self.door.base_url
        discovery = Discovery(self.dss_url.rstrip("/"), self.area, asker, callback)
        notices = Notices(self.door)
        with notices.open(), ThreadPoolExecutor(WORKERS, "network-rid") as workers:
            session = _Session(self, outlet, asker, discovery, notices, workers)
            try:
                session.run(stop)
            finally:
                session.end()


@dataclass(slots=True)
class _Seen:
    """What we know of one flight."""

    at: datetime | None = None
    details: Details | None = None
    details_s: float = -DETAILS_FOR_S
    seen_s: float = 0.0


@dataclass(slots=True)
class _Provider:
    """One service provider, and the question that it is being asked."""

    url: str
    name: str
    question: Future[_Answer] | None = None
    due_s: float = 0.0
    failures: int = 0
    seen: dict[str, _Seen] = field(default_factory=dict)
    empty: frozenset[View] = frozenset()
    """Views that it said it has no service areas in."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a provider answered: per view, and the details that were missing."""

    flights: tuple[tuple[View, Flights], ...]
    details: dict[str, Details]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Session:
    settings: NetworkRemoteId
    outlet: Outlet
    asker: Asker
    discovery: Discovery
    notices: Notices
    workers: ThreadPoolExecutor
    views: tuple[View, ...] = field(init=False)
    providers: dict[str, _Provider] = field(default_factory=dict)
    search_due_s: float = 0.0
    failures: int = 0
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        self.views = views(self.settings.area)

    def run(self, stop: threading.Event) -> None:
        self._discover()
        self.outlet.connected()
        while not stop.is_set():
            self._listen()
            if time.monotonic() >= self.search_due_s:
                self._discover_again()
            self.discovery.expire(datetime.now(UTC))
            self._match_providers()
            for provider in list(self.providers.values()):
                self._tend(provider)
            stop.wait(TICK_S)

    def end(self) -> None:
        """Leave nothing behind at the discovery service."""
        self.workers.shutdown(wait=False, cancel_futures=True)
        try:
            self.discovery.drop_subscription()
        except (OSError, DroneteamError) as error:
            self.outlet.refuse(f"the subscription could not be deleted: {error}")

    def _discover(self) -> None:
        now = datetime.now(UTC)
        subscribed = self.discovery.keep_subscription(now)
        if not subscribed:
            self.discovery.search(now)
        problems, self.discovery.problems = self.discovery.problems, []
        for problem in problems:
            self.outlet.refuse(problem)
        for provider in self.providers.values():
            provider.empty = frozenset()
        every_s = self.settings.search_s
        if self.settings.door is not None:
            every_s = max(every_s, SEARCH_WITH_NOTICES_S)
        self.search_due_s = time.monotonic() + every_s

    def _discover_again(self) -> None:
        """Known providers are asked on while the discovery service is down."""
        try:
            self._discover()
        except (OSError, DroneteamError) as error:
            self.failures += 1
            delay_s = self.backoff.delay_s(self.failures, random.random())
            self.search_due_s = time.monotonic() + delay_s
            self.outlet.complain(f"the discovery service: {error}")
        else:
            self.failures = 0
            self.outlet.alive()

    def _listen(self) -> None:
        if not self.failures:
            self.outlet.alive()
        for area_id, content in self.notices.taken():
            try:
                in_order = self.discovery.told(area_id, content)
            except DroneteamError as error:
                self.outlet.refuse(error)
                continue
            provider = self.providers.get(self._url_of(area_id))
            if provider is not None:
                provider.empty = frozenset()
            if not in_order:
                self.search_due_s = 0.0

    def _url_of(self, area_id: str) -> str:
        area = self.discovery.areas.get(area_id)
        return "" if area is None else area.uss_url

    def _match_providers(self) -> None:
        urls = {area.uss_url for area in self.discovery.areas.values()}
        for url in urls - self.providers.keys():
            parts = urllib.parse.urlsplit(url)
            name = f"{self.outlet.name}/{parts.netloc}{parts.path}"[:80]
            self.providers[url] = _Provider(url, name)
        for url in self.providers.keys() - urls:
            if self.providers[url].question is None:
                self.outlet.leave(self.providers.pop(url).name)

    def _tend(self, provider: _Provider) -> None:
        """Ask a provider when it is due, and take its answer when there is one."""
        now_s = time.monotonic()
        if provider.question is None:
            asked = tuple(view for view in self.views if view not in provider.empty)
            if not asked:
                self.outlet.alive(provider.name)  # it answered that it serves nothing here
            elif now_s >= provider.due_s:
                provider.due_s = now_s + self.settings.poll_s
                known = {
                    name
                    for name, seen in provider.seen.items()
                    if now_s - seen.details_s < DETAILS_FOR_S
                }
                provider.question = self.workers.submit(
                    _fetch, self.asker, provider.url, asked, known
                )
        elif provider.question.done():
            question, provider.question = provider.question, None
            self._take(provider, question)

    def _take(self, provider: _Provider, question: Future[_Answer]) -> None:
        try:
            answer = question.result()
        except (OSError, DroneteamError) as error:
            provider.failures += 1
            provider.due_s = time.monotonic() + self.backoff.delay_s(
                provider.failures, random.random()
            )
            self.outlet.complain(str(error), provider.name)
            return
        provider.failures = 0
        self.outlet.alive(provider.name)
        for problem in answer.problems:
            self.outlet.refuse(f"{provider.name}: {problem}")
        now_s = time.monotonic()
        for name, details in answer.details.items():
            seen = provider.seen.setdefault(name, _Seen())
            seen.details, seen.details_s = details, now_s
        for _, flights in answer.flights:
            for flight in flights.flights:
                self._flight(provider, flight, now_s)
        self._forget(provider, answer, now_s)

    def _forget(self, provider: _Provider, answer: _Answer, now_s: float) -> None:
        provider.empty |= {view for view, flights in answer.flights if not flights.served_here}
        provider.seen = {
            name: seen for name, seen in provider.seen.items() if now_s - seen.seen_s < FORGET_S
        }

    def _flight(self, provider: _Provider, flight: Flight, now_s: float) -> None:
        if flight.simulated or flight.state is None:
            return
        seen = provider.seen.setdefault(flight.id, _Seen())
        seen.seen_s = now_s
        late = datetime.now(UTC) - flight.state.at
        if late > LATE:
            if seen.at is not None and flight.state.at > seen.at:
                seen.at = flight.state.at
                by_s, allowed_s = late.total_seconds(), LATE.total_seconds()
                problem = f"its positions are {by_s:.0f} s late, {allowed_s:.0f} are allowed"
                self.outlet.complain(problem, provider.name)
            return
        receptions = netrid_messages.receptions(
            flight,
            seen.details,
            receiver=provider.name,
            transmitter=f"{provider.name}/{flight.id}"[:80],
            after=seen.at,
        )
        for received in receptions:
            self.outlet.put(received)
        seen.at = max(flight.state.at, seen.at or flight.state.at)


def _fetch(asker: Asker, url: str, asked: tuple[View, ...], known: set[str]) -> _Answer:
    """One round of questions to a provider, in a thread of its own."""
    answers: list[tuple[View, Flights]] = []
    problems: list[str] = []
    wanted: dict[str, None] = {}
    for view in asked:
        query = urllib.parse.urlencode(
            {"view": view.corners, "recent_positions_duration": RECENT_S}, safe=","
        )
        flights = read_flights(asker.ask("GET", f"{url}/uss/flights?{query}"))
        answers.append((view, flights))
        problems += flights.problems
        wanted |= {
            one.id: None
            for one in flights.flights
            if one.id not in known and one.state is not None and not one.simulated
        }
    details: dict[str, Details] = {}
    for name in list(wanted)[:MAX_DETAILS]:
        try:
            path = f"/uss/flights/{urllib.parse.quote(name, safe='')}/details"
            details[name] = read_details(asker.ask("GET", url + path))
            problems += details[name].problems
        except DroneteamError as error:
            problems.append(str(error))
    return _Answer(tuple(answers), details, tuple(problems))
