"""Suppositions: solved beside the plan in force, compared, and published only as overrides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.explanations.suppositions import SUPPOSED_ID
from droneteam.fleet.service import Supposition
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors, seed
from tests.fleet.drafting import solve_draft, solve_supposed

Submit = Callable[..., int]
DAY = timedelta(days=1)


def publish(session: Session, actors: Actors) -> service.PlanView:
    plan = solve_draft(session, actors["coordinator"], NOW)
    return service.publish_plan(session, actors["coordinator"], plan.id, plan.base_plan_id, NOW)


def grounded(drone_id: int, days: int = 5) -> Supposition:
    return Supposition("drone_grounded", drone_id, NOW, NOW + days * DAY)


def ill(pilot_id: int) -> Supposition:
    return Supposition("pilot_absent", pilot_id, NOW, NOW + 5 * DAY)


def urgent(hours: float = 0.0) -> Supposition:
    return Supposition(
        "new_request",
        start_at=NOW + timedelta(hours=hours),
        end_at=NOW + timedelta(hours=hours + 3),
        lat_deg=50.84,
        lon_deg=4.35,
    )


def solve(session: Session, actors: Actors, *supposed: Supposition) -> service.PlanView:
    found = solve_supposed(session, actors["coordinator"], supposed, "what if", NOW)
    assert isinstance(found, service.PlanView)
    return found


def test_a_grounded_drone_and_an_ill_pilot_are_replaced_in_the_draft_only(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit("north")
    (given,) = publish(session, actors).assignments
    draft = solve(session, actors, grounded(given.drone_id), ill(given.pilot_id))
    (moved,) = draft.assignments
    assert moved.request_id == request_id
    assert moved.drone_id != given.drone_id
    assert given.pilot_id not in moved.crew_ids
    current = service.current_plan(session, actors["coordinator"])
    assert current is not None
    assert current.assignments == (given,)
    assert all(drone.ready for drone in service.list_drones(session, actors["pilot"], NOW))
    (row,) = service.compare_plans(session, actors["manager"], [draft.id])
    assert (row.served, row.changed, row.lost, row.won) == (1, (request_id,), (), ())


def test_an_absence_that_ends_before_the_task_changes_nothing(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("north")
    (given,) = publish(session, actors).assignments
    short = replace(grounded(given.drone_id), end_at=NOW + timedelta(hours=6))
    (kept,) = solve(session, actors, short).assignments
    assert (kept.drone_id, kept.pilot_id) == (given.drone_id, given.pilot_id)


def test_a_supposed_p0_is_answered_but_its_plan_is_never_published(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("north")
    base = publish(session, actors)
    draft = solve(session, actors, urgent())
    assert SUPPOSED_ID not in {row.request_id for row in draft.assignments}
    scenario = service.scenario_of(session, actors["manager"], draft.id)
    assert scenario is not None
    assert not scenario.publishable
    assert scenario.arrival is not None
    assert NOW < scenario.arrival <= NOW + timedelta(hours=1)
    with pytest.raises(Conflict, match="nobody submitted"):
        service.publish_plan(session, actors["coordinator"], draft.id, base.id, NOW, reason="x")
    with pytest.raises(InputError, match="one new request"):
        solve(session, actors, urgent(), urgent(1.0))


def test_a_p0_takes_the_last_crew_from_what_has_not_started_and_never_from_what_flies(
    session: Session, actors: Actors, submit: Submit
) -> None:
    """One pilot is left: a supposed P0 takes the crew before departure, not in flight."""
    demonstration = submit(
        "north", start_at=NOW + timedelta(hours=2), end_at=NOW + timedelta(hours=5)
    )
    (given,) = publish(session, actors).assignments
    others = [
        pilot.id
        for pilot in service.list_pilots(session, actors["pilot"], NOW)
        if pilot.id != given.pilot_id
    ]
    away = [ill(pilot_id) for pilot_id in others]
    before = solve(session, actors, *away, urgent(1.0))
    assert [number for number, _ in before.unserved] == [demonstration]
    service.mark_request_state(
        session, actors["pilot"], demonstration, "in_progress", given.start_at
    )
    late = given.start_at + timedelta(minutes=1)
    supposed = replace(urgent(), start_at=late, end_at=late + timedelta(hours=1))
    after = solve_supposed(session, actors["coordinator"], [*away, supposed], "in flight", late)
    assert isinstance(after, service.PlanView)
    assert [row.request_id for row in after.assignments] == [demonstration]
    scenario = service.scenario_of(session, actors["coordinator"], after.id)
    assert scenario is not None
    assert scenario.arrival is None


def test_an_override_takes_the_role_and_a_reason_and_is_on_record(
    session: Session, actors: Actors, submit: Submit
) -> None:
    keep, drop = submit("north"), submit("midi", ACCIDENT)
    base = publish(session, actors)
    for who in ("north", "pilot", "manager"):
        with pytest.raises(NotAllowed):
            solve_supposed(session, actors[who], [Supposition("left_out", drop)], "why", NOW)
    with pytest.raises(InputError, match="say why"):
        solve_supposed(session, actors["coordinator"], [Supposition("left_out", drop)], " ", NOW)
    draft = solve(session, actors, Supposition("left_out", drop))
    assert [row.request_id for row in draft.assignments] == [keep]
    assert draft.unserved[0][1][0].code == "supposed.left_out"
    with pytest.raises(InputError, match="override"):
        service.publish_plan(session, actors["coordinator"], draft.id, base.id, NOW)
    service.publish_plan(
        session, actors["coordinator"], draft.id, base.id, NOW, reason="agreed with the zone"
    )
    assert service.get_request(session, actors["midi"], drop, NOW).state == "displaced"
    entry = audit.entries(session, action="plan.override")[0]
    assert (entry.reason, entry.subject) == ("agreed with the zone", f"plan:{draft.id}")


def test_plans_are_read_side_by_side(session: Session, actors: Actors, submit: Submit) -> None:
    ids = [submit("north"), submit("midi"), submit("midi", ACCIDENT)]
    publish(session, actors)
    drafts = [
        solve(session, actors, Supposition("left_out", ids[0])),
        solve_draft(session, actors["coordinator"], NOW),
    ]
    rows = service.compare_plans(session, actors["manager"], [draft.id for draft in drafts])
    assert [row.served for row in rows] == [2, 3]
    assert rows[0].lost == (ids[0],)
    assert rows[0].unserved == (0, 0, 0, 1, 0)
    assert rows[0].jain == pytest.approx(0.5)  # one zone has all, the other nothing
    assert rows[1].jain == 1.0
    assert rows[1].changed == rows[1].lost == rows[1].won == ()
    for wrong in ([], [1, 2, 3, 4, 5]):
        with pytest.raises(InputError, match="compare"):
            service.compare_plans(session, actors["manager"], wrong)
    with pytest.raises(NotAllowed):
        service.compare_plans(session, actors["north"], [drafts[0].id])


def test_what_is_not_there_cannot_be_supposed_away(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("north")
    for wrong in (grounded(999), ill(999), Supposition("left_out", 999)):
        with pytest.raises(NotFound):
            solve(session, actors, wrong)
    with pytest.raises(InputError, match="start and end"):
        Supposition("drone_grounded", 1)
    with pytest.raises(InputError, match="not after"):
        Supposition("pilot_absent", 1, NOW, NOW)
    with pytest.raises(InputError, match="unknown"):
        Supposition("flood", 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="suppose 1 to"):
        solve(session, actors)
    with pytest.raises(NotFound):
        service.scenario_of(session, actors["manager"], 999)


def test_of_two_coordinators_who_publish_at_once_one_is_told(engine: Engine) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        for _ in range(2):
            service.submit_request(session, actors["north"], DEMONSTRATION, NOW)
        drafts = [
            solve_draft(session, actors["coordinator"], NOW).id,
            solve(session, actors, grounded(1)).id,
        ]
    barrier = threading.Barrier(2)

    def attempt(number: int) -> str:
        who = actors["coordinator" if number == 0 else "second"]
        barrier.wait(timeout=120)
        try:
            with session_scope(engine) as session:
                service.publish_plan(session, who, drafts[number], None, NOW, reason="mine")
        except Conflict as error:
            return str(error)
        return "published"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(attempt, range(2)))
    assert results.count("published") == 1
    (told,) = [text for text in results if text != "published"]
    assert "published meanwhile" in told
    with session_scope(engine) as session:
        states = [row.state for row in session.query(models.Plan).order_by(models.Plan.id)]
        assert sorted(states) == ["draft", "published"]
