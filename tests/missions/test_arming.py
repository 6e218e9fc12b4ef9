"""Nothing takes off before two people have signed for exactly this plan, a short time ago."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from droneteam.accounts import SYSTEM, Actor
from droneteam.db import session_scope
from droneteam.errors import Conflict, NotAllowed
from droneteam.fleet.models import Pilot
from droneteam.missions import models
from droneteam.missions import service as missions
from droneteam.missions.flight import arming
from droneteam.missions.views import MissionState
from tests.missions.conftest import NOW, SPEC, Office, answer_checklist

SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def mission_id(any_office: Office) -> int:
    """An approved mission whose assigned pilot is the office's."""
    with session_scope(any_office.engine) as session:
        view = missions.plan_mission(session, any_office.pilot, any_office.assignment_id, SPEC, NOW)
        missions.approve_mission(session, any_office.pilot, view.id, NOW, reason="map consulted")
        answer_checklist(session, any_office.pilot, view.id, NOW)
        query = update(Pilot).where(Pilot.id == view.pilot_id)
        session.execute(query.values(user_id=any_office.pilot.user_id))
    return view.id


def sign(office: Office, actor: Actor, mission_id: int, at: datetime = NOW) -> arming.Clearance:
    with session_scope(office.engine) as session:
        return missions.sign_arming(session, actor, mission_id, at)


def begin(office: Office, mission_id: int, at: datetime = SOON) -> MissionState:
    with session_scope(office.engine) as session:
        return arming.begin_flight(session, office.pilot, mission_id, at).state


def test_the_assigned_pilot_and_a_second_person_clear_a_mission(
    any_office: Office, mission_id: int
) -> None:
    with pytest.raises(NotAllowed, match="assigned pilot and of the second person"):
        begin(any_office, mission_id)
    first = sign(any_office, any_office.coordinator, mission_id)
    assert first.missing == ("assigned pilot",)
    with pytest.raises(NotAllowed, match="signature of the assigned pilot is missing"):
        begin(any_office, mission_id)
    second = sign(any_office, any_office.pilot, mission_id)
    assert second.complete
    assert second.until == NOW + arming.VALID_FOR
    assert begin(any_office, mission_id) is MissionState.FLYING


def test_nobody_signs_twice_for_two(any_office: Office, mission_id: int) -> None:
    for minute in range(3):
        found = sign(any_office, any_office.pilot, mission_id, NOW + timedelta(minutes=minute))
    assert found.missing == ("second person",)
    assert len(found.signatures) == 1


def test_a_signature_counts_for_fifteen_minutes(any_office: Office, mission_id: int) -> None:
    sign(any_office, any_office.coordinator, mission_id)
    sign(any_office, any_office.pilot, mission_id, NOW + timedelta(minutes=10))
    with pytest.raises(NotAllowed, match="second person is missing or older than 15 minutes"):
        begin(any_office, mission_id, NOW + timedelta(minutes=15))
    sign(any_office, any_office.coordinator, mission_id, NOW + timedelta(minutes=15))
    assert begin(any_office, mission_id, NOW + timedelta(minutes=16)) is MissionState.FLYING


def test_a_signature_from_the_future_does_not_count(any_office: Office, mission_id: int) -> None:
    sign(any_office, any_office.coordinator, mission_id, NOW + timedelta(hours=1))
    found = sign(any_office, any_office.pilot, mission_id)
    assert found.missing == ("second person",)


def test_a_signature_is_bound_to_the_plan(any_office: Office, mission_id: int) -> None:
    sign(any_office, any_office.coordinator, mission_id)
    sign(any_office, any_office.pilot, mission_id)
    with session_scope(any_office.engine) as session:
        query = update(models.Mission).where(models.Mission.id == mission_id)
        session.execute(query.values(mission_hash="0" * 64))
    with session_scope(any_office.engine) as session:
        found = missions.clearance(session, any_office.pilot, mission_id, SOON)
    assert found.signatures == ()


def test_while_no_user_is_the_assigned_pilot_two_people_sign(
    any_office: Office, mission_id: int
) -> None:
    with session_scope(any_office.engine) as session:
        session.execute(update(Pilot).values(user_id=None))
    assert sign(any_office, any_office.pilot, mission_id).missing == ("second person",)
    assert sign(any_office, any_office.coordinator, mission_id).complete


def test_a_flight_that_is_resumed_needs_no_new_signatures(
    any_office: Office, mission_id: int
) -> None:
    sign(any_office, any_office.coordinator, mission_id)
    sign(any_office, any_office.pilot, mission_id)
    begin(any_office, mission_id)
    assert begin(any_office, mission_id, NOW + timedelta(hours=2)) is MissionState.FLYING


def test_programs_requesters_and_drafts_are_refused(any_office: Office, mission_id: int) -> None:
    with pytest.raises(NotAllowed, match="needs a person"):
        sign(any_office, SYSTEM, mission_id)
    with pytest.raises(NotAllowed):
        sign(any_office, any_office.requester, mission_id)
    with session_scope(any_office.engine) as session:
        draft = missions.plan_mission(
            session, any_office.pilot, any_office.assignment_id, SPEC, NOW
        )
    with pytest.raises(Conflict, match="only an approved one"):
        sign(any_office, any_office.pilot, draft.id)
