"""Instant answers are honest, and the last free drone goes to exactly one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.db import session_scope
from droneteam.errors import Conflict
from droneteam.fleet import models, service
from droneteam.fleet.service import RequestDraft, RequestKind
from droneteam.fleet.terms import Reason, Window
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors, seed
from tests.fleet.drafting import solve_draft

Submit = Callable[..., int]


def codes(answer: service.Answer) -> set[str]:
    return {reason.code for reason in answer.reasons}


def test_an_empty_day_says_yes(session: Session, actors: Actors) -> None:
    answer = service.instant_answer(session, actors["north"], ACCIDENT, NOW)
    assert (answer.verdict, answer.from_at) == ("yes", ACCIDENT.start_at)
    assert "answer.free" in codes(answer)


def test_short_notice_is_said_and_forbids_nothing(session: Session, actors: Actors) -> None:
    answer = service.instant_answer(session, actors["north"], DEMONSTRATION, NOW)
    assert answer.verdict == "yes"
    assert "lead_time.short" in codes(answer)


@pytest.mark.parametrize(("rivals", "verdict"), [(1, "yes"), (6, "yes"), (7, "maybe")])
def test_rivals_make_it_a_maybe_where_there_is_not_enough_for_all(
    session: Session, actors: Actors, submit: Submit, rivals: int, verdict: str
) -> None:
    """Seven pilots: with six who wait there is one left, with seven there is none for sure."""
    for _ in range(rivals):
        submit("midi")
    answer = service.instant_answer(session, actors["north"], DEMONSTRATION, NOW)
    assert answer.verdict == verdict
    assert ("answer.enough" if verdict == "yes" else "answer.competes") in codes(answer)


def test_a_rival_that_nobody_can_serve_takes_nothing(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("midi", payload="thermal", low_noise=True)
    answer = service.instant_answer(session, actors["north"], DEMONSTRATION, NOW)
    assert answer.verdict == "yes"


def test_a_requester_reads_which_class_of_another_zone_might_give_way(
    session: Session, actors: Actors, submit: Submit
) -> None:
    for _ in range(7):
        number = submit("midi", priority="P4")
        service.book_request(session, actors["coordinator"], number, NOW)
    urgent = replace(DEMONSTRATION, priority="P1", kind=RequestKind.SEARCH)
    answer = service.instant_answer(session, actors["north"], urgent, NOW)
    assert answer.verdict == "maybe"
    assert Reason("answer.gives_way", {"class": "P4"}) in answer.reasons
    assert "if.displaced" not in codes(answer)


def test_a_full_day_says_no_and_from_when_yes(
    session: Session, actors: Actors, submit: Submit
) -> None:
    for _ in range(7):
        service.book_request(session, actors["coordinator"], submit("midi"), NOW)
    answer = service.instant_answer(session, actors["north"], DEMONSTRATION, NOW)
    assert answer.verdict == "no"
    assert "all.pilots" in codes(answer)
    assert answer.from_at is not None
    moved = replace(
        DEMONSTRATION,
        start_at=answer.from_at,
        end_at=answer.from_at + (DEMONSTRATION.end_at - DEMONSTRATION.start_at),
    )
    assert service.instant_answer(session, actors["north"], moved, NOW).verdict == "yes"


def test_a_life_in_danger_may_displace_a_demonstration(
    session: Session, actors: Actors, submit: Submit
) -> None:
    for _ in range(7):
        service.book_request(session, actors["coordinator"], submit("north"), NOW)
    urgent = replace(DEMONSTRATION, priority="P0", kind=RequestKind.SEARCH)
    answer = service.instant_answer(session, actors["coordinator"], urgent, NOW)
    assert answer.verdict == "maybe"
    assert "if.displaced" in codes(answer)


def test_what_no_drone_can_do_is_a_no(session: Session, actors: Actors) -> None:
    draft = replace(DEMONSTRATION, low_noise=True)
    answer = service.instant_answer(session, actors["north"], draft, NOW)
    assert (answer.verdict, answer.from_at) == ("no", None)
    assert "no.capability" in codes(answer)


def test_a_passed_window_is_a_no(session: Session, actors: Actors) -> None:
    past = replace(DEMONSTRATION, start_at=NOW - timedelta(hours=3), end_at=NOW)
    assert service.instant_answer(session, actors["north"], past, NOW).verdict == "no"


def test_a_zone_over_its_share_is_told(session: Session, actors: Actors, submit: Submit) -> None:
    request_id = submit("north")
    session.add(
        models.LedgerRow(
            organisation_id=actors["north"].organisation_id,
            request_id=request_id,
            at=NOW - timedelta(days=1),
            crew_min=10_000_000,
            priority="P3",
        )
    )
    session.flush()
    answer = service.instant_answer(session, actors["north"], DEMONSTRATION, NOW)
    assert "entitlement.exceeded" in codes(answer)
    assert "entitlement.exceeded" not in codes(
        service.instant_answer(session, actors["midi"], DEMONSTRATION, NOW)
    )


def test_a_booking_comes_with_its_reasons_and_booking_again_gives_the_same(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit("midi", ACCIDENT)
    first = service.book_request(session, actors["midi"], request_id, NOW)
    again = service.book_request(session, actors["midi"], request_id, NOW)
    assert first.assignment is not None
    assert first.assignment == again.assignment
    assert "drone.capable" in {reason.code for reason in first.assignment.why}
    view = service.get_request(session, actors["midi"], request_id, NOW)
    assert view.state == "planned"
    assert view.assignment == first.assignment


def test_a_booking_without_room_says_why_and_changes_nothing(
    session: Session, actors: Actors, submit: Submit
) -> None:
    ids = [submit("north") for _ in range(8)]
    results = [service.book_request(session, actors["coordinator"], i, NOW) for i in ids]
    assert [result.assignment is not None for result in results] == [True] * 7 + [False]
    assert "all.pilots" in {reason.code for reason in results[-1].reasons}
    assert service.get_request(session, actors["north"], ids[-1], NOW).state == "submitted"


def test_a_closed_request_is_not_booked(session: Session, actors: Actors, submit: Submit) -> None:
    request_id = submit()
    service.cancel_request(session, actors["north"], request_id, "event_cancelled", NOW)
    with pytest.raises(Conflict, match="cannot be booked"):
        service.book_request(session, actors["north"], request_id, NOW)


def test_a_booking_makes_an_older_draft_stale(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit()
    draft = solve_draft(session, actors["coordinator"], NOW)
    service.book_request(session, actors["midi"], submit("midi"), NOW)
    with pytest.raises(Conflict):
        service.publish_plan(session, actors["coordinator"], draft.id, None, NOW)


def test_of_many_concurrent_bookings_of_the_last_drone_exactly_one_wins(engine: Engine) -> None:
    """Photogrammetry drones are two; one is grounded, so that the other is the last."""
    actors = seed(engine)
    with session_scope(engine) as session:
        able = [
            drone.id
            for drone in service.list_drones(session, actors["pilot"], NOW)
            if "photogrammetry" in drone.capabilities
        ]
        for drone_id in able[1:]:
            service.report_defect(session, actors["pilot"], drone_id, "lost propeller", NOW)
        hour_long = replace(ACCIDENT, end_at=ACCIDENT.start_at + timedelta(hours=1))
        ids = [_submitted(session, actors, number, hour_long) for number in range(12)]
    results = _book_all_at_once(engine, actors["coordinator"], ids * 2)
    winners = {result.assignment.id for result in results if result.assignment is not None}
    assert len(winners) == 1
    assert sum(result.assignment is not None for result in results) == 2  # the winner, twice
    with session_scope(engine) as session:
        _no_double_bookings(session)


def _submitted(session: Session, actors: Actors, number: int, draft: RequestDraft) -> int:
    actor = actors["north" if number % 2 else "midi"]
    return service.submit_request(session, actor, draft, NOW).id


def test_concurrent_bookings_fill_the_team_and_never_double_book(engine: Engine) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        ids = [_submitted(session, actors, number, DEMONSTRATION) for number in range(10)]
    results = _book_all_at_once(engine, actors["coordinator"], ids)
    assert sum(result.assignment is not None for result in results) == 7
    with session_scope(engine) as session:
        _no_double_bookings(session)


def _book_all_at_once(engine: Engine, actor: Actor, ids: list[int]) -> list[service.Booking]:
    barrier = threading.Barrier(len(ids))

    def book(request_id: int) -> service.Booking:
        barrier.wait(timeout=30)
        with session_scope(engine) as session:
            return service.book_request(session, actor, request_id, NOW)

    with ThreadPoolExecutor(len(ids)) as pool:
        return list(pool.map(book, ids, timeout=120))


def _no_double_bookings(session: Session) -> None:
    rows = session.scalars(select(models.Assignment)).all()
    for one, other in combinations(rows, 2):
        if one.taken_at < other.free_at and other.taken_at < one.free_at:
            assert one.drone_id != other.drone_id
            assert not set(one.crew_ids) & set(other.crew_ids)
            assert not set(one.battery_ids) & set(other.battery_ids)


def test_two_coordinators_who_publish_at_the_same_time_do_not_both_win(engine: Engine) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        _submitted(session, actors, 1, DEMONSTRATION)
        drafts = [solve_draft(session, actors[who], NOW).id for who in ("coordinator", "second")]
    barrier = threading.Barrier(2)

    def publish(who: str, plan_id: int) -> str:
        barrier.wait(timeout=30)
        try:
            with session_scope(engine) as session:
                service.publish_plan(session, actors[who], plan_id, None, NOW)
        except Conflict:
            return "told"
        return "published"

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(publish, ("coordinator", "second"), drafts, timeout=60))
    assert sorted(outcomes) == ["published", "told"]


def test_bookings_and_cancellations_at_once_neither_hang_nor_double_book(engine: Engine) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        ids = [_submitted(session, actors, number, DEMONSTRATION) for number in range(7)]
        booked = [
            service.book_request(session, actors["coordinator"], request_id, NOW).assignment
            for request_id in ids[:3]
        ]
    assert all(booked)
    barrier = threading.Barrier(len(ids))

    def act(request_id: int) -> str:
        barrier.wait(timeout=30)
        with session_scope(engine) as session:
            if request_id in ids[:3]:
                return service.cancel_request(
                    session, actors["coordinator"], request_id, "event_cancelled", NOW
                ).state
            return str(service.book_request(session, actors["coordinator"], request_id, NOW))

    with ThreadPoolExecutor(len(ids)) as pool:
        list(pool.map(act, ids, timeout=60))
    with session_scope(engine) as session:
        states = [view.state for view in service.list_requests(session, actors["coordinator"], NOW)]
        assert states.count("cancelled") == 3
        assert states.count("planned") == 4


def test_a_time_far_ahead_that_is_taken_names_when_it_is_free_there(
    session: Session, actors: Actors
) -> None:
    start_at = NOW + timedelta(days=40)
    window = Window(start_at, start_at + timedelta(hours=3))
    for pilot in service.list_pilots(session, actors["coordinator"], NOW):
        service.add_absence(session, actors["coordinator"], pilot.id, window, "course", NOW)
    draft = replace(DEMONSTRATION, start_at=window.start_at, end_at=window.end_at)
    answer = service.instant_answer(session, actors["north"], draft, NOW)
    assert answer.verdict == "no"
    assert answer.from_at is not None
    assert window.end_at < answer.from_at < window.end_at + timedelta(hours=3)


def test_a_window_that_has_passed_is_no_matter_of_short_notice(
    session: Session, actors: Actors
) -> None:
    gone = NOW - timedelta(days=3)
    draft = replace(DEMONSTRATION, start_at=gone, end_at=gone + timedelta(hours=1))
    answer = service.instant_answer(session, actors["north"], draft, NOW)
    assert [reason.code for reason in answer.reasons] == ["window.past"]
