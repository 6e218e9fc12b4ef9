"""A request that loses its drone: its zone reads why, and nothing else counts as giving way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from icalendar import Calendar, Event
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.fleet import models, service
from droneteam.fleet.explanations.explain import sentence
from droneteam.fleet.performance.figures import load_journeys
from droneteam.fleet.service import RequestState
from droneteam.fleet.terms import RequestKind, Window
from tests.fleet.conftest import NOW, Actors
from tests.fleet.drafting import solve_draft, solve_supposed

Submit = Callable[..., int]
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def full(session: Session, actors: Actors, submit: Submit) -> service.PlanView:
    """A published plan in which every pilot is out at one time for a P4 of the north zone."""
    pilots = service.list_pilots(session, actors["pilot"], NOW)
    for _ in pilots:
        submit("north", priority="P4")
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert len(plan.assignments) == len(pilots)
    return service.publish_plan(session, actors["coordinator"], plan.id, None, NOW)


def publish(session: Session, actors: Actors, reason: str = "") -> service.PlanView:
    """The best plan for what is there an hour later, in force."""
    me = actors["coordinator"]
    draft = solve_draft(session, me, LATER)
    return service.publish_plan(session, me, draft.id, draft.base_plan_id, LATER, reason=reason)


def only_displaced(session: Session, actors: Actors) -> service.DisplacedView:
    (found,) = service.list_displaced(session, actors["coordinator"])
    return found


def search(submit: Submit) -> int:
    """A person is missing at the hour at which everybody is out."""
    return submit("midi", kind=RequestKind.SEARCH, priority="P0")


def test_who_gave_way_to_an_emergency_reads_for_which_class_and_not_for_whom(
    session: Session, actors: Actors, submit: Submit, full: service.PlanView
) -> None:
    urgent = search(submit)
    publish(session, actors)
    lost = only_displaced(session, actors)
    assert lost.by == (urgent,)
    assert [reason.code for reason in lost.reasons] == ["lost.urgent"]
    assert "(P0)" in sentence(lost.reasons[0], "nl")
    (own,) = service.list_displaced(session, actors["north"])
    assert (own.request_id, own.by, own.reasons) == (lost.request_id, (), lost.reasons)
    assert service.list_displaced(session, actors["midi"]) == []
    last = service.request_history(session, actors["north"], lost.request_id)[-1]
    assert (last.state, last.facts["by"], last.facts["cause"]) == ("displaced", [], "needed")
    seen = service.request_history(session, actors["coordinator"], lost.request_id)[-1]
    assert seen.facts["by"] == [urgent]


def test_a_drone_that_fails_is_named_and_counts_as_no_displacement(
    session: Session, actors: Actors, full: service.PlanView
) -> None:
    pilot = full.assignments[0].pilot_id
    away = Window(NOW, NOW + timedelta(days=3))
    service.add_absence(session, actors["coordinator"], pilot, away, "illness", LATER)
    broken = service.explain_request(
        session, actors["north"], full.assignments[0].request_id, LATER
    ).broken
    assert [reason.code for reason in broken] == ["pilot.absent"]
    publish(session, actors)
    lost = only_displaced(session, actors)
    assert [reason.code for reason in lost.reasons] == ["pilot.absent"]
    assert lost.by == ()
    (journey,) = (one for one in load_journeys(session) if one.request_id == lost.request_id)
    assert (journey.state, journey.displaced) == (RequestState.DISPLACED, 0)


def test_who_would_have_stepped_in_but_for_an_emergency_reads_both(
    session: Session, actors: Actors, submit: Submit, full: service.PlanView
) -> None:
    """A drone breaks and an emergency comes: another drone was there, its pilot was not."""
    urgent = search(submit)
    service.report_defect(
        session, actors["pilot"], full.assignments[0].drone_id, "cracked arm", LATER
    )
    publish(session, actors)
    lost = only_displaced(session, actors)
    assert lost.request_id == full.assignments[0].request_id  # the fewest changes
    assert [reason.code for reason in lost.reasons] == ["drone.defect", "lost.urgent"]
    assert lost.by == (urgent,)
    (entry,) = audit.entries(session, action="request.displaced")
    assert entry.reason == f"needed for request {urgent}"


def test_giving_way_counts_once_in_the_balance_of_displacements(
    session: Session, actors: Actors, submit: Submit, full: service.PlanView
) -> None:
    search(submit)
    publish(session, actors)
    counts = {one.request_id: one.displaced for one in load_journeys(session)}
    assert counts.pop(only_displaced(session, actors).request_id) == 1
    assert set(counts.values()) == {0}


def test_a_request_that_the_coordinator_left_out_reads_that(
    session: Session, actors: Actors, full: service.PlanView
) -> None:
    me, number = actors["coordinator"], full.assignments[0].request_id
    supposed = service.Supposition("left_out", number, NOW, NOW + timedelta(days=3))
    draft = solve_supposed(session, me, [supposed], "royal visit", LATER)
    assert isinstance(draft, service.PlanView)
    service.publish_plan(session, me, draft.id, full.id, LATER, reason="royal visit")
    lost = only_displaced(session, actors)
    assert (lost.request_id, [reason.code for reason in lost.reasons]) == (
        number,
        ["lost.left_out"],
    )


def test_a_request_that_is_planned_again_is_displaced_no_more(
    session: Session, actors: Actors, submit: Submit, full: service.PlanView
) -> None:
    urgent = search(submit)
    publish(session, actors)
    lost = only_displaced(session, actors).request_id
    service.cancel_request(session, actors["midi"], urgent, "requester_withdrew", LATER)
    publish(session, actors)
    assert service.list_displaced(session, actors["coordinator"]) == []
    last = service.request_history(session, actors["north"], lost)[-1]
    assert (last.state, last.facts["replanned"]) == ("planned", True)


def test_a_promise_that_is_changed_leaves_what_it_was_and_what_it_is(
    session: Session, actors: Actors, submit: Submit
) -> None:
    number = submit("north")
    first = service.book_request(session, actors["north"], number, NOW).assignment
    assert first is not None
    service.confirm_request(session, actors["north"], number, NOW)
    service.report_defect(session, actors["pilot"], first.drone_id, "cracked arm", LATER)
    plan = publish(session, actors)
    (now_given,) = plan.assignments
    assert now_given.drone_id != first.drone_id
    last = service.request_history(session, actors["north"], number)[-1]
    assert last.state == RequestState.CONFIRMED
    assert last.facts["changed"][0] == "drone"
    assert last.facts["before"]["drone"] == first.drone_name
    assert last.facts["after"]["drone"] == now_given.drone_name
    (entry,) = audit.entries(session, action="request.changed")
    assert entry.subject == f"request:{number}"


def test_a_plan_that_changes_nothing_tells_nobody_anything(
    session: Session, actors: Actors, full: service.PlanView
) -> None:
    steps = session.query(models.RequestEvent).count()
    publish(session, actors)
    assert session.query(models.RequestEvent).count() == steps


def test_a_subscribed_calendar_takes_over_that_the_drone_is_gone(
    session: Session, actors: Actors, submit: Submit, full: service.PlanView
) -> None:
    _feed, token = service.make_feed(
        session, actors["north"], "zone", actors["north"].organisation_id, NOW
    )
    before = events(service.feed_text(session, token, NOW))
    search(submit)
    publish(session, actors)
    uid = f"request-{only_displaced(session, actors).request_id}@droneteam"
    then = events(service.feed_text(session, token, LATER))[uid]
    assert (str(before[uid]["status"]), str(then["status"])) == ("CONFIRMED", "TENTATIVE")
    assert int(then["sequence"]) > int(before[uid]["sequence"])
    assert then["last-modified"].dt == LATER
    assert "taken out of the plan" in str(then["description"])


def events(text: bytes) -> dict[str, Event]:
    """The calendar's events by their identity; RFC 5545 asks that SEQUENCE never falls."""
    return {str(one["uid"]): one for one in Calendar.from_ical(text).walk("VEVENT")}
