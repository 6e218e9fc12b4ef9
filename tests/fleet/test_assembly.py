"""What the allocator is told about the team at a moment of the day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.fleet import models, service
from droneteam.fleet.assembly import OVERRUN, Situation, load_situation
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors

Submit = Callable[..., int]
WEEK = timedelta(days=7)


@pytest.fixture
def booked(session: Session, actors: Actors, submit: Submit) -> service.AssignmentView:
    found = service.book_request(session, actors["coordinator"], submit(), NOW)
    assert found.assignment is not None
    return found.assignment


def busy(situation: Situation, drone_id: int) -> list[tuple[datetime, datetime]]:
    drone = next(drone for drone in situation.problem.drones if drone.id == drone_id)
    return [(window.start_at, window.end_at) for window in drone.busy]


def taken_at(session: Session, assignment: service.AssignmentView) -> datetime:
    row = session.get(models.Assignment, assignment.id)
    assert row is not None
    return row.taken_at


def test_the_whole_team_is_there_with_its_capabilities(session: Session) -> None:
    problem = load_situation(session, NOW, WEEK).problem
    assert (len(problem.drones), len(problem.pilots), len(problem.jobs)) == (10, 7, 0)
    assert sum("photogrammetry" in drone.capabilities for drone in problem.drones) == 2
    assert len(problem.packs) == 48
    assert all(claim.remaining_min > 0 for claim in problem.claims)


def test_what_was_booked_may_still_move_until_the_crew_is_called(
    session: Session, booked: service.AssignmentView
) -> None:
    called_at = taken_at(session, booked)
    before = load_situation(session, called_at - timedelta(minutes=1), WEEK)
    assert [a.request_id for a in before.standing] == [booked.request_id]
    assert before.problem.jobs[0].published is not None
    assert (before.frozen, busy(before, booked.drone_id)) == ((), [])
    after = load_situation(session, called_at, WEEK)
    assert (after.standing, after.problem.jobs) == ((), ())
    assert after.frozen == (booked.id,)
    assert busy(after, booked.drone_id) == [(called_at, booked.free_at)]


def test_a_crew_out_counts_as_work_and_its_packs_charge_after_it(
    session: Session, booked: service.AssignmentView
) -> None:
    situation = load_situation(session, booked.start_at, WEEK)
    pilot = next(p for p in situation.problem.pilots if p.id == booked.pilot_id)
    assert [window.end_at for window in pilot.worked] == [booked.free_at]
    packs = {pack.id: pack for pack in situation.problem.packs}
    kind = situation.problem.pack_type(packs[booked.battery_ids[0]].type)
    ready_at = booked.free_at + timedelta(minutes=kind.charge_min)
    assert {packs[i].charged_at for i in booked.battery_ids} == {ready_at}
    assert sum(pack.charged_at is not None for pack in packs.values()) == len(booked.battery_ids)


def test_a_mission_that_should_be_over_still_holds_its_drone(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    service.mark_request_state(
        session, actors["pilot"], booked.request_id, "in_progress", booked.start_at
    )
    late = booked.free_at + timedelta(hours=1)
    assert busy(load_situation(session, late, WEEK), booked.drone_id)[0][1] == late + OVERRUN


def test_a_mission_that_ends_early_frees_its_drone_after_the_way_home(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    closed_at = booked.start_at + timedelta(minutes=30)
    for state, at in (("in_progress", booked.start_at), ("fulfilled", closed_at)):
        service.mark_request_state(session, actors["pilot"], booked.request_id, state, at)
    homeward = booked.free_at - booked.end_at
    situation = load_situation(session, closed_at, WEEK)
    assert busy(situation, booked.drone_id)[0][1] == closed_at + homeward
    assert situation.problem.jobs == ()


def test_yesterdays_late_flight_still_counts_for_the_rest_and_last_weeks_does_not(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    for state, at in (("in_progress", booked.start_at), ("fulfilled", booked.end_at)):
        service.mark_request_state(session, actors["pilot"], booked.request_id, state, at)

    def work(at: datetime) -> int:
        problem = load_situation(session, at, WEEK).problem
        return sum(len(pilot.worked) for pilot in problem.pilots)

    assert work(booked.end_at + timedelta(hours=10)) == 1
    assert work(booked.end_at + timedelta(days=7)) == 0


def test_a_cancelled_request_leaves_nothing_behind(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    service.cancel_request(session, actors["north"], booked.request_id, "event_cancelled", NOW)
    situation = load_situation(session, booked.start_at, WEEK)
    assert (situation.standing, situation.frozen, situation.problem.jobs) == ((), (), ())
    assert busy(situation, booked.drone_id) == []


def test_requests_beyond_the_horizon_wait_for_a_later_plan(
    session: Session, submit: Submit
) -> None:
    near = submit()
    far_at = NOW + timedelta(days=30)
    far = submit(start_at=far_at, end_at=far_at + timedelta(hours=2))
    jobs = load_situation(session, NOW, WEEK).problem.jobs
    assert [job.request_id for job in jobs] == [near]
    jobs = load_situation(session, NOW, timedelta(days=40)).problem.jobs
    assert [job.request_id for job in jobs] == [near, far]


def test_worn_packs_absent_and_unpractised_pilots_are_kept_out(session: Session) -> None:
    pack = session.query(models.Battery).first()
    assert pack is not None
    pack.health_pct = 70
    session.query(models.PilotFlight).filter_by(pilot_id=1).delete()
    session.add(
        models.Absence(pilot_id=2, start_at=NOW, end_at=NOW + timedelta(days=2), kind="leave")
    )
    retired = session.get(models.Drone, 10)
    assert retired is not None
    retired.retired = True
    session.flush()
    problem = load_situation(session, NOW, WEEK).problem
    assert pack.id not in {p.id for p in problem.packs}
    assert [reason.code for reason in problem.pilots[0].blocks] == ["pilot.not_current"]
    assert len(problem.pilots[1].absences) == 1
    assert 10 not in {drone.id for drone in problem.drones}


def test_a_new_payload_gives_a_drone_a_new_ability(
    session: Session, actors: Actors, submit: Submit
) -> None:
    """Both Mavics grounded; the P1 on a Matrice makes photogrammetry possible again."""
    for name in ("drone-05", "drone-06"):
        drone = session.query(models.Drone).filter_by(name=name).one()
        service.report_defect(session, actors["pilot"], drone.id, "lens", NOW)
    request_id = submit("midi", ACCIDENT)
    assert service.book_request(session, actors["midi"], request_id, NOW).assignment is None
    camera = session.query(models.Payload).filter_by(model="P1").one()
    matrice = session.query(models.Drone).filter_by(name="drone-01").one()
    camera.drone_id = matrice.id
    session.flush()
    given = service.book_request(session, actors["midi"], request_id, NOW).assignment
    assert given is not None
    assert given.drone_name == "drone-01"


def test_the_record_of_a_flight_keeps_the_drone_as_it_was(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    drone = session.get(models.Drone, booked.drone_id)
    assert drone is not None
    drone.name, drone.firmware = "renamed", "99"
    session.flush()
    view = service.get_assignment(session, actors["north"], booked.id)
    assert view.drone_name == booked.drone_name
    row = session.get(models.Assignment, booked.id)
    assert row is not None
    assert row.drone_snapshot["firmware"] != "99"


def test_a_window_at_night_takes_the_longer_preparation(session: Session, submit: Submit) -> None:
    night = DEMONSTRATION.start_at.replace(hour=22)
    submit(start_at=night, end_at=night + timedelta(hours=2))
    submit()
    prepared = [job.slots[0].prep_min for job in load_situation(session, NOW, WEEK).problem.jobs]
    assert prepared == [40, 10]
