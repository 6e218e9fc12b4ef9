"""Requests: checked where they enter, seen only by their zone, moved only as the rules say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.sla import ClockStop
from droneteam.fleet.lifecycle import FINAL, TRANSITIONS, check_move
from droneteam.fleet.reference import SLA_V1, ZONES
from droneteam.fleet.service import RequestKind, RequestState
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors, seed

Submit = Callable[..., int]


def test_a_submitted_request_runs_three_clocks(
    session: Session, actors: Actors, submit: Submit
) -> None:
    view = service.get_request(session, actors["north"], submit(), NOW)
    assert view.state == RequestState.SUBMITTED
    assert view.organisation_name == "Brussels North (Polbruno)"
    assert [(clock.name, clock.state) for clock in view.clocks] == [
        ("acknowledge", "running"),
        ("decision", "running"),
        ("on_scene", "running"),
    ]
    assert (view.sla_version, view.assignment, view.explanation) == (1, None, None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end_at": DEMONSTRATION.start_at}, "end_at"),
        ({"end_at": DEMONSTRATION.start_at - timedelta(hours=1)}, "end_at"),
        ({"end_at": DEMONSTRATION.start_at + timedelta(days=8)}, "end_at"),
        ({"start_at": DEMONSTRATION.start_at.replace(tzinfo=None)}, "start_at"),
        ({"priority": "P5"}, "priority"),
        ({"kind": "party"}, "kind"),
        ({"payload": "laser"}, "payload"),
        ({"lat_deg": 91.0}, "lat_deg"),
        ({"lon_deg": float("nan")}, "lon_deg"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"legal_basis": ""}, "legal_basis"),
        ({"notes": "x" * 4001}, "notes"),
        ({"polygon": ((50.0, 4.0), (50.1, 4.0))}, "polygon"),
        ({"polygon": ((50.0, 4.0), (50.1, 4.1), (50.2, 4.2))}, "polygon"),
        ({"polygon": ((50.0, 4.0), (50.1, 4.0), (95.0, 4.1))}, "polygon"),
    ],
)
def test_a_wrong_draft_names_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        replace(DEMONSTRATION, **changes)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_window_that_has_passed_is_refused(submit: Submit) -> None:
    with pytest.raises(InputError, match="before now"):
        submit(start_at=NOW - timedelta(hours=2), end_at=NOW)


def test_sending_the_same_submission_twice_makes_one_request(
    session: Session, actors: Actors
) -> None:
    first, again = (
        service.submit_request(session, actors["north"], DEMONSTRATION, NOW, submit_key="form 1")
        for _ in range(2)
    )
    other = service.submit_request(session, actors["midi"], DEMONSTRATION, NOW, submit_key="form 1")
    assert first.id == again.id != other.id


def test_another_zones_request_does_not_exist(
    session: Session, actors: Actors, submit: Submit
) -> None:
    foreign = submit("midi")
    for act in (
        lambda: service.get_request(session, actors["north"], foreign),
        lambda: service.request_history(session, actors["north"], foreign),
        lambda: service.book_request(session, actors["north"], foreign, NOW),
        lambda: service.cancel_request(session, actors["north"], foreign, "weather", NOW),
    ):
        with pytest.raises(NotFound, match=f"no request {foreign}"):
            act()
    assert service.list_requests(session, actors["north"]) == []
    assert [view.id for view in service.list_requests(session, actors["coordinator"])] == [foreign]


def test_only_the_right_roles_act(session: Session, actors: Actors, submit: Submit) -> None:
    request_id = submit()
    with pytest.raises(NotAllowed):
        service.acknowledge_request(session, actors["north"], request_id, NOW)
    with pytest.raises(NotAllowed):
        service.submit_request(session, actors["pilot"], DEMONSTRATION, NOW)
    with pytest.raises(NotAllowed):
        service.mark_request_state(session, actors["north"], request_id, "fulfilled", NOW)
    with pytest.raises(NotAllowed):
        service.list_drones(session, actors["north"])
    with pytest.raises(NotAllowed):
        service.edit_version(session, actors["coordinator"], 1, SLA_V1, NOW)


def test_acknowledging_meets_its_clock_once(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    at = NOW + timedelta(minutes=10)
    view = service.acknowledge_request(session, actors["coordinator"], request_id, at)
    again = service.acknowledge_request(
        session, actors["coordinator"], request_id, at + timedelta(hours=1)
    )
    assert view.clocks[0].met_at == again.clocks[0].met_at == at
    assert view.clocks[0].state == "met"


def test_cancelling_takes_a_known_code_and_closes_the_request(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    with pytest.raises(InputError, match="event_cancelled"):
        service.cancel_request(session, actors["north"], request_id, "bored", NOW)
    view = service.cancel_request(session, actors["north"], request_id, "event_cancelled", NOW)
    assert view.state == RequestState.CANCELLED
    assert {clock.state for clock in view.clocks} == {"stopped"}
    with pytest.raises(Conflict, match="cannot become"):
        service.cancel_request(session, actors["north"], request_id, "event_cancelled", NOW)


def test_a_mission_under_way_is_broken_off_by_the_coordinator_only(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    service.book_request(session, actors["north"], request_id, NOW)
    service.mark_request_state(session, actors["pilot"], request_id, "in_progress", NOW)
    with pytest.raises(NotAllowed):
        service.cancel_request(session, actors["north"], request_id, "weather", NOW)
    coordinator = actors["coordinator"]
    with pytest.raises(InputError, match="incident commander"):
        service.cancel_request(session, coordinator, request_id, "weather", NOW, confirmed_by=" ")
    view = service.cancel_request(
        session, coordinator, request_id, "weather", NOW, confirmed_by="commander of the scene"
    )
    assert view.state == RequestState.CANCELLED
    last = service.request_history(session, actors["north"], request_id)[-1]
    assert last.facts["confirmed_by"] == "commander of the scene"


def test_a_refusal_needs_a_reason(session: Session, actors: Actors, submit: Submit) -> None:
    request_id = submit()
    with pytest.raises(InputError, match="reason"):
        service.refuse_request(session, actors["coordinator"], request_id, " ", NOW)
    view = service.refuse_request(session, actors["coordinator"], request_id, "no fly zone", NOW)
    assert view.state == RequestState.REFUSED


def test_a_clock_stops_on_attached_evidence_only(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    request_id, other = submit("midi", ACCIDENT), submit("midi", ACCIDENT)
    coordinator = actors["coordinator"]

    def attached(to: int) -> int:
        text = b"gusts of 22 m/s at 50 m"
        return service.add_attachment(
            session, coordinator, to, "report.txt", text, tmp_path, NOW
        ).id

    elsewhere, proof = attached(other), attached(request_id)
    stop = ClockStop("on_scene", NOW, NOW + timedelta(hours=1), "weather", "")
    with pytest.raises(InputError, match="evidence"):
        service.stop_clock(session, coordinator, request_id, stop, NOW, attachment_id=proof)
    before = service.get_request(session, actors["midi"], request_id, NOW).clocks[2].due_at
    proven = replace(stop, evidence="KMI report 12")
    later = NOW + timedelta(hours=2)
    for missing in (elsewhere, 999):
        with pytest.raises(InputError, match="attach the evidence first"):
            service.stop_clock(session, coordinator, request_id, proven, NOW, attachment_id=missing)
    service.stop_clock(session, coordinator, request_id, proven, later, attachment_id=proof)
    view = service.get_request(session, actors["midi"], request_id, later)
    assert view.clocks[2].due_at == before + timedelta(hours=1)


def test_arrival_debits_the_zone_once_and_flying_keeps_the_pilot_current(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    booked = service.book_request(session, actors["north"], request_id, NOW)
    assert booked.assignment is not None
    start_at, pilot_id = booked.assignment.start_at, booked.assignment.pilot_id
    flights = session.query(models.PilotFlight).filter_by(pilot_id=pilot_id).count()
    for state in ("in_progress", "in_progress", "fulfilled"):
        service.mark_request_state(session, actors["pilot"], request_id, state, start_at)
    rows = session.query(models.LedgerRow).all()
    assert [(row.request_id, row.crew_min) for row in rows] == [(request_id, 180)]
    assert session.query(models.PilotFlight).filter_by(pilot_id=pilot_id).count() == flights + 1


def test_requests_whose_window_passed_expire(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    assert service.expire_requests(session, actors["coordinator"], NOW) == []
    after = DEMONSTRATION.end_at
    assert service.expire_requests(session, actors["coordinator"], after) == [request_id]
    view = service.get_request(session, actors["north"], request_id, after)
    assert view.state == RequestState.EXPIRED


def test_every_step_leaves_an_event_and_an_audit_entry(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    service.acknowledge_request(session, actors["coordinator"], request_id, NOW)
    service.book_request(session, actors["coordinator"], request_id, NOW)
    history = service.request_history(session, actors["north"], request_id)
    assert [step.state for step in history] == [
        RequestState.SUBMITTED,
        RequestState.ACKNOWLEDGED,
        RequestState.PLANNED,
    ]
    actions = {entry.action for entry in audit.entries(session, subject=f"request:{request_id}")}
    assert {"request.submitted", "request.acknowledged", "request.planned", "plan.book"} <= actions
    assert audit.verify(session) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE request_event SET state = 'x'", "DELETE FROM ledger"]
)
def test_events_and_ledger_refuse_changes(engine: Engine, statement: str) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        view = service.submit_request(session, actors["north"], DEMONSTRATION, NOW)
        booked = service.book_request(session, actors["north"], view.id, NOW)
        assert booked.assignment is not None
        service.mark_request_state(session, actors["pilot"], view.id, "in_progress", NOW)
    with pytest.raises(DatabaseError, match="append-only"), session_scope(engine) as session:
        session.execute(text(statement))


def test_the_state_machine_has_no_way_out_of_a_closed_request() -> None:
    assert set(TRANSITIONS) == set(RequestState)
    for state in FINAL:
        for other in RequestState:
            with pytest.raises(Conflict, match="closed"):
                check_move(1, state, other)


def test_the_reference_data_is_the_team_and_is_written_once(
    session: Session, actors: Actors
) -> None:
    service.seed_reference(session, NOW)
    drones = service.list_drones(session, actors["pilot"], NOW)
    pilots = service.list_pilots(session, actors["pilot"], NOW)
    assert len(drones) == 10
    assert len({drone.model for drone in drones}) >= 4
    assert all(drone.ready for drone in drones)
    assert [pilot.name for pilot in pilots] == [f"pilot {n}" for n in range(1, 8)]
    assert all(pilot.ready for pilot in pilots)
    held = {credential.kind for pilot in pilots for credential in pilot.credentials}
    assert held >= {"A2", "STS-01", "STS-02", "national"}
    assert set(ZONES) == {"5339", "5340", "5341", "5342", "5343", "5344"}
    packs = service.list_batteries(session, actors["pilot"])
    assert {drone.pack_type for drone in drones} == {pack.type for pack in packs}
    assert len({drone.remote_id_serial for drone in drones}) == 10


def test_a_used_agreement_is_not_edited_but_followed_by_a_new_version(
    session: Session, actors: Actors, submit: Submit
) -> None:
    manager = actors["manager"]
    service.edit_version(session, manager, 1, {**SLA_V1, "exclusions": ["weather"]}, NOW)
    request_id = submit()
    with pytest.raises(Conflict, match="add a new version"):
        service.edit_version(session, manager, 1, SLA_V1, NOW)
    with pytest.raises(InputError, match="before now"):
        service.add_version(session, manager, SLA_V1, NOW - timedelta(days=1), NOW)
    later = NOW + timedelta(days=1)
    assert service.add_version(session, manager, SLA_V1, later, NOW) == 2
    assert service.current_document(session, NOW)[0] == 1
    assert service.current_document(session, later)[0] == 2
    assert service.get_request(session, actors["north"], request_id, later).sla_version == 1


def test_an_agreement_changed_behind_the_services_back_is_noticed(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    row = session.query(models.SlaVersion).one()
    row.document = {**row.document, "exclusions": []}
    session.flush()
    with pytest.raises(Conflict, match="digest"):
        service.get_request(session, actors["north"], request_id, NOW)


def test_a_kind_given_as_text_is_the_kind() -> None:
    assert replace(DEMONSTRATION, kind="search").kind is RequestKind.SEARCH  # type: ignore[arg-type]
    assert all(a != b for a, b in pairwise(sorted(RequestKind)))
