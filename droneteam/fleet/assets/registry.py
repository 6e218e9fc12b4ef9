"""Who and what is fit to fly on a given day, and why not (pure).

Readiness answers with reasons: *blocks* ground a drone, a pack or a pilot now; *warnings*
announce what will ground it soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from droneteam.errors import InputError, NotAllowed
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.terms import Param, Reason, Window

CURRENCY_DAYS = 90
CURRENCY_FLIGHTS = 3
"""Recent experience, by analogy with FCL.060(b): three flights within 90 days."""
WARN_DAYS = 30
WARN_CURRENCY_DAYS = 14
"""A training flight is arranged within two weeks."""
WARN_FRACTION = 0.9
"""Warn when this share of a maintenance interval or of a pack's life is used."""
_SURELY_ANOTHER_DAY = timedelta(hours=25)
"""Not even the long day in October holds two moments this far apart."""
MIN_PACK_HEALTH_PCT = 80
"""DJI's battery guidelines retire a pack whose capacity falls below four fifths."""
WARN_PACK_HEALTH_PCT = 85


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict on one thing or person, with its reasons."""

    blocks: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def ready(self) -> bool:
        """True when nothing blocks."""
        return not self.blocks


@dataclass(frozen=True, slots=True)
class MaintenanceRule:
    """An interval after which a drone must be serviced; None where it does not count."""

    name: str
    every_flight_h: float | None = None
    every_cycles: int | None = None
    every_days: int | None = None


@dataclass(frozen=True, slots=True)
class MaintenanceRecord:
    """A service that was done, with the counters as they stood then."""

    rule: str
    done_on: date
    flight_h: float
    cycles: int


@dataclass(frozen=True, slots=True)
class Defect:
    """What grounds a drone until a second person releases it."""

    id: int
    opened_at: datetime
    opened_by: int
    text: str
    released_at: datetime | None = None
    released_by: int | None = None


@dataclass(frozen=True, slots=True)
class DroneRecord:
    """A drone as its logbook shows it."""

    id: int
    name: str
    flight_h: float
    cycles: int
    in_service_since: date
    retired: bool = False
    rules: tuple[MaintenanceRule, ...] = ()
    services: tuple[MaintenanceRecord, ...] = ()
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True, slots=True)
class PackRecord:
    """A battery pack as its logbook shows it."""

    id: int
    label: str
    cycles: int
    max_cycles: int
    health_pct: int
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Credential:
    """A licence or rating and the days, both included, on which it is valid."""

    kind: str
    valid_from: date
    valid_until: date

    def __post_init__(self) -> None:
        if self.valid_until < self.valid_from:
            raise InputError(
                f"credential {self.kind} ends {self.valid_until} before it begins "
                f"{self.valid_from}",
                field="valid_until",
            )

    def covers(self, window: Window) -> bool:
        """True when it is valid on every local day that the window touches."""
        first = to_local(window.start_at).date()
        last = to_local(window.end_at - timedelta(microseconds=1)).date()
        return self.valid_from <= first and last <= self.valid_until


@dataclass(frozen=True, slots=True)
class DutyRules:
    """How long a pilot may be on duty and must rest; a duty day starts at duty_day_start_h.

    Source of the defaults: directive 2003/88/EC, article 3 (11 h daily rest); the 12 h limit
    leaves room for one overrun within the remaining 13 h.
    """

    max_duty_min: int = 12 * 60
    min_rest_min: int = 11 * 60
    day_start_h: int = 4

    def day_of(self, at: datetime) -> date:
        """The duty day to which work that begins at this instant belongs."""
        local = to_local(at)
        day = local.date()
        return day if local.hour >= self.day_start_h else day - timedelta(days=1)

    def conflict(self, one: Window, other: Window) -> str | None:
        """The code of the rule that forbids one pilot to work both windows, or None.

        Work of one duty day lies within the longest duty; between two days lies the rest.
        """
        first, second = sorted((one, other), key=lambda window: window.start_at)
        if first.overlaps(second):
            return "pilot.busy"
        rest = second.start_at - first.end_at
        if rest >= _SURELY_ANOTHER_DAY:
            return None
        end_at = max(first.end_at, second.end_at)
        if self.day_of(first.start_at) == self.day_of(second.start_at):
            span = end_at - first.start_at
            return "pilot.duty" if span > timedelta(minutes=self.max_duty_min) else None
        return "pilot.rest" if rest < timedelta(minutes=self.min_rest_min) else None


@dataclass(frozen=True, slots=True)
class PilotRecord:
    """A pilot as the registry and the logbook show them."""

    id: int
    name: str
    active: bool
    credentials: tuple[Credential, ...]
    absences: tuple[Window, ...] = ()
    flown_on: tuple[date, ...] = field(default=())


def drone_readiness(drone: DroneRecord, at: datetime) -> Readiness:
    """Whether the drone may fly now: not retired, no open defect, no service overdue."""
    blocks: list[Reason] = []
    warnings: list[Reason] = []
    if drone.retired:
        blocks.append(Reason("drone.retired", {"drone": drone.name}))
    for defect in open_defects(drone.defects, at):
        blocks.append(Reason("drone.defect", {"drone": drone.name, "text": defect.text}))
    for rule in drone.rules:
        used = used_fraction(drone, rule, at)
        since = last_service(drone, rule).done_on.isoformat()
        reason = Reason(
            "drone.service_overdue" if used >= 1.0 else "drone.service_soon",
            {
                "drone": drone.name,
                "rule": rule.name,
                "used_pct": round(100 * used),
                "since": since,
            },
        )
        if used >= 1.0:
            blocks.append(reason)
        elif used >= WARN_FRACTION:
            warnings.append(reason)
    return Readiness(tuple(blocks), tuple(warnings))


def open_defects(defects: Iterable[Defect], at: datetime) -> tuple[Defect, ...]:
    """Those that ground the drone at the instant."""
    return tuple(
        defect
        for defect in defects
        if defect.opened_at <= at and (defect.released_at is None or defect.released_at > at)
    )


def check_release(defect: Defect, released_by: int) -> None:
    """Nothing, when another person than the one who found the defect releases it.

    Raises
    ------
    NotAllowed
        The same person would do both.
    """
    if released_by == defect.opened_by:
        raise NotAllowed("a second person must release the defect: you reported it yourself")


def last_service(drone: DroneRecord, rule: MaintenanceRule) -> MaintenanceRecord:
    """The last service by the rule; before the first one, the drone's coming into service."""
    return max(
        (record for record in drone.services if record.rule == rule.name),
        key=lambda record: record.done_on,
        default=MaintenanceRecord(rule.name, drone.in_service_since, 0.0, 0),
    )


def used_fraction(drone: DroneRecord, rule: MaintenanceRule, at: datetime) -> float:
    """The most used of the rule's intervals since the last service; 1 when it is due."""
    done = last_service(drone, rule)
    days = (to_local(at).date() - done.done_on).days
    used = [0.0]
    if rule.every_flight_h is not None:
        used.append((drone.flight_h - done.flight_h) / rule.every_flight_h)
    if rule.every_cycles is not None:
        used.append((drone.cycles - done.cycles) / rule.every_cycles)
    if rule.every_days is not None:
        used.append(days / rule.every_days)
    return max(used)


def pack_readiness(pack: PackRecord) -> Readiness:
    """Whether the battery pack may fly: enough capacity and cycles left."""
    params: dict[str, Param] = {
        "pack": pack.label,
        "cycles": pack.cycles,
        "health_pct": pack.health_pct,
    }
    if pack.retired:
        return Readiness(blocks=(Reason("pack.retired", params),))
    if pack.health_pct < MIN_PACK_HEALTH_PCT or pack.cycles >= pack.max_cycles:
        return Readiness(blocks=(Reason("pack.worn", params),))
    aged = pack.health_pct <= WARN_PACK_HEALTH_PCT
    if aged or pack.cycles >= WARN_FRACTION * pack.max_cycles:
        return Readiness(warnings=(Reason("pack.worn_soon", params),))
    return Readiness()


def pilot_readiness(pilot: PilotRecord, required: Sequence[str], at: datetime) -> Readiness:
    """Whether the pilot may fly now with the credentials that the team requires of everyone."""
    moment = Window(at, at + timedelta(minutes=1))
    blocks: list[Reason] = []
    if not pilot.active:
        blocks.append(Reason("pilot.inactive", {"pilot": pilot.name}))
    if any(absence.overlaps(moment) for absence in pilot.absences):
        blocks.append(Reason("pilot.absent", {"pilot": pilot.name}))
    blocks.extend(missing_credentials(pilot.name, pilot.credentials, required, moment))
    if not is_current(pilot.flown_on, at):
        blocks.append(
            Reason("pilot.not_current", {"pilot": pilot.name, "flights": CURRENCY_FLIGHTS})
        )
    return Readiness(tuple(blocks), (*_expiry_warnings(pilot, at), *_currency_warning(pilot, at)))


def missing_credentials(
    pilot_name: str, credentials: Sequence[Credential], required: Iterable[str], window: Window
) -> tuple[Reason, ...]:
    """One reason for each required credential that does not cover the window."""
    reasons = []
    for kind in sorted(required):
        held = [credential for credential in credentials if credential.kind == kind]
        if any(credential.covers(window) for credential in held):
            continue
        params: dict[str, Param] = {"pilot": pilot_name, "credential": kind}
        if held:
            params["until"] = max(credential.valid_until for credential in held).isoformat()
        reasons.append(Reason("pilot.expired" if held else "pilot.unlicensed", params))
    return tuple(reasons)


def is_current(flown_on: Iterable[date], at: datetime) -> bool:
    """True with enough flights in the days before the instant."""
    today = to_local(at).date()
    recent = [day for day in flown_on if timedelta() <= today - day <= timedelta(CURRENCY_DAYS)]
    return len(recent) >= CURRENCY_FLIGHTS


def current_until(flown_on: Iterable[date]) -> date | None:
    """The last day on which these flights still make the pilot current; None for too few."""
    newest = sorted(flown_on, reverse=True)[:CURRENCY_FLIGHTS]
    if len(newest) < CURRENCY_FLIGHTS:
        return None
    return newest[-1] + timedelta(days=CURRENCY_DAYS)


def _currency_warning(pilot: PilotRecord, at: datetime) -> tuple[Reason, ...]:
    """Says that the pilot must fly soon to stay current."""
    today = to_local(at).date()
    until = current_until(day for day in pilot.flown_on if day <= today)
    if until is None or not timedelta() <= until - today <= timedelta(days=WARN_CURRENCY_DAYS):
        return ()
    return (Reason("pilot.currency_soon", {"pilot": pilot.name, "until": until.isoformat()}),)


def _expiry_warnings(pilot: PilotRecord, at: datetime) -> tuple[Reason, ...]:
    """One warning for each kind whose last valid day is near; a renewal silences it."""
    today = to_local(at).date()
    last_day: dict[str, date] = {}
    for credential in pilot.credentials:
        known = last_day.get(credential.kind, credential.valid_until)
        last_day[credential.kind] = max(known, credential.valid_until)
    return tuple(
        Reason(
            "pilot.expires_soon",
            {"pilot": pilot.name, "credential": kind, "until": until.isoformat()},
        )
        for kind, until in sorted(last_day.items())
        if today <= until <= today + timedelta(days=WARN_DAYS)
    )
