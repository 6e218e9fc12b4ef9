"""Missions as rows: tenancy, approval bound to the hash, airspace that refuses by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.errors import Conflict, DecodeError, InputError, NotAllowed, NotFound
from droneteam.missions import models
from droneteam.missions import service as missions
from droneteam.missions.flight import arming
from droneteam.missions.flight.live import LiveState
from droneteam.missions.views import MissionState, MissionView, RegisteredFlight
from tests.missions.conftest import NOW, SCENE, SPEC, Office, area


def forbidden(name: str = "Hospital helipad") -> dict[str, object]:
    ring = [[lon, lat] for lat, lon in area((-60, -60), (60, -60), (60, 60), (-60, 60))]
    return {
        "title": "zones",
        "features": [
            {
                "identifier": "EBR-1",
                "country": "BEL",
                "name": name,
                "type": "COMMON",
                "restriction": "PROHIBITED",
                "applicability": [{"permanent": "YES"}],
                "zoneAuthority": [{"name": "Tower", "phone": "+32 2 000 00 00"}],
                "geometry": [
                    {
                        "uomDimensions": "M",
                        "lowerLimit": 0,
                        "lowerVerticalReference": "AGL",
                        "upperLimit": 100,
                        "upperVerticalReference": "AGL",
                        "horizontalProjection": {"type": "Polygon", "coordinates": [ring]},
                    }
                ],
            }
        ],
    }


def plan(office: Office) -> MissionView:
    with session_scope(office.engine) as session:
        return missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)


def approve(office: Office, mission_id: int) -> MissionView:
    with session_scope(office.engine) as session:
        return missions.approve_mission(
            session, office.pilot, mission_id, NOW, reason="map of the authority consulted"
        )


def test_a_planned_mission_reads_back_as_it_was_planned(any_office: Office) -> None:
    planned = plan(any_office)
    with session_scope(any_office.engine) as session:
        found = missions.get_mission(session, any_office.coordinator, planned.id)
    assert found == planned
    assert found.state is MissionState.DRAFT
    assert found.polygon == SCENE
    assert 40 <= found.n_photos <= 60


def test_a_mission_in_a_forbidden_zone_is_refused_with_its_name_and_what_to_do(
    office: Office,
) -> None:
    with session_scope(office.engine) as session:
        missions.load_geozones(session, office.coordinator, forbidden(), "ED-269", NOW)
    with (
        session_scope(office.engine) as session,
        pytest.raises(InputError, match=r"Hospital helipad.*move it out or obtain.*Tower") as error,
    ):
        missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
    assert error.value.field == "polygon"
    with session_scope(office.engine) as session:
        assert missions.list_missions(session, office.pilot) == []


def test_loading_zones_again_replaces_them_and_a_broken_file_stores_nothing(
    office: Office,
) -> None:
    with session_scope(office.engine) as session:
        missions.load_geozones(session, office.coordinator, forbidden(), "ED-269", NOW)
        missions.load_geozones(session, office.coordinator, forbidden("Renamed"), "ED-269", NOW)
    broken = forbidden()
    broken["features"] = [*broken["features"], {"identifier": "EBR-2"}]  # type: ignore[misc]
    with session_scope(office.engine) as session, pytest.raises(DecodeError, match="EBR-2"):
        missions.load_geozones(session, office.coordinator, broken, "ED-269", NOW)
    with session_scope(office.engine) as session:
        assert [zone.name for zone in missions.stored_geozones(session)] == ["Renamed"]


def test_warnings_need_a_reason_before_approval(office: Office) -> None:
    mission = plan(office)
    assert [one.rule for one in mission.findings if one.severity == "warn"] == ["geozone.unknown"]
    with session_scope(office.engine) as session, pytest.raises(InputError, match="say why"):
        missions.approve_mission(session, office.pilot, mission.id, NOW)
    approved = approve(office, mission.id)
    assert approved.state is MissionState.APPROVED
    assert approved.approved_by == office.pilot.user_id


def test_a_mission_is_approved_once(office: Office) -> None:
    mission = plan(office)
    approve(office, mission.id)
    with pytest.raises(Conflict, match="only a draft"):
        approve(office, mission.id)


def test_a_requester_may_neither_plan_nor_approve(office: Office) -> None:
    mission = plan(office)
    with session_scope(office.engine) as session:
        with pytest.raises(NotAllowed):
            missions.plan_mission(session, office.requester, office.assignment_id, SPEC, NOW)
        with pytest.raises(NotAllowed):
            missions.approve_mission(session, office.requester, mission.id, NOW)


def test_another_zones_mission_cannot_be_told_from_none(any_office: Office) -> None:
    mission = plan(any_office)
    with session_scope(any_office.engine) as session:
        assert [one.id for one in missions.list_missions(session, any_office.requester)] == [
            mission.id
        ]
        assert missions.list_missions(session, any_office.stranger) == []
        with pytest.raises(NotFound):
            missions.get_mission(session, any_office.stranger, mission.id)


def test_a_draft_may_not_fly_nor_a_plan_changed_after_approval(office: Office) -> None:
    mission = plan(office)
    with session_scope(office.engine) as session, pytest.raises(NotAllowed, match="draft"):
        arming.begin_flight(session, office.pilot, mission.id, NOW)
    approve(office, mission.id)
    with session_scope(office.engine) as session:
        row = session.get(models.Mission, mission.id)
        assert row is not None
        changed = dict(row.plan)
        changed["items"] = changed["items"][:-1]
        session.execute(
            update(models.Mission).where(models.Mission.id == mission.id).values(plan=changed)
        )
    with session_scope(office.engine) as session, pytest.raises(NotAllowed, match="not the one"):
        arming.begin_flight(session, office.pilot, mission.id, NOW)


def test_a_cancelled_mission_stays_cancelled(office: Office) -> None:
    mission = plan(office)
    with session_scope(office.engine) as session:
        missions.cancel_mission(session, office.pilot, mission.id, NOW)
    with pytest.raises(Conflict, match="cancelled"):
        approve(office, mission.id)


def a_state(drone_id: int, mission_id: int | None, battery_pct: float) -> LiveState:
    return LiveState(
        drone_id, "drone", NOW, 50.8, 4.4, 70.0, 14.0, 90.0, 5.0, battery_pct, "AUTO", True,
        mission_id, "flying", 0.4,
    )  # fmt: skip


def test_live_states_keep_the_newest_of_each_drone(any_office: Office) -> None:
    mission = plan(any_office)
    newer = a_state(mission.drone_id, mission.id, 80.0)
    older = replace(newer, battery_pct=90.0, at=NOW - timedelta(seconds=1))
    for states in ([newer], [older]):
        with session_scope(any_office.engine) as session:
            missions.update_live_states(session, states)
    with session_scope(any_office.engine) as session:
        assert missions.live_states(session) == [newer]


def test_registered_flights_hold_those_of_others_and_the_teams_approved_missions(
    any_office: Office,
) -> None:
    survey = RegisteredFlight(
        "BE-2026-17",
        "BEL-0000001",
        frozenset({"1581F0000000000SURV"}),
        NOW,
        NOW + timedelta(hours=2),
        SCENE,
        60.0,
    )
    with session_scope(any_office.engine) as session:
        missions.register_flight(session, any_office.coordinator, survey, NOW)
        with pytest.raises(Conflict):
            missions.register_flight(session, any_office.coordinator, survey, NOW)
    mission = plan(any_office)
    with session_scope(any_office.engine) as session:
        assert missions.list_registered_flights(session) == (survey,)
    approve(any_office, mission.id)
    with session_scope(any_office.engine) as session:
        other, own = missions.list_registered_flights(session)
        serials = missions.own_uas_ids(session)
    assert other == survey
    assert own.own
    assert own.reference == f"mission-{mission.id}"
    assert own.uas_ids <= set(serials)
    assert serials[next(iter(own.uas_ids))] == mission.drone_name
    assert own.starts_at == mission.start_at


def test_a_registration_that_ends_before_it_starts_is_refused(office: Office) -> None:
    wrong = RegisteredFlight("x", "op", frozenset({"id"}), NOW, NOW, SCENE)
    with session_scope(office.engine) as session, pytest.raises(InputError, match="before"):
        missions.register_flight(session, SYSTEM, wrong, NOW)
