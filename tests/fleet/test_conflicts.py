"""A plan in force that something changed under: what would not fly is said before anybody goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import NotAllowed
from droneteam.fleet import conflicts, models, service
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.airspace import AirspaceNote, AirspaceState
from droneteam.fleet.explanations import explain
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import Period
from tests.fleet.conftest import DEMONSTRATION, NOW, Actors

Change = Callable[[Session, Actors, service.AssignmentView], object]


@pytest.fixture
def booked(session: Session, actors: Actors, submit: Callable[..., int]) -> service.AssignmentView:
    found = service.book_request(session, actors["coordinator"], submit(), NOW)
    assert found.assignment is not None
    return found.assignment


def storm(session: Session, actors: Actors, _booked: service.AssignmentView) -> object:
    window = Window(DEMONSTRATION.start_at, DEMONSTRATION.end_at)
    period = Period("KMI", NOW, window, 25.0, 0.0)
    return service.add_forecasts(session, actors["coordinator"], [period], NOW)


def refusal(session: Session, actors: Actors, booked: service.AssignmentView) -> object:
    note = AirspaceNote(AirspaceState.REFUSED, "skeyes", "SK-1")
    return service.set_airspace(session, actors["coordinator"], booked.request_id, note, NOW)


def suspended(session: Session, actors: Actors, booked: service.AssignmentView) -> object:
    pilots = service.list_pilots(session, actors["coordinator"], NOW)
    pilot = next(row for row in pilots if row.id == booked.pilot_id)
    licence = next(row for row in pilot.credentials if row.kind == "national")
    last_on = to_local(NOW).date()
    return service.end_credential(
        session, actors["coordinator"], licence.id, last_on, "suspended", NOW
    )


def ill(session: Session, actors: Actors, booked: service.AssignmentView) -> object:
    window = Window(NOW, NOW + timedelta(days=3))
    return service.add_absence(
        session, actors["coordinator"], booked.pilot_id, window, "illness", NOW
    )


def grounded(session: Session, actors: Actors, booked: service.AssignmentView) -> object:
    return service.report_defect(session, actors["pilot"], booked.drone_id, "cracked arm", NOW)


def retired(session: Session, _actors: Actors, booked: service.AssignmentView) -> object:
    session.get_one(models.Drone, booked.drone_id).retired = True
    session.flush()
    return None


def left(session: Session, _actors: Actors, booked: service.AssignmentView) -> object:
    session.get_one(models.Pilot, booked.pilot_id).active = False
    session.flush()
    return None


CHANGES: list[tuple[Change, str]] = [
    (storm, "weather.wind"),
    (refusal, "airspace.refused"),
    (suspended, "pilot.expired"),
    (ill, "pilot.absent"),
    (grounded, "drone.defect"),
    (retired, "drone.gone"),
    (left, "pilot.gone"),
]


@pytest.mark.parametrize(("change", "code"), CHANGES, ids=[code for _, code in CHANGES])
def test_what_changed_under_the_plan_is_named_until_the_next_plan(
    session: Session,
    actors: Actors,
    booked: service.AssignmentView,
    change: Change,
    code: str,
) -> None:
    coordinator = actors["coordinator"]
    assert service.plan_conflicts(session, coordinator, NOW) == []
    change(session, actors, booked)
    (conflict,) = service.plan_conflicts(session, coordinator, NOW)
    assert (conflict.request_id, conflict.title) == (booked.request_id, DEMONSTRATION.title)
    assert [reason.code for reason in conflict.reasons] == [code]
    for language in ("fr", "nl", "en"):
        assert explain.sentence(conflict.reasons[0], language)


def test_what_has_begun_and_what_another_zone_plans_is_nobodys_conflict(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    storm(session, actors, booked)
    assert service.plan_conflicts(session, actors["pilot"], booked.start_at) == []
    with pytest.raises(NotAllowed):
        service.plan_conflicts(session, actors["north"], NOW)


def test_what_lies_beyond_a_fortnight_is_not_looked_at_yet(
    session: Session, actors: Actors, booked: service.AssignmentView
) -> None:
    retired(session, actors, booked)
    edge = booked.start_at - conflicts.HORIZON
    assert service.plan_conflicts(session, actors["coordinator"], edge) == []
    (conflict,) = service.plan_conflicts(
        session, actors["coordinator"], edge + timedelta(minutes=1)
    )
    assert conflict.request_id == booked.request_id
