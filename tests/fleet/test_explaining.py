"""Why, as things stand now: each answer is proven, and a zone reads nothing of another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from benchmarks.instances import small
from droneteam.errors import NotFound
from droneteam.fleet import service
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.explaining import substitutes
from droneteam.fleet.explanations.explain import sentence
from droneteam.fleet.explanations.sentences import LANGUAGES
from droneteam.fleet.terms import Reason
from tests.fleet import oracle
from tests.fleet.conftest import ACCIDENT, NOW, Actors
from tests.fleet.drafting import solve_draft
from tests.fleet.test_allocation import job, problem_of

Submit = Callable[..., int]


def publish(session: Session, actors: Actors) -> service.PlanView:
    plan = solve_draft(session, actors["coordinator"], NOW)
    return service.publish_plan(session, actors["coordinator"], plan.id, plan.base_plan_id, NOW)


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


def test_a_served_request_says_who_would_step_in(
    session: Session, actors: Actors, submit: Submit
) -> None:
    number = submit("north")
    (given,) = publish(session, actors).assignments
    found = service.explain_request(session, actors["north"], number, NOW)
    assert found.verdict == "served"
    assert found.reasons == given.why
    assert codes(found.changes) == ["without.other", "without.other"]
    drone, pilot = found.changes
    assert drone.params["name"] == given.drone_name
    assert drone.params["instead"] != given.drone_name
    assert pilot.params["name"] == given.pilot_name
    for language in LANGUAGES:
        assert given.drone_name in sentence(drone, language)


@pytest.mark.parametrize("block", range(3))
def test_a_substitute_is_named_exactly_where_brute_force_finds_one(block: int) -> None:
    """Without its drone or its pilot, nothing else moved: every choice of the oracle is tried."""
    both = set()
    for seed in range(40 * block, 40 * block + 40):
        problem = small(seed)
        plan = solve(problem)
        for own in plan.assignments:
            asked = problem.job(own.request_id)
            assert asked is not None
            others = [a for a in plan.assignments if a is not own]
            said = substitutes(problem, others, asked, own)
            lost = [("drone", own.drone_id), *(("pilot", number) for number in own.pilot_ids)]
            for reason, (what, number) in zip(said, lost, strict=True):
                possible = [
                    one
                    for one in oracle._choices(problem, asked)
                    if (one.drone_id != number if what == "drone" else number not in one.pilot_ids)
                    and oracle._works(problem, [*others, one])
                ]
                assert (reason.code == "without.other") is bool(possible), (seed, own.request_id)
                both.add(reason.code)
    assert both == {"without.other", "without.nobody"}


def test_the_only_drone_has_no_substitute() -> None:
    problem = problem_of(job(), drones=1, pilots=2)
    (own,) = solve(problem).assignments
    asked = problem.jobs[0]
    drone, pilot = substitutes(problem, [], asked, own)
    assert (drone.code, drone.params["name"]) == ("without.nobody", "drone-1")
    assert pilot.code == "without.other"


def test_a_request_after_the_plan_is_told_at_once_whether_there_is_a_place(
    session: Session, actors: Actors, submit: Submit
) -> None:
    publish(session, actors)
    number = submit("north")
    found = service.explain_request(session, actors["north"], number, NOW)
    assert found.verdict == "pending"
    assert codes(found.reasons) == ["not_in_plan", "answer.free"]


def test_the_reasons_are_those_of_now_and_not_of_the_day_of_the_plan(
    session: Session, actors: Actors, submit: Submit
) -> None:
    """Both photogrammetry drones are grounded after the plan; one comes back."""
    number = submit("north", ACCIDENT)
    able = [
        drone
        for drone in service.list_drones(session, actors["pilot"], NOW)
        if "photogrammetry" in drone.capabilities
    ]
    defects = [
        service.report_defect(session, actors["pilot"], drone.id, "cracked arm", NOW)
        for drone in able
    ]
    publish(session, actors)
    found = service.explain_request(session, actors["north"], number, NOW)
    assert found.verdict == "unserved"
    assert {reason.code for reason in found.reasons} == {"drone.defect"}
    service.release_defect(session, actors["coordinator"], defects[0], NOW)
    later = service.explain_request(session, actors["north"], number, NOW)
    assert codes(later.reasons) == ["not_in_plan", "answer.free"]


def test_a_zone_reads_no_number_of_another_zones_request(
    session: Session, actors: Actors, submit: Submit
) -> None:
    able = [
        drone
        for drone in service.list_drones(session, actors["pilot"], NOW)
        if "photogrammetry" in drone.capabilities
    ]
    for drone in able[1:]:
        service.report_defect(session, actors["pilot"], drone.id, "kept out", NOW)
    window = {"start_at": ACCIDENT.start_at, "end_at": ACCIDENT.start_at + timedelta(hours=1)}
    theirs = submit("midi", ACCIDENT, **window)
    publish(session, actors)
    mine = submit("north", ACCIDENT, **window)
    with pytest.raises(NotFound):
        service.explain_request(session, actors["midi"], mine, NOW)
    to_me = service.explain_request(session, actors["north"], mine, NOW)
    to_team = service.explain_request(session, actors["coordinator"], mine, NOW)
    assert to_me.verdict == to_team.verdict == "unserved"
    shown = [*to_me.reasons, *to_me.changes]
    assert shown
    assert all(str(theirs) not in str(reason.params.get("requests", "")) for reason in shown)
    assert all("request" not in reason.params for reason in shown)
    assert any(str(theirs) == reason.params.get("requests") for reason in to_team.reasons)
    assert "if.displaced" in codes(to_team.changes)
    assert "if.displaced" not in codes(to_me.changes)


def test_a_closed_request_and_a_draft_are_not_fitted(
    session: Session, actors: Actors, submit: Submit
) -> None:
    number = submit("north")
    publish(session, actors)
    code = service.current_document(session, NOW)[1]["cancellation_codes"][0]
    service.cancel_request(session, actors["north"], number, code, NOW)
    found = service.explain_request(session, actors["north"], number, NOW)
    assert (found.verdict, codes(found.reasons), found.changes) == ("pending", ["not_in_plan"], ())
    draft = service.save_draft(
        session, actors["north"], replace(ACCIDENT, unfinished=True, legal_basis=""), NOW
    )
    assert service.explain_request(session, actors["north"], draft.id, NOW).verdict == "pending"
