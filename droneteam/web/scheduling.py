"""Plans → what their pages show: charts, the table's rows, the changes, and the form's choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.fleet import service
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.service import Change, Compared, Scenario, Schedule, Supposition
from droneteam.fleet.terms import RequestState
from droneteam.fleet.views import (
    AssignmentView,
    BatteryView,
    DroneView,
    PilotView,
    PlanView,
    RequestView,
)
from droneteam.web.context import actor, now
from droneteam.web.i18n import sentences
from droneteam.web.schedule import Axis, Chart, LaneName, Span, State, axis_of, chart
from droneteam.web.states import readiness
from droneteam.web.timefmt import local_short, zone
from droneteam.web.words import KINDS, READINESS

DRAWN = PLANNABLE | {RequestState.IN_PROGRESS, RequestState.FULFILLED, RequestState.PARTLY}
"""What takes no drone any more is in the table, not in the picture."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who and what the lanes are for."""

    drones: Sequence[DroneView]
    pilots: Sequence[PilotView]
    batteries: Sequence[BatteryView]

    def crew(self, row: AssignmentView) -> str:
        """The whole crew by name, the pilot in command first."""
        names = {pilot.id: pilot.name for pilot in self.pilots}
        others = [names.get(one, str(one)) for one in row.crew_ids if one != row.pilot_id]
        return ", ".join([row.pilot_name, *others])


@dataclass(frozen=True, slots=True)
class Room:
    """A plan's page.

    compared : against the plan in force; None for the plan in force itself
    movable : the requests that may be put somewhere else, by number
    """

    plan: PlanView | None
    axis: Axis
    day: date
    charts: tuple[tuple[str, str, Chart], ...]
    fleet: Fleet
    requests: Mapping[int, RequestView]
    schedule: Schedule
    compared: Compared | None
    scenario: Scenario | None
    movable: Mapping[int, RequestView]

    @property
    def earlier(self) -> date:
        """The first day of the stretch before."""
        return self.day - self._length

    @property
    def later(self) -> date:
        """The first day of the stretch after."""
        return self.day + self._length

    @property
    def last_day(self) -> date:
        """The last day that is shown."""
        return self.later - timedelta(days=1)

    @property
    def _length(self) -> timedelta:
        return timedelta(days=7 if self.axis.zoom == "week" else 1)

    @property
    def lane_names(self) -> dict[str, str]:
        """What each lane is called, by its key."""
        return {lane.key: lane.name for _key, _title, found in self.charts for lane in found.lanes}

    @property
    def request_options(self) -> list[tuple[str, str]]:
        """The requests that may be moved, for a form."""
        return [(str(number), self.title(number)) for number in self.movable]

    @property
    def drone_options(self) -> list[tuple[str, str]]:
        """The drones for a form, and none."""
        return [("", "–"), *((str(row.id), row.name) for row in self.fleet.drones)]

    @property
    def pilot_options(self) -> list[tuple[str, str]]:
        """The pilots for a form, and none."""
        return [("", "–"), *((str(row.id), row.name) for row in self.fleet.pilots)]

    @property
    def supposed(self) -> list[str]:
        """What the plan supposes, each in a sentence."""
        return [] if self.scenario is None else [self._sentence(o) for o in self.scenario.supposed]

    def _sentence(self, one: Supposition) -> str:
        drones = {row.id: row.name for row in self.fleet.drones}
        pilots = {row.id: row.name for row in self.fleet.pilots}
        times = f"{local_short(one.start_at)} – {local_short(one.end_at)}"
        match one.kind:
            case "drone_grounded":
                name = drones.get(one.subject_id, str(one.subject_id))
                return str(_("%(name)s is grounded, %(times)s", name=name, times=times))
            case "pilot_absent":
                name = pilots.get(one.subject_id, str(one.subject_id))
                return str(_("%(name)s is away, %(times)s", name=name, times=times))
            case "left_out":
                return str(_("%(name)s is left out", name=self.title(one.subject_id)))
            case "new_request":
                kind = f"{one.priority} {KINDS[one.request_kind]}"
                return str(_("a new request comes in: %(kind)s, %(times)s", kind=kind, times=times))
        where = [
            drones.get(one.drone_id, ""),
            *(pilots.get(pilot_id, str(pilot_id)) for pilot_id in one.pilot_ids),
            local_short(one.start_at) if one.start_at else "",
        ]
        place = ", ".join(part for part in where if part)
        return str(
            _("%(name)s is put here: %(place)s", name=self.title(one.subject_id), place=place)
        )

    def assignment(self, request_id: int) -> AssignmentView | None:
        """What the plan gives the request."""
        rows = self.plan.assignments if self.plan else ()
        return next((row for row in rows if row.request_id == request_id), None)

    def packs(self, row: AssignmentView) -> str:
        """The packs by label."""
        labels = {battery.id: battery.label for battery in self.fleet.batteries}
        return ", ".join(labels.get(number, str(number)) for number in row.battery_ids)

    def title(self, request_id: int) -> str:
        """The request's number and title."""
        asked = self.requests.get(request_id)
        return f"{request_id} {asked.title}" if asked else str(request_id)

    def troubles(self, request_id: int) -> list[str]:
        """Why the assignment cannot be kept, in the visitor's language."""
        return sentences(self.schedule.troubles.get(request_id, ()))


def asked_axis() -> tuple[date, Axis]:
    """The day and the stretch of time that the address asks for; today by default."""
    today = now().astimezone(zone()).date()
    day = request.args.get("day", default=today, type=date.fromisoformat)
    axis = axis_of(day, request.args.get("zoom", "day"), zone())
    return day, axis


def load_room(session: Session, plan: PlanView | None, at: datetime) -> Room:
    """The plan's page at that time; None before the first plan."""
    me = actor()
    day, axis = asked_axis()
    fleet = Fleet(
        service.list_drones(session, me, at),
        service.list_pilots(session, me, at),
        service.list_batteries(session, me),
    )
    schedule = service.plan_schedule(session, me, plan.id if plan else None, axis.window, at)
    other = plan is not None and plan.state in ("draft", "discarded")
    compared = service.compare_plans(session, me, [plan.id])[0] if plan and other else None
    planned = {row.request_id for row in plan.assignments} if plan else set()
    changed = {one.request_id for one in compared.changes} if compared else set()
    rows = service.list_open_requests(session, me, at, planned | changed)
    requests = {row.id: row for row in rows}
    spans = list(_spans(plan, compared, fleet, requests, schedule)) if plan else []
    return Room(
        plan=plan,
        axis=axis,
        day=day,
        charts=_charts(spans, fleet, axis, schedule, at),
        fleet=fleet,
        requests=requests,
        schedule=schedule,
        compared=compared,
        scenario=service.scenario_of(session, me, plan.id) if plan and other else None,
        movable={
            number: row
            for number, row in requests.items()
            if row.state in PLANNABLE and row.end_at > at and number not in schedule.started
        },
    )


def _spans(
    plan: PlanView,
    compared: Compared | None,
    fleet: Fleet,
    requests: Mapping[int, RequestView],
    schedule: Schedule,
) -> Iterable[Span]:
    """Each assignment in the lanes of its drone, its crew and its packs; what was there before."""
    changes = {} if compared is None else {one.request_id: one for one in compared.changes}
    for row in plan.assignments:
        asked = requests.get(row.request_id)
        if asked is not None and asked.state in DRAWN:
            change = changes.get(row.request_id)
            yield from _in_lanes(row, fleet, asked, schedule, _state(row, schedule, change))
    for number, change in changes.items():
        asked = requests.get(number)
        if change.before is not None and asked is not None:
            there = list(_in_lanes(change.before, fleet, asked, schedule, "before"))
            yield from (span for span in there if not _kept(span, change.after))


def _kept(before: Span, after: AssignmentView | None) -> bool:
    """Whether the lane holds the same at the same time in the other plan."""
    if after is None or (after.start_at, after.end_at) != (before.start_at, before.end_at):
        return False
    kind, _colon, number = before.lane.partition(":")
    held = {"drone": (after.drone_id,), "pilot": after.crew_ids, "pack": after.battery_ids}
    return int(number) in held[kind]


def _state(row: AssignmentView, schedule: Schedule, change: Change | None) -> State:
    """What stands against the assignment says more than that it started, and that than a change."""
    if row.request_id in schedule.troubles:
        return "trouble"
    if row.request_id in schedule.started:
        return "started"
    if change is None:
        return "planned"
    return "won" if change.before is None else "changed"


def _in_lanes(
    row: AssignmentView, fleet: Fleet, asked: RequestView, schedule: Schedule, state: State
) -> Iterable[Span]:
    charge = {
        battery.id: timedelta(minutes=schedule.charge_min.get(battery.type, 0))
        for battery in fleet.batteries
    }
    lanes = [
        (f"drone:{row.drone_id}", row.free_at),
        *((f"pilot:{pilot_id}", row.free_at) for pilot_id in row.crew_ids),
        *(
            (f"pack:{number}", row.free_at + charge.get(number, timedelta()))
            for number in row.battery_ids
        ),
    ]
    detail = _detail(row, fleet, asked, sentences(schedule.troubles.get(row.request_id, ())), state)
    for lane, free_at in lanes:
        yield Span(
            lane=lane,
            key=str(row.request_id),
            label=f"{row.request_id} {asked.title}",
            detail=detail,
            taken_at=row.taken_at,
            start_at=row.start_at,
            end_at=row.end_at,
            free_at=free_at,
            state=state,
        )


def _detail(
    row: AssignmentView, fleet: Fleet, asked: RequestView, troubles: list[str], state: State
) -> str:
    """All that is to be said of a bar in one line."""
    words = {
        "planned": "",
        "started": _("started"),
        "trouble": _("cannot be kept"),
        "changed": _("changed"),
        "won": _("new in the plan"),
        "before": _("as it is now"),
    }
    parts = [
        f"{row.request_id} {asked.title} ({asked.priority})",
        f"{row.drone_name}; {fleet.crew(row)}",
        f"{local_short(row.start_at)} – {local_short(row.end_at)}",
        words[state],
        *troubles,
    ]
    return " · ".join(part for part in parts if part)


def _charts(
    spans: Sequence[Span], fleet: Fleet, axis: Axis, schedule: Schedule, at: datetime
) -> tuple[tuple[str, str, Chart], ...]:
    """(key, title, picture) of each group of lanes; of packs only those that are out."""
    out = {span.lane for span in spans}
    groups = [
        ("drone", _("Drones"), [_lane("drone", row.id, row.name, row) for row in fleet.drones]),
        ("pilot", _("Pilots"), [_lane("pilot", row.id, row.name, row) for row in fleet.pilots]),
        (
            "pack",
            _("Batteries"),
            [
                lane
                for row in fleet.batteries
                if (lane := _lane("pack", row.id, row.label, row)).key in out
            ],
        ),
    ]
    return tuple(
        (key, title, chart(lanes, spans, axis, at, schedule.shades)) for key, title, lanes in groups
    )


def _lane(kind: str, number: int, name: str, row: DroneView | PilotView | BatteryView) -> LaneName:
    code = readiness(row)
    return LaneName(f"{kind}:{number}", name, "" if code == "ready" else str(READINESS[code]))
