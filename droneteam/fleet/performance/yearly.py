"""The year's figures, from journeys and flights alone (pure).

Counted apart: a *request* is an ask, counted when it was submitted; a *mission* is a crew's work
on a scene, counted when it began; a *sortie* is one tasking of a drone; a *flight* is one
take-off and landing, of which changing packs makes several in a sortie.  The year is the local
one, so that New Year's Eve belongs to the year that people celebrate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import from_local, to_local
from droneteam.fleet.agreement.sla import CLOCKS, Clock
from droneteam.fleet.performance.journeys import SERVED, Journey
from droneteam.fleet.performance.statistics import (
    SMALL_N,
    Case,
    Fulfilment,
    Percentile,
    Share,
    fulfilment,
    jain_index,
    max_min_gap,
    percentile,
    utilisation,
)
from droneteam.fleet.terms import PRIORITIES, RequestKind, RequestState

FRACTIONS = (0.5, 0.9, 0.95)
FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True, slots=True)
class Flown:
    """One line of the logbook, as far as figures need it."""

    sortie: str
    drone_id: int
    took_off_at: datetime
    landed_at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """A drone, and the stretches of time in which it was grounded."""

    drone_id: int
    name: str
    grounded: tuple[tuple[datetime, datetime], ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Four things that are not the same."""

    requests: int
    missions: int
    sorties: int
    flights: int


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """One clock of one class: how long it took, in seconds, and how often it was kept."""

    priority: str
    clock: str
    waits: tuple[Percentile, ...]
    kept: Share


@dataclass(frozen=True, slots=True)
class ZoneFigures:
    """One organisation's year.

    displaced_more : how much more often it was displaced than its share of the requests; the
        organisations' sum is 0
    """

    organisation_id: int
    requests: int
    missions: int
    crew_min: int
    fulfilment: Fulfilment
    displaced: int
    displaced_more: float


@dataclass(frozen=True, slots=True)
class DroneFigures:
    """One drone's year: shares of the time in which it was in service."""

    drone_id: int
    name: str
    flights: int
    flight_min: float
    availability: float
    utilisation: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Planned against actual, in minutes; positive is later or longer than planned."""

    start_delay_min: tuple[Percentile, ...]
    overrun_min: tuple[Percentile, ...]


@dataclass(frozen=True, slots=True)
class YearFigures:
    """Everything that the yearly report says.

    jain, gap : over the organisations' shares of fulfilled requests, adjusted
    """

    year: int
    until: datetime
    counts: Counts
    missions_by_kind: Mapping[RequestKind, int]
    requests_by_kind: Mapping[RequestKind, int]
    missions_by_month: tuple[int, ...]
    clocks: tuple[ClockFigures, ...]
    fulfilment: Fulfilment
    cancelled_after_breach: int
    zones: tuple[ZoneFigures, ...]
    jain: float
    gap: float
    drones: tuple[DroneFigures, ...]
    forecast: Forecast

    @property
    def small(self) -> tuple[ClockFigures, ...]:
        """The clocks whose figures rest on few cases."""
        return tuple(row for row in self.clocks if 0 < row.kept.n < SMALL_N)


def year_bounds(year: int) -> tuple[datetime, datetime]:
    """The instants with which the local year begins and ends.

    Raises
    ------
    InputError
        The year is none that records can be of.
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InputError(f"year {year} outside [{FIRST_YEAR}, {LAST_YEAR}]", field="year")
    return from_local(date(year, 1, 1), time()), from_local(date(year + 1, 1, 1), time())


def year_figures(
    year: int,
    made: Sequence[Journey],
    clocks: Mapping[int, Mapping[str, Clock]],
    flights: Sequence[Flown],
    drones: Sequence[Held],
    now: datetime,
) -> YearFigures:
    """The figures of a local year, as far as it has gone.

    clocks : each journey's clocks by name, by request
    """
    start, end = year_bounds(year)
    until = max(start, min(end, now))
    asked = [one for one in made if start <= one.times.submitted_at < end]
    missions = [one for one in made if one.mission_at and start <= one.mission_at < end]
    flown = [one for one in flights if start <= one.took_off_at < end]
    cases = _cases(asked, clocks)
    zones = _zones(asked, missions, cases)
    shares = [zone.fulfilment.adjusted.value for zone in zones]
    known = [share for share in shares if share is not None]
    return YearFigures(
        year=year,
        until=until,
        counts=Counts(len(asked), len(missions), len({one.sortie for one in flown}), len(flown)),
        missions_by_kind=_by_kind(missions),
        requests_by_kind=_by_kind(asked),
        missions_by_month=_by_month(missions),
        clocks=_clock_figures(asked, clocks),
        fulfilment=fulfilment(cases, {one.request_id: one.state for one in asked}),
        cancelled_after_breach=sum(
            case.breached and one.state == RequestState.CANCELLED
            for case, one in zip(cases, asked, strict=True)
        ),
        zones=zones,
        jain=jain_index(known),
        gap=max_min_gap(known),
        drones=tuple(_drone(held, flown, start, until) for held in drones),
        forecast=_forecast(missions),
    )


def _cases(asked: Sequence[Journey], clocks: Mapping[int, Mapping[str, Clock]]) -> list[Case]:
    return [
        Case(
            one.request_id,
            one.organisation_id,
            one.kind,
            one.priority,
            any(clock.state == "breached" for clock in clocks[one.request_id].values()),
            served_min=one.served_min if one.state in SERVED else 0,
            asked_min=one.asked_min,
        )
        for one in asked
    ]


def _by_kind(some: Iterable[Journey]) -> dict[RequestKind, int]:
    counts = Counter(one.kind for one in some)
    return {kind: counts[kind] for kind in RequestKind}


def _by_month(missions: Iterable[Journey]) -> tuple[int, ...]:
    counts = Counter(to_local(one.mission_at).month for one in missions if one.mission_at)
    return tuple(counts[month] for month in range(1, 13))


def _clock_figures(
    asked: Sequence[Journey], clocks: Mapping[int, Mapping[str, Clock]]
) -> tuple[ClockFigures, ...]:
    rows = []
    for priority in PRIORITIES:
        own = [clocks[one.request_id] for one in asked if one.priority == priority]
        for name in CLOCKS:
            ended = [views[name] for views in own if views[name].state in ("met", "breached")]
            waits = [
                (view.met_at - view.started_at).total_seconds()
                for view in ended
                if view.met_at is not None
            ]
            kept = Share(sum(view.state == "met" for view in ended), len(ended))
            figures = tuple(percentile(waits, fraction) for fraction in FRACTIONS)
            rows.append(ClockFigures(priority, name, figures, kept))
    return tuple(rows)


def _zones(
    asked: Sequence[Journey], missions: Sequence[Journey], cases: Sequence[Case]
) -> tuple[ZoneFigures, ...]:
    rows = []
    each = sum(one.displaced for one in asked) / max(1, len(asked))
    for zone in sorted({one.organisation_id for one in (*asked, *missions)}):
        own = [one for one in asked if one.organisation_id == zone]
        served = [one for one in missions if one.organisation_id == zone]
        states = {one.request_id: one.state for one in own}
        rows.append(
            ZoneFigures(
                organisation_id=zone,
                requests=len(own),
                missions=len(served),
                crew_min=sum(one.served_min for one in served),
                fulfilment=fulfilment(
                    [case for case in cases if case.organisation_id == zone], states
                ),
                displaced=sum(one.displaced for one in own),
                displaced_more=sum(one.displaced for one in own) - each * len(own),
            )
        )
    return tuple(rows)


def _drone(held: Held, flown: Sequence[Flown], start: datetime, until: datetime) -> DroneFigures:
    own = [one for one in flown if one.drone_id == held.drone_id]
    minutes = sum((one.landed_at - one.took_off_at) / timedelta(minutes=1) for one in own)
    begin = min(max(start, held.since or start), until)
    if until <= begin:
        return DroneFigures(held.drone_id, held.name, len(own), minutes, 0.0, 0.0)
    grounded = utilisation(held.grounded, begin, until)
    in_air = utilisation([(one.took_off_at, one.landed_at) for one in own], begin, until)
    return DroneFigures(held.drone_id, held.name, len(own), minutes, 1.0 - grounded, in_air)


def _forecast(missions: Iterable[Journey]) -> Forecast:
    delays, overruns = [], []
    for one in missions:
        begin, end = one.mission_at, one.times.closed_at
        if begin is None or one.planned_start_at is None or one.planned_end_at is None:
            continue
        delays.append((begin - one.planned_start_at) / timedelta(minutes=1))
        if end is not None:
            planned = one.planned_end_at - one.planned_start_at
            overruns.append((end - begin - planned) / timedelta(minutes=1))
    return Forecast(
        tuple(percentile(delays, fraction) for fraction in FRACTIONS),
        tuple(percentile(overruns, fraction) for fraction in FRACTIONS),
    )
