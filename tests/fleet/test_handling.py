"""A request's whole way: draft, submission, assessment, confirmation, displacement, series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.service import RequestState
from droneteam.fleet.terms import Window
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors
from tests.fleet.drafting import solve_draft

Submit = Callable[..., int]
SKETCH = replace(DEMONSTRATION, legal_basis="", contact="", unfinished=True)


def test_a_draft_runs_no_clock_and_is_seen_by_its_own_zone_only(
    session: Session, actors: Actors
) -> None:
    view = service.save_draft(session, actors["north"], SKETCH, NOW)
    assert (view.state, view.clocks) == (RequestState.DRAFT, ())
    assert view.missing == ("legal_basis", "contact")
    for other in ("midi", "coordinator", "manager"):
        assert service.list_requests(session, actors[other]) == []
        with pytest.raises(NotFound):
            service.get_request(session, actors[other], view.id)
    assert [row.id for row in service.list_requests(session, actors["north"])] == [view.id]
    assert service.due_escalations(session, NOW + timedelta(days=30)) == []


def test_a_draft_is_submitted_when_nothing_is_missing_and_starts_its_clocks_then(
    session: Session, actors: Actors
) -> None:
    north = actors["north"]
    view = service.save_draft(session, north, SKETCH, NOW)
    with pytest.raises(InputError, match="legal_basis"):
        service.submit_draft(session, north, view.id, NOW)
    whole = replace(DEMONSTRATION, title="Another title", unfinished=True)
    service.save_draft(session, north, whole, NOW, request_id=view.id)
    manager, later = actors["manager"], NOW + timedelta(hours=2)
    service.add_version(session, manager, SLA_V1, NOW + timedelta(hours=1), NOW)
    sent = service.submit_draft(session, north, view.id, later)
    assert (sent.id, sent.state, sent.title) == (view.id, RequestState.SUBMITTED, "Another title")
    assert {clock.started_at for clock in sent.clocks} == {later}
    assert sent.sla_version == 2
    with pytest.raises(Conflict, match="no draft any more"):
        service.save_draft(session, north, whole, later, request_id=view.id)
    with pytest.raises(Conflict, match="no draft any more"):
        service.submit_draft(session, north, view.id, later)


def test_a_draft_is_neither_submitted_as_it_is_nor_after_its_window(
    session: Session, actors: Actors
) -> None:
    with pytest.raises(InputError, match="unfinished"):
        service.submit_request(session, actors["north"], SKETCH, NOW)
    with pytest.raises(InputError, match="is submitted"):
        service.save_draft(session, actors["north"], DEMONSTRATION, NOW)
    whole = replace(DEMONSTRATION, unfinished=True)
    view = service.save_draft(session, actors["north"], whole, NOW)
    with pytest.raises(InputError, match="before now"):
        service.submit_draft(session, actors["north"], view.id, whole.end_at)
    with pytest.raises(NotFound):
        service.submit_draft(session, actors["midi"], view.id, NOW)


def test_assessing_may_change_the_class_with_a_reason_and_moves_the_clocks(
    session: Session, actors: Actors, submit: Submit
) -> None:
    coordinator, request_id = actors["coordinator"], submit("north", ACCIDENT)
    with pytest.raises(NotAllowed):
        service.triage_request(session, actors["north"], request_id, NOW)
    with pytest.raises(InputError, match="why the priority changes"):
        service.triage_request(session, coordinator, request_id, NOW, priority="P1")
    with pytest.raises(InputError, match="P9"):
        service.triage_request(session, coordinator, request_id, NOW, priority="P9", reason="x")
    at = NOW + timedelta(minutes=1)
    view = service.triage_request(
        session, coordinator, request_id, at, priority="P1", reason="road closed both ways"
    )
    assert (view.state, view.priority) == (RequestState.TRIAGED, "P1")
    assert view.clocks[0].met_at == at  # who assesses has received
    assert view.clocks[1].due_at == NOW + timedelta(minutes=5)
    facts = service.request_history(session, actors["north"], request_id)[-1].facts
    assert facts["priority_before"] == "P2"
    assert facts["reason"] == "road closed both ways"


def test_a_planned_request_is_confirmed_displaced_and_planned_again(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id, coordinator = submit("north"), actors["coordinator"]
    with pytest.raises(Conflict):
        service.confirm_request(session, actors["north"], request_id, NOW)
    service.book_request(session, coordinator, request_id, NOW)
    with pytest.raises(NotFound):
        service.confirm_request(session, actors["midi"], request_id, NOW)
    service.confirm_request(session, actors["north"], request_id, NOW)
    drones = [row.id for row in service.list_drones(session, coordinator, NOW)]
    defects = [
        service.report_defect(session, actors["pilot"], drone_id, "cracked arm", NOW)
        for drone_id in drones
    ]
    _publish(session, actors)
    assert service.get_request(session, actors["north"], request_id).state == "displaced"
    for defect in defects:
        service.release_defect(session, coordinator, defect, NOW)
    _publish(session, actors)
    last = service.request_history(session, actors["north"], request_id)[-1]
    assert (last.state, last.facts["replanned"]) == (RequestState.PLANNED, True)


def _publish(session: Session, actors: Actors) -> None:
    plan = solve_draft(session, actors["coordinator"], NOW)
    service.publish_plan(session, actors["coordinator"], plan.id, plan.base_plan_id, NOW)


def test_a_series_is_stored_whole_or_not_at_all_and_once(session: Session, actors: Actors) -> None:
    north = actors["north"]
    first = Window(DEMONSTRATION.start_at, DEMONSTRATION.end_at)
    slots = service.occurrences("FREQ=WEEKLY;COUNT=5", first)
    made = service.submit_series(session, north, DEMONSTRATION, slots, NOW, submit_key="form-1")
    again = service.submit_series(session, north, DEMONSTRATION, slots, NOW, submit_key="form-1")
    assert [view.id for view in made] == [view.id for view in again]
    assert len({view.series for view in made}) == 1
    assert [view.start_at - made[0].start_at for view in made] == [
        timedelta(weeks=week) for week in range(5)
    ]
    before = session.query(models.Request).count()
    past = Window(NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    for bad in ((), (first, first), (past, first)):
        with pytest.raises(InputError), session.begin_nested():
            service.submit_series(session, north, DEMONSTRATION, bad, NOW)
    assert session.query(models.Request).count() == before


def test_cancelling_a_series_leaves_what_has_begun(session: Session, actors: Actors) -> None:
    north = actors["north"]
    first = Window(DEMONSTRATION.start_at, DEMONSTRATION.end_at)
    slots = service.occurrences("FREQ=DAILY;COUNT=3", first)
    made = service.submit_series(session, north, DEMONSTRATION, slots, NOW)
    series = made[0].series
    assert series is not None
    service.book_request(session, north, made[0].id, NOW)
    service.mark_request_state(session, actors["pilot"], made[0].id, "in_progress", first.start_at)
    with pytest.raises(NotFound):
        service.cancel_series(session, actors["midi"], series, "event_cancelled", NOW)
    left = service.cancel_series(session, north, series, "event_cancelled", first.start_at)
    assert [view.state.value for view in left] == ["in_progress", "cancelled", "cancelled"]
