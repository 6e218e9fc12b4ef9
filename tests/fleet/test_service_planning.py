"""Plans are solved, explained, published by one, and keep what has started."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import Conflict, NotAllowed, NotFound
from droneteam.fleet import service
from droneteam.fleet.explanations.explain import sentence
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.service import RequestKind, RequestState
from droneteam.fleet.terms import Window
from tests.fleet.conftest import ACCIDENT, NOW, Actors
from tests.fleet.drafting import solve_draft

Submit = Callable[..., int]


def published(session: Session, actors: Actors, now=NOW) -> service.PlanView:
    base = service.current_plan(session, actors["coordinator"])
    draft = solve_draft(session, actors["coordinator"], now)
    return service.publish_plan(
        session, actors["coordinator"], draft.id, base.id if base else None, now
    )


def test_a_photogrammetry_between_two_demonstrations_gets_camera_pilot_slot_and_why(
    session: Session, actors: Actors, submit: Submit
) -> None:
    demonstrations = [submit("north"), submit("midi", lat_deg=50.836)]
    accident = submit("midi", ACCIDENT)
    plan = published(session, actors)
    assert plan.status == "optimal"
    assert plan.unserved == ()
    by_request = {assignment.request_id: assignment for assignment in plan.assignments}
    assert set(by_request) == {*demonstrations, accident}
    given = by_request[accident]
    drones = {drone.id: drone for drone in service.list_drones(session, actors["pilot"], NOW)}
    assert "photogrammetry" in drones[given.drone_id].capabilities
    pilots = {pilot.id: pilot for pilot in service.list_pilots(session, actors["pilot"], NOW)}
    assert "photogrammetry" in {c.kind for c in pilots[given.pilot_id].credentials}
    assert ACCIDENT.start_at <= given.start_at < given.end_at <= ACCIDENT.end_at
    assert given.battery_ids
    codes = {reason.code for reason in given.why}
    assert {"drone.capable", "pilot.qualified", "slot.wanted"} <= codes
    for lang in ("fr", "nl", "en"):
        assert all(sentence(reason, lang) for reason in given.why)


def test_publishing_tells_the_requests(session: Session, actors: Actors, submit: Submit) -> None:
    served = submit()
    hopeless = submit(kind=RequestKind.PHOTOGRAMMETRY, payload="thermal")
    published(session, actors)
    view = service.get_request(session, actors["north"], served, NOW)
    assert view.state == RequestState.PLANNED
    assert view.assignment is not None
    refused = service.get_request(session, actors["north"], hopeless, NOW)
    assert refused.state == RequestState.WAITLISTED
    assert refused.explanation is not None
    assert [reason.code for reason in refused.explanation.reasons] == ["no.capability"]


def test_of_two_coordinators_who_publish_at_once_one_is_told(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit()
    first = solve_draft(session, actors["coordinator"], NOW)
    second = solve_draft(session, actors["second"], NOW)
    service.publish_plan(session, actors["coordinator"], first.id, None, NOW)
    with pytest.raises(Conflict, match="published meanwhile"):
        service.publish_plan(session, actors["second"], second.id, None, NOW)


def test_a_draft_is_stale_once_a_request_it_rests_on_is_cancelled(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    draft = solve_draft(session, actors["coordinator"], NOW)
    service.cancel_request(session, actors["north"], request_id, "event_cancelled", NOW)
    with pytest.raises(Conflict, match="solve again"):
        service.publish_plan(session, actors["coordinator"], draft.id, None, NOW)


def test_a_plan_is_published_once(session: Session, actors: Actors, submit: Submit) -> None:
    submit()
    plan = published(session, actors)
    with pytest.raises(Conflict, match="published already"):
        service.publish_plan(session, actors["coordinator"], plan.id, plan.id, NOW)


def test_one_more_request_changes_nothing_of_what_was_published(
    session: Session, actors: Actors, submit: Submit
) -> None:
    for _ in range(3):
        submit()
    before = published(session, actors)
    submit("midi", ACCIDENT)
    after = published(session, actors)
    kept = {a.request_id: (a.drone_id, a.crew_ids, a.start_at) for a in after.assignments}
    for assignment in before.assignments:
        expected = (assignment.drone_id, assignment.crew_ids, assignment.start_at)
        assert kept[assignment.request_id] == expected
    assert {term.name: term.value for term in after.terms}["changes"] == 0


def test_a_started_mission_keeps_its_drone_in_every_later_plan(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    plan = published(session, actors)
    given = plan.assignments[0]
    service.mark_request_state(
        session, actors["pilot"], request_id, RequestState.IN_PROGRESS, given.start_at
    )
    emergency = submit(
        "midi",
        priority="P0",
        kind=RequestKind.SEARCH,
        start_at=given.start_at,
        end_at=given.end_at,
    )
    later = published(session, actors, now=given.start_at + timedelta(minutes=5))
    by_request = {assignment.request_id: assignment for assignment in later.assignments}
    assert by_request[request_id].drone_id == given.drone_id
    assert by_request[request_id].start_at == given.start_at
    assert by_request[emergency].drone_id != given.drone_id
    assert not set(by_request[emergency].crew_ids) & set(given.crew_ids)
    assert not set(by_request[emergency].battery_ids) & set(given.battery_ids)


def test_more_demonstrations_than_pilots_leave_some_waiting_with_reasons_and_a_way_out(
    session: Session, actors: Actors, submit: Submit
) -> None:
    ids = [submit("north" if n % 2 else "midi") for n in range(9)]
    plan = published(session, actors)
    assert plan.status == "optimal"
    assert len(plan.assignments) == 7
    waiting = dict(plan.unserved)
    assert len(waiting) == 2
    for request_id, reasons in waiting.items():
        assert request_id in ids
        assert "all.pilots" in {reason.code for reason in reasons}
        assert {"if.later", "if.displaced"} <= {r.code for r in plan.changes[request_id]}


def test_a_p0_displaces_and_the_displaced_zone_reads_it(
    session: Session, actors: Actors, submit: Submit
) -> None:
    ids = [submit("north") for _ in range(7)]
    published(session, actors)
    submit("midi", priority="P0", kind=RequestKind.SEARCH)
    published(session, actors)
    states = [service.get_request(session, actors["north"], i, NOW).state for i in ids]
    assert states.count(RequestState.DISPLACED) == 1
    assert states.count(RequestState.PLANNED) == 6


def test_a_requester_sees_only_own_assignments_and_nobody_elses_numbers(
    session: Session, actors: Actors, submit: Submit
) -> None:
    own = [submit("north") for _ in range(4)]
    foreign = [submit("midi") for _ in range(5)]
    published(session, actors)
    seen = service.current_plan(session, actors["north"])
    assert seen is not None
    assert {assignment.request_id for assignment in seen.assignments} <= set(own)
    assert {request_id for request_id, _ in seen.unserved} <= set(own)
    for view in service.list_requests(session, actors["north"], NOW):
        assert view.id in own
        if view.explanation:
            for reason in (*view.explanation.reasons, *view.explanation.changes):
                numbers = str(reason.params.get("requests", reason.params.get("request", "")))
                assert not {int(n) for n in numbers.split(", ") if n.isdigit()} & set(foreign)
    full = service.current_plan(session, actors["coordinator"])
    assert full is not None
    other = next(a for a in full.assignments if a.request_id in foreign)
    with pytest.raises(NotFound):
        service.get_assignment(session, actors["north"], other.id)
    assert service.get_assignment(session, actors["midi"], other.id).request_id in foreign


def test_a_grounded_drone_is_not_planned_until_a_second_person_releases_it(
    session: Session, actors: Actors, submit: Submit
) -> None:
    able = [
        drone.id
        for drone in service.list_drones(session, actors["pilot"], NOW)
        if "photogrammetry" in drone.capabilities
    ]
    defects = [
        service.report_defect(session, actors["pilot"], drone, "cracked arm", NOW) for drone in able
    ]
    request_id = submit("midi", ACCIDENT)
    plan = solve_draft(session, actors["coordinator"], NOW)
    reasons = dict(plan.unserved)[request_id]
    assert {reason.code for reason in reasons} == {"drone.defect"}
    with pytest.raises(NotAllowed, match="second person"):
        service.release_defect(session, actors["pilot"], defects[0], NOW)
    service.release_defect(session, actors["coordinator"], defects[0], NOW)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert [a.drone_id for a in plan.assignments] == [able[0]]


def test_a_class_that_takes_two_pilots_gets_two_and_says_so_where_there_is_one(
    session: Session, actors: Actors, submit: Submit
) -> None:
    classes = {**SLA_V1["classes"], "P3": {**SLA_V1["classes"]["P3"], "crew": 2}}
    service.edit_version(session, actors["manager"], 1, {**SLA_V1, "classes": classes}, NOW)
    request_id = submit()
    draft = solve_draft(session, actors["coordinator"], NOW)
    (given,) = draft.assignments
    assert len(set(given.crew_ids)) == 2
    absent = Window(NOW, NOW + timedelta(days=3))
    for pilot in service.list_pilots(session, actors["pilot"], NOW)[1:]:
        service.add_absence(session, actors["coordinator"], pilot.id, absent, "illness", NOW)
    alone = solve_draft(session, actors["coordinator"], NOW)
    assert alone.assignments == ()
    ((number, reasons),) = alone.unserved
    assert number == request_id
    assert {reason.code for reason in reasons} == {"pilot.absent"}


@pytest.mark.parametrize("missing", ["pilots", "drones", "both"])
def test_where_no_plan_is_possible_each_request_says_why(
    session: Session, actors: Actors, submit: Submit, missing: str
) -> None:
    asked = {submit(), submit("midi", ACCIDENT), submit("north", priority="P0")}
    coordinator = actors["coordinator"]
    absent = Window(NOW, NOW + timedelta(days=3))
    if missing in ("pilots", "both"):
        for pilot in service.list_pilots(session, actors["pilot"], NOW):
            service.add_absence(session, coordinator, pilot.id, absent, "illness", NOW)
    if missing in ("drones", "both"):
        for drone in service.list_drones(session, actors["pilot"], NOW):
            service.report_defect(session, actors["pilot"], drone.id, "motor 2 is loose", NOW)
    draft = solve_draft(session, coordinator, NOW)
    assert draft.assignments == ()
    assert draft.status == "optimal"
    assert {number for number, _ in draft.unserved} == asked
    named = {"pilots": {"pilot.absent"}, "drones": {"drone.defect"}, "both": {"drone.defect"}}
    for _, reasons in draft.unserved:
        assert {reason.code for reason in reasons} >= named[missing]
        for lang in ("fr", "nl", "en"):
            assert all(sentence(reason, lang) for reason in reasons)
