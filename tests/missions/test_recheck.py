"""What was looked at when planning is looked at again before approval and before take-off."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.fleet.models import Pilot
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import Period
from droneteam.missions import service as missions
from droneteam.missions.airspace.rules import RulesUnmet
from droneteam.missions.flight import arming
from droneteam.missions.views import MissionState, MissionView
from tests.missions.conftest import NOW, Office, answer_checklist
from tests.missions.test_service import approve, forbidden, plan

TAKE_OFF = NOW + timedelta(hours=4)


def publish(office: Office, restriction: str = "PROHIBITED") -> None:
    """The authority publishes a zone over the place."""
    document = forbidden()
    document["features"][0]["restriction"] = restriction  # type: ignore[index]
    with session_scope(office.engine) as session:
        missions.load_geozones(session, office.coordinator, document, "ED-269", NOW)


def storm(office: Office, gust_mps: float) -> None:
    """A forecast for the hours of the flight."""
    window = Window(NOW, NOW + timedelta(hours=12))
    period = Period("test", NOW, window, gust_mps, 0.0)
    with session_scope(office.engine) as session:
        fleet.add_forecasts(session, office.coordinator, [period], NOW)


def signed(office: Office, mission: MissionView, at: datetime) -> None:
    with session_scope(office.engine) as session:
        query = update(Pilot).where(Pilot.id == mission.pilot_id)
        session.execute(query.values(user_id=office.pilot.user_id))
        answer_checklist(session, office.pilot, mission.id, at)
        for person in (office.pilot, office.coordinator):
            missions.sign_arming(session, person, mission.id, at)


def begin(office: Office, mission: MissionView) -> MissionView:
    with session_scope(office.engine) as session:
        return arming.begin_flight(session, office.pilot, mission.id, TAKE_OFF)


def test_a_zone_that_is_published_after_planning_bars_the_approval(any_office: Office) -> None:
    mission = plan(any_office)
    publish(any_office)
    with pytest.raises(RulesUnmet, match=r"plan the mission again.*Hospital helipad") as refused:
        approve(any_office, mission.id)
    assert [one.rule for one in refused.value.findings] == ["geozone.prohibited"]
    with session_scope(any_office.engine) as session:
        found = missions.get_mission(session, any_office.pilot, mission.id)
    assert found.state is MissionState.DRAFT


def test_a_zone_that_is_published_after_the_approval_bars_the_take_off(office: Office) -> None:
    mission = approve(office, plan(office).id)
    signed(office, mission, TAKE_OFF)
    publish(office)
    with pytest.raises(RulesUnmet, match="Hospital helipad"):
        begin(office, mission)
    with session_scope(office.engine) as session:
        assert missions.get_mission(session, office.pilot, mission.id).state == "approved"


def test_a_forecast_above_the_drones_limit_bars_the_take_off(office: Office) -> None:
    mission = approve(office, plan(office).id)
    signed(office, mission, TAKE_OFF)
    storm(office, 30.0)
    with pytest.raises(RulesUnmet, match="30"):
        begin(office, mission)


def test_a_new_warning_needs_its_reason_and_stays_with_the_mission(office: Office) -> None:
    mission = plan(office)
    publish(office, "REQ_AUTHORISATION")
    with session_scope(office.engine) as session, pytest.raises(RulesUnmet) as asked:
        missions.approve_mission(session, office.pilot, mission.id, NOW, acknowledged=True)
    assert "geozone.authorisation" in [one.rule for one in asked.value.findings]
    approved = approve(office, mission.id)
    assert "geozone.authorisation" in [one.rule for one in approved.findings]
    signed(office, approved, TAKE_OFF)
    assert begin(office, approved).state is MissionState.FLYING


def test_what_was_known_and_answered_for_is_not_asked_again(office: Office) -> None:
    publish(office, "REQ_AUTHORISATION")
    mission = approve(office, plan(office).id)
    signed(office, mission, TAKE_OFF)
    flying = begin(office, mission)
    assert flying.state is MissionState.FLYING
    assert [one.rule for one in flying.findings] == [one.rule for one in mission.findings]
