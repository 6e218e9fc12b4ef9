"""An agreement as people read it: its targets, hours and shares in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from droneteam.fleet.agreement.sla import Sla, Target, parse
from droneteam.web.i18n import language
from droneteam.web.registry_words import TOLD
from droneteam.web.timefmt import decimal
from droneteam.web.timefmt import duration as length_of
from droneteam.web.typography import colon, typeset
from droneteam.web.words import CLOCKS, KINDS, PRIORITIES


@dataclass(frozen=True, slots=True)
class ClassRow:
    """What one priority class promises, in words."""

    name: str
    acknowledge: str
    decision: str
    on_scene: str
    ahead: str
    displaces: str
    crew: int
    counted: str


@dataclass(frozen=True, slots=True)
class Readable:
    """An agreement for a page; clocks : their names; facts : (name, text)."""

    clocks: tuple[str, ...]
    classes: tuple[ClassRow, ...]
    facts: tuple[tuple[str, str], ...]


def readable(document: Mapping[str, object], organisations: Mapping[str, str]) -> Readable:
    """The document in words; organisations : each one's name by its code."""
    sla = parse(document)
    code = language()
    rows = tuple(
        ClassRow(
            name=str(PRIORITIES[name]),
            acknowledge=target_text(rules.acknowledge),
            decision=target_text(rules.decision),
            on_scene=target_text(rules.on_scene),
            ahead=_days(rules.lead_time_days) if rules.lead_time_days else "–",
            displaces=", ".join(sorted(rules.displaces)) or "–",
            crew=rules.crew,
            counted=_("no") if rules.exempt else _("yes"),
        )
        for name, rules in sla.classes.items()
    )
    facts = (*_hours(sla), *_shares(sla, organisations))
    return Readable(
        tuple(map(str, CLOCKS.values())),
        rows,
        tuple((name, typeset(text, code)) for name, text in facts),
    )


def target_text(target: Target) -> str:
    """When something is due, in words; where several terms are given, the latest counts."""
    terms = []
    if target.seconds is not None:
        terms.append(_("within %(time)s", time=duration(target.seconds)))
    if target.working_days is not None:
        terms.append(ngettext("%(num)s working day", "%(num)s working days", target.working_days))
    if target.days is not None:
        terms.append(_("within %(time)s", time=_days(target.days)))
    if target.days_before_start is not None:
        terms.append(_("%(time)s before the start", time=_days(target.days_before_start)))
    if target.slot_offset_s is not None:
        terms.append(_about_start(target.slot_offset_s))
    text = _(" or, if that is later, ").join(terms)
    if target.seconds is not None and target.on_call_seconds is not None:
        outside = _("outside service hours %(time)s", time=duration(target.on_call_seconds))
        text = f"{text}; {outside}"
    return typeset(text, language())


def duration(seconds: int) -> str:
    """A length of time without the minutes or seconds that it has not: 3 min, 1 h 30 min."""
    return length_of(seconds).removesuffix(" 00 s").removesuffix(" 00 min")


def _about_start(offset_s: int) -> str:
    if offset_s == 0:
        return str(_("at the start"))
    if offset_s < 0:
        return str(_("%(time)s before the start", time=duration(-offset_s)))
    return str(_("%(time)s after the start", time=duration(offset_s)))


def _days(count: int) -> str:
    return str(ngettext("%(num)s day", "%(num)s days", count))


def _hours(sla: Sla) -> tuple[tuple[str, str], ...]:
    hours = sla.hours
    service = f"{hours.core_start:%H:%M} – {hours.core_end:%H:%M}"
    if hours.holidays_on_call:
        holidays = _("on holidays on call")
        service = f"{service}; {holidays}"
    preparation = _(
        "%(core)s; outside service hours %(call)s",
        core=duration(60 * hours.core_prep_min),
        call=duration(60 * hours.on_call_prep_min),
    )
    light = ", ".join(str(KINDS[kind]) for kind in sorted(hours.daylight_kinds)) or "–"
    told = "; ".join(
        f"{round(100 * fraction)} %{colon(language())} {TOLD.get(to, to)}"
        for fraction, to in sla.escalation
    )
    return (
        (_("Service hours"), service),
        (_("Preparation"), preparation),
        (_("In daylight only"), light),
        (_("Told of a clock at"), told),
    )


def _shares(sla: Sla, organisations: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    rule = sla.entitlement
    weights = "; ".join(
        f"{organisations.get(code, code)}\u00a0× {weight}" for code, weight in rule.weights.items()
    )
    others = _("others × %(weight)s", weight=rule.default_weight)
    floor = _(
        "one request of %(priority)s in each quarter, %(time)s of a crew",
        priority=rule.floor_priority,
        time=duration(60 * rule.floor_crew_minutes),
    )
    return (
        (_("Crew-hours of a year"), decimal(rule.yearly_crew_hours)),
        (_("Weights of the shares"), f"{weights}; {others}" if weights else others),
        (_("Every zone has at least"), floor),
    )
