"""Repeated windows from a recurrence rule (RFC 5545, section 3.3.10), on the wall clock (pure).

"Every Friday at 20:00" means what the clocks show: the instants move with summer time, the wall
times do not.  A start in the hour that spring leaves out moves one hour later.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import vRecur

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import from_local, to_local
from droneteam.fleet.terms import Window

MAX_OCCURRENCES = 104
"""Twice a week for a year."""
MAX_SPAN = timedelta(days=731)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}
)


def occurrences(
    rule: str, first: Window, *, without: frozenset[date] = frozenset()
) -> tuple[Window, ...]:
    """The windows of the rule in order, beginning with the first one.

    rule : such as ``FREQ=WEEKLY;BYDAY=FR,SA;COUNT=10``; it must end, by COUNT or UNTIL
    without : local days that are left out (EXDATE); they count towards COUNT, as the RFC says

    Raises
    ------
    InputError
        The rule is malformed, does not end, or ends after `MAX_OCCURRENCES` or `MAX_SPAN`.
    """
    parts = _parts(rule)
    start, end = (to_local(at).replace(tzinfo=None) for at in (first.start_at, first.end_at))
    horizon = start + MAX_SPAN
    until = _until(parts, horizon)
    counted = "COUNT" in parts
    count = int(parts.pop("COUNT", [MAX_OCCURRENCES + 1])[0])
    wanted = min(count, MAX_OCCURRENCES + 1)
    parts["UNTIL"] = [min(until, horizon)]
    try:
        days = list(islice(rrulestr(_text(parts), dtstart=start), wanted))
    except (ValueError, TypeError) as error:
        raise InputError(f"the rule {rule!r} cannot be used: {error}", field="repeat") from error
    if not days or days[0] != start:
        days = [start, *days][:wanted]  # the first slot belongs to the series, RFC 5545 3.8.5.3
    if len(days) > MAX_OCCURRENCES or until > horizon or (counted and len(days) < wanted):
        raise InputError(
            f"the rule gives more than {MAX_OCCURRENCES} slots or runs longer than "
            f"{MAX_SPAN.days // 365} years; shorten it",
            field="repeat",
        )
    return tuple(_window(day, end - start, first) for day in days if day.date() not in without)


def _parts(rule: str) -> vRecur:
    try:
        parts: vRecur = vRecur.from_ical(rule.strip().removeprefix("RRULE:").upper())
    except ValueError as error:
        raise InputError(f"{rule!r} is no recurrence rule: {error}", field="repeat") from error
    unknown = sorted(set(parts) - _PARTS)
    if unknown:
        raise InputError(f"the rule's part {unknown[0]} is not supported", field="repeat")
    if parts.get("FREQ", [""])[0] not in _FREQUENCIES:
        allowed = ", ".join(_FREQUENCIES)
        raise InputError(f"the rule's FREQ is none of {allowed}", field="repeat")
    if ("COUNT" in parts) == ("UNTIL" in parts):
        raise InputError("the rule must end, either by COUNT or by UNTIL", field="repeat")
    for name in ("COUNT", "INTERVAL"):
        if min((int(n) for n in parts.get(name, [1])), default=0) < 1:
            raise InputError(f"the rule's {name} is below 1", field="repeat")
    return parts


def _text(parts: vRecur) -> str:
    """The rule as text again."""
    raw: bytes = parts.to_ical()  # type: ignore[no-untyped-call]
    return raw.decode()


def _until(parts: vRecur, horizon: datetime) -> datetime:
    """The last local time at which an occurrence may start; a bare date holds to its end."""
    given = parts.pop("UNTIL", [None])[0]
    if given is None:
        return horizon
    if isinstance(given, datetime):
        return to_local(given).replace(tzinfo=None) if given.tzinfo else given
    return datetime.combine(given, datetime.max.time())


def _window(start: datetime, length: timedelta, first: Window) -> Window:
    """The instants of a wall-clock window.

    Where the spring change swallows the wall end, the window keeps the first one's real length.
    """
    start_at = from_local(start.date(), start.time())
    end = start + length
    end_at = from_local(end.date(), end.time())
    length_s = first.end_at - first.start_at
    return Window(start_at, end_at if end_at > start_at else start_at + length_s)
