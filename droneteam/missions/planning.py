"""Missions as rows: plan one from an assignment, approve it, look it up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from importlib import metadata

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import WHOLE, Piece
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import service as fleet
from droneteam.fleet.views import AssignmentView, RequestView
from droneteam.missions import models
from droneteam.missions.airspace import checks as airspace
from droneteam.missions.airspace.fence import (
    Fence,
    fence_findings,
    fence_from_json,
    fence_of,
    fence_to_json,
    return_findings,
)
from droneteam.missions.airspace.groundrisk import (
    NEVER_OVERRIDDEN,
    Neighbour,
    Surroundings,
    Weather,
    crossing_findings,
    ground_findings,
    separation_findings,
)
from droneteam.missions.airspace.recheck import came_since
from droneteam.missions.airspace.rules import Finding, RulesUnmet, finding
from droneteam.missions.airspace.volumes import (
    lowest_ground_m,
    volumes_from_json,
    volumes_of,
    volumes_to_json,
)
from droneteam.missions.airspace.wayhome import Obstacle, highest_below
from droneteam.missions.items import HomePoint, mission_hash, wire_mission
from droneteam.missions.others import LIVE, met_since, others_of
from droneteam.missions.planjson import (
    findings_from_json,
    findings_to_json,
    plan_from_json,
    plan_to_json,
)
from droneteam.missions.planner.camera import camera_named
from droneteam.missions.planner.crossing import Sortie
from droneteam.missions.planner.plan import Conditions, MissionPlan
from droneteam.missions.planner.sharing import Separation, Share, share_of
from droneteam.missions.planner.task_params import SearchParams
from droneteam.missions.planner.tasks import plan_task
from droneteam.missions.planner.terrain import Terrain, ground_amsl
from droneteam.missions.planner.terrainfile import read_terrain
from droneteam.missions.rivals import approved_so, hold_assignment, live_missions, sent_before
from droneteam.missions.views import MissionPreview, MissionSpec, MissionState, MissionView
from droneteam.missions.zonestore import stored_geozones

PLANNERS = ("pilot", "coordinator")
PLAN_AGAIN = "this has come since it was planned; plan the mission again"
OVERRIDERS = ("coordinator",)
"""Who may lift a stop."""


def plan_mission(
    session: Session,
    actor: Actor,
    assignment_id: int,
    spec: MissionSpec,
    now: datetime,
    *,
    known: Collection[int] | None = None,
) -> MissionView:
    """A new mission in draft for an assignment, planned and checked against the airspace.

    known : the assignment's missions that the planner has seen; the draft that the same form
    made before is given back then instead of a second one.  None asks for neither.

    Raises
    ------
    InputError
        The request has no area, the survey cannot be planned, or a rule of the airspace says
        stop: the message names the zone and says what to do.
    PlannedMeanwhile
        Missions stand for the assignment that are not among the known.
    """
    require_role(actor, *PLANNERS)
    assignment = fleet.get_assignment(session, actor, assignment_id)
    request = fleet.get_request(session, actor, assignment.request_id)
    made = _planned(session, actor, assignment, request, spec)
    plan, findings = made.plan, _weighed(actor, made.findings, spec.override_reason)
    row = _draft(actor, assignment, made, spec, now, request.organisation_id)
    row.findings = findings_to_json(findings)
    if known is not None:
        hold_assignment(session, assignment_id)
        before = sent_before(live_missions(session, assignment_id), row, known)
        if before is not None:
            return mission_view(before)
    session.add(row)
    session.flush()
    facts = {"assignment": assignment.id, "photos": plan.n_photos, "hash": row.mission_hash}
    audit.append(
        session, actor, action="mission.plan", subject=f"mission:{row.id}", facts=facts, at=now
    )
    lifted = [one.rule for one in findings if one.severity == "stop"]
    if lifted:
        audit.append(
            session,
            actor,
            action="mission.override",
            subject=f"mission:{row.id}",
            reason=spec.override_reason,
            facts={"rules": lifted, "hash": row.mission_hash},
            at=now,
        )
    return mission_view(row)


def _draft(
    actor: Actor,
    assignment: AssignmentView,
    made: MissionPreview,
    spec: MissionSpec,
    now: datetime,
    organisation_id: int,
) -> models.Mission:
    """The row of a planned mission, in draft and without its findings."""
    plan = made.plan
    return models.Mission(
        organisation_id=organisation_id,
        request_id=assignment.request_id,
        assignment_id=assignment.id,
        drone_id=assignment.drone_id,
        drone_name=assignment.drone_name,
        pilot_id=assignment.pilot_id,
        state=MissionState.DRAFT.value,
        start_at=assignment.start_at,
        end_at=assignment.end_at,
        camera=spec.camera,
        params={
            "pattern": plan.pattern,
            **asdict(spec.params),
            **({} if spec.share is None else {"share": asdict(spec.share)}),
            **({"form": dict(spec.form)} if spec.form else {}),
        },
        plan={
            **plan_to_json(plan),
            "volumes": volumes_to_json(made.volumes),
            "fence": fence_to_json(made.fence),
        },
        mission_hash=mission_hash(wire_mission(plan.items, plan.home)),
        software_version=metadata.version("droneteam"),
        created_at=now,
        created_by=actor.user_id or None,
    )


def preview_mission(
    session: Session, actor: Actor, assignment_id: int, spec: MissionSpec
) -> MissionPreview:
    """What `plan_mission` would make, stops of the airspace included; nothing is stored.

    Raises
    ------
    InputError
        The request has no area, or the task cannot be planned.
    """
    require_role(actor, *PLANNERS)
    assignment = fleet.get_assignment(session, actor, assignment_id)
    request = fleet.get_request(session, actor, assignment.request_id)
    return _planned(session, actor, assignment, request, spec)


def _planned(
    session: Session,
    actor: Actor,
    assignment: AssignmentView,
    request: RequestView,
    spec: MissionSpec,
) -> MissionPreview:
    """The plan for the assignment's time and the request's place, and what the rules say of it."""
    places = spec.polygon or request.polygon
    if not places and isinstance(spec.params, SearchParams) and spec.params.starts_at_a_place:
        places = ((request.lat_deg, request.lon_deg),)
    if not places:
        raise InputError("the request has no area: draw what is to be flown", field="polygon")
    home = spec.home or HomePoint(request.lat_deg, request.lon_deg, spec.home_alt_amsl_m)
    around = (*places, (home.lat_deg, home.lon_deg))
    terrain = None if spec.terrain is None else read_terrain(spec.terrain, around)
    if home.alt_amsl_m is None:
        home = replace(home, alt_amsl_m=_home_amsl_m(home, terrain))
    conditions = Conditions(terrain, spec.wind)
    camera, params = camera_named(spec.camera), spec.params
    if spec.share is not None:
        places, params = share_of(places, camera, params, spec.share)
    plan = plan_task(places, camera, params, home, conditions)
    obstacle = None if terrain is None else highest_below(plan.items, home, terrain)
    fence = fence_of(plan.items, home, spec.risk, obstacle)
    volumes = volumes_of(plan, spec.risk, fence.return_home_m)
    zones = stored_geozones(session)
    start, until = assignment.start_at, assignment.end_at
    findings = airspace.check(plan, zones, start, until=until)
    surroundings = Surroundings(
        start,
        until,
        spec.people,
        spec.assemblies,
        forecast(
            session, actor, assignment.drone_id, start, until + timedelta(seconds=plan.duration_s)
        ),
        _home_amsl_m(home, terrain),
    )
    own = Sortie(0, assignment.drone_name, plan, start, until, volumes.contingency)
    found = (
        *findings,
        *_fence_findings(plan, fence, obstacle),
        *ground_findings(plan, volumes, surroundings),
        *separation_findings(plan, _neighbours(session, assignment), spec.share),
        *crossing_findings(own, others_of(session, own, assignment)),
    )
    return MissionPreview(plan, found, volumes, fence, terrain)


def _fence_findings(
    plan: MissionPlan, fence: Fence, obstacle: Obstacle | None
) -> tuple[Finding, ...]:
    return (
        *fence_findings(plan.items, plan.home, fence, lowest_ground_m(plan)),
        *return_findings(fence, obstacle, plan.terrain),
    )


def _neighbours(session: Session, assignment: AssignmentView) -> list[Neighbour]:
    """Other drones' missions of the same request whose time overlaps the assignment's."""
    rows = session.scalars(
        select(models.Mission).where(
            models.Mission.request_id == assignment.request_id,
            models.Mission.drone_id != assignment.drone_id,
            models.Mission.state.in_([state.value for state in LIVE]),
            models.Mission.start_at < assignment.end_at,
            models.Mission.end_at > assignment.start_at,
        )
    )
    return [Neighbour(row.drone_name, plan_from_json(row.plan), share_of_row(row)) for row in rows]


def share_of_row(row: models.Mission) -> Share | None:
    """Which part of an area the mission flies; None for all of it."""
    stored = row.params.get("share")
    if not stored:
        return None
    return Share(stored["part"], stored["of"], Separation(stored["separation"]))


def forecast(
    session: Session, actor: Actor, drone_id: int, start: datetime, until: datetime
) -> Weather:
    """The worst that is forecast while the flight may be in the air, and the drone's limits."""
    expected = fleet.expected_weather(session, actor, start, until)
    model = fleet.drone_detail(session, actor, drone_id, start).model
    return Weather(
        max((one.gust_mps for one in expected), default=None),
        max((one.rain_mm_h for one in expected), default=None),
        model.max_gust_mps,
        model.max_rain_mm_h,
    )


def _home_amsl_m(home: HomePoint, terrain: Terrain | None) -> float | None:
    """The take-off point above sea level as the terrain knows it; None where it does not."""
    if terrain is None or not terrain.tells_sea_level:
        return None
    return ground_amsl(terrain, home.lat_deg, home.lon_deg).metres


def _weighed(
    actor: Actor, findings: tuple[Finding, ...], reason: str | None
) -> tuple[Finding, ...]:
    """The findings, when no stop stands or all that stand are lifted with role and reason.

    Raises
    ------
    RulesUnmet
        A stop stands, or one that nobody may lift.
    NotAllowed
        The actor may not lift a stop.
    """
    stops = [one for one in findings if one.severity == "stop"]
    hard = [one for one in stops if one.rule in NEVER_OVERRIDDEN]
    if hard or (stops and not (reason or "").strip()):
        raise RulesUnmet("", hard or stops, field="polygon")
    if stops:
        require_role(actor, *OVERRIDERS)
        rules = ", ".join(one.rule for one in stops)
        return (*findings, finding("override", rules=rules, reason=(reason or "").strip()))
    return findings


def approve_mission(
    session: Session,
    actor: Actor,
    mission_id: int,
    now: datetime,
    *,
    reason: str | None = None,
    acknowledged: bool = False,
) -> MissionView:
    """The mission, approved for flight; the approval is bound to its hash.

    reason : why it may be flown in spite of warnings; needed when there are any.
    acknowledged : what no rule could check is looked at before take-off; needed once per plan
    where there is such a thing, unless a reason in words was given for all of it.  Neither asks
    for a role beyond planning: nothing that is known speaks against the flight.

    Raises
    ------
    Conflict
        It is not a draft any more.
    RulesUnmet
        There are warnings without a reason, unchecked rules that nobody has acknowledged, or a stop
        that came since it was planned: a zone that was published, a forecast.
    """
    require_role(actor, *PLANNERS)
    row = mission_row(session, actor, mission_id)
    session.refresh(row, with_for_update=True)
    if row.state != MissionState.DRAFT:
        raise Conflict(
            "mission {mission_id} is {state}, only a draft can be approved",
            mission_id=mission_id,
            state=row.state,
        )
    since = found_since(session, actor, row, row.start_at, row.end_at)
    bars = [one for one in since if one.severity == "stop"]
    if bars:
        raise RulesUnmet(PLAN_AGAIN, bars, field="plan")
    findings = (*findings_from_json(row.findings), *since)
    row.findings = findings_to_json(findings)
    warnings = [one for one in findings if one.severity == "warn"]
    unchecked = [one for one in findings if one.severity == "unchecked"]
    reasoned = bool((reason or "").strip())
    if warnings and not reasoned:
        raise RulesUnmet("say why it may be flown in spite of", warnings, field="reason")
    if unchecked and not (acknowledged or reasoned):
        what = "acknowledge what no rule could check"
        raise RulesUnmet(what, unchecked, field="acknowledged")
    row.state = MissionState.APPROVED.value
    row.approved_at = now
    row.approved_by = actor.user_id or None
    audit.append(
        session,
        actor,
        action="mission.approve",
        subject=f"mission:{row.id}",
        reason=reason,
        facts={
            "hash": row.mission_hash,
            "warnings": [one.text for one in warnings],
            "unchecked": [one.text for one in unchecked],
        },
        at=now,
    )
    return mission_view(row)


def found_since(
    session: Session, actor: Actor, row: models.Mission, start: datetime, until: datetime
) -> tuple[Finding, ...]:
    """Warnings and stops of today's zones and forecasts that the mission's findings do not hold.

    start, until : when the flight may begin.
    """
    plan = plan_from_json(row.plan)
    landed = until + timedelta(seconds=plan.duration_s)
    weather = forecast(session, actor, row.drone_id, start, landed)
    stored = findings_from_json(row.findings)
    news = came_since(plan, stored, stored_geozones(session), weather, start, until)
    return (*news, *met_since(session, row, plan, stored, (start, until)))


def cancel_mission(session: Session, actor: Actor, mission_id: int, now: datetime) -> MissionView:
    """The mission, withdrawn before it flew."""
    require_role(actor, *PLANNERS)
    row = mission_row(session, actor, mission_id)
    session.refresh(row, with_for_update=True)
    if row.state not in (MissionState.DRAFT, MissionState.APPROVED):
        raise Conflict(
            "mission {mission_id} is {state} and cannot be withdrawn",
            mission_id=mission_id,
            state=row.state,
        )
    row.state = MissionState.CANCELLED.value
    audit.append(session, actor, action="mission.cancel", subject=f"mission:{row.id}", at=now)
    return mission_view(row)


def approved_by_this_form(
    session: Session, actor: Actor, mission_id: int, reason: str | None
) -> bool:
    """Whether the actor has approved the mission with the same reason: a form sent twice."""
    require_role(actor, *PLANNERS)
    row = mission_row(session, actor, mission_id)
    return row.state == MissionState.APPROVED and approved_so(session, actor, row.id, reason)


def planned_for(session: Session, actor: Actor, assignment_id: int) -> list[MissionView]:
    """What is planned for an assignment and neither flown nor withdrawn, the oldest first."""
    require_role(actor, *PLANNERS)
    fleet.get_assignment(session, actor, assignment_id)
    return [mission_view(row) for row in live_missions(session, assignment_id)]


def list_missions(session: Session, actor: Actor, piece: Piece = WHOLE) -> list[MissionView]:
    """Missions that the actor may see, newest first."""
    query = scoped(select(models.Mission), actor, models.Mission.organisation_id)
    return [mission_view(row) for row in session.scalars(piece.of(query, models.Mission.id))]


def get_mission(session: Session, actor: Actor, mission_id: int) -> MissionView:
    """The mission; NotFound for another organisation's."""
    return mission_view(mission_row(session, actor, mission_id))


def mission_row(session: Session, actor: Actor, mission_id: int) -> models.Mission:
    """The mission's row, within the actor's scope."""
    query = scoped(select(models.Mission), actor, models.Mission.organisation_id)
    row = session.scalar(query.where(models.Mission.id == mission_id))
    if row is None:
        raise NotFound("mission", mission_id)
    return row


def mission_view(row: models.Mission) -> MissionView:
    """The row as a view."""
    return MissionView(
        id=row.id,
        organisation_id=row.organisation_id,
        request_id=row.request_id,
        assignment_id=row.assignment_id,
        drone_id=row.drone_id,
        drone_name=row.drone_name,
        pilot_id=row.pilot_id,
        state=MissionState(row.state),
        start_at=row.start_at,
        end_at=row.end_at,
        camera=row.camera,
        plan=plan_from_json(row.plan),
        findings=findings_from_json(row.findings),
        mission_hash=row.mission_hash,
        created_at=row.created_at,
        approved_at=row.approved_at,
        approved_by=row.approved_by,
        volumes=volumes_from_json(row.plan["volumes"]) if "volumes" in row.plan else None,
        fence=fence_from_json(row.plan["fence"]) if "fence" in row.plan else None,
    )


def mission_window(view: MissionView) -> tuple[datetime, datetime]:
    """When the mission may be in the air."""
    return view.start_at, view.end_at + timedelta(seconds=view.duration_s)
