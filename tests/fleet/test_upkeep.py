"""The registry kept true by people: who did what when, and what a flight's line remembers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.assets import records
from droneteam.fleet.terms import Window
from tests.fleet.conftest import DEMONSTRATION, NOW, Actors
from tests.fleet.drafting import solve_draft
from tests.fleet.test_journeys import entry

DAY = timedelta(days=1)
TODAY = to_local(NOW).date()
P1_CAMERA = 11
"""The photogrammetry camera that lies on the shelf in the reference registry."""


def detail(session: Session, actors: Actors, pilot_id: int = 1) -> service.PilotDetail:
    return service.pilot_detail(session, actors["coordinator"], pilot_id, NOW)


def test_a_mounted_payload_brings_its_ability_and_its_history(
    session: Session, actors: Actors
) -> None:
    def able() -> tuple[str, ...]:
        return service.list_drones(session, actors["pilot"], NOW)[0].capabilities

    assert "photogrammetry" not in able()
    service.mount_payload(session, actors["pilot"], P1_CAMERA, 1, NOW)
    assert "photogrammetry" in able()
    service.mount_payload(session, actors["coordinator"], P1_CAMERA, None, NOW + DAY)
    assert "photogrammetry" not in able()
    off, on = service.list_mountings(session, actors["pilot"])
    assert (on.drone_id, on.at, on.user_id) == (1, NOW, actors["pilot"].user_id)
    assert (off.drone_id, off.user_id) == (None, actors["coordinator"].user_id)


def test_a_payload_goes_where_it_fits_and_once(session: Session, actors: Actors) -> None:
    pilot = actors["pilot"]
    with pytest.raises(Conflict, match="fits Matrice 350 RTK, not a Mini 4 Pro"):
        service.mount_payload(session, pilot, P1_CAMERA, 9, NOW)
    with pytest.raises(Conflict, match="on no drone already"):
        service.mount_payload(session, pilot, P1_CAMERA, None, NOW)
    with pytest.raises(NotFound):
        service.mount_payload(session, pilot, 99, 1, NOW)
    with pytest.raises(NotFound):
        service.mount_payload(session, pilot, P1_CAMERA, 99, NOW)
    with pytest.raises(NotAllowed):
        service.mount_payload(session, actors["manager"], P1_CAMERA, 1, NOW)


def test_history_tables_refuse_changes_in_the_database_itself(
    session: Session, actors: Actors
) -> None:
    service.mount_payload(session, actors["pilot"], P1_CAMERA, 1, NOW)
    row = session.query(models.Mounting).one()
    row.drone_id = 2
    with pytest.raises(DatabaseError, match="append-only"):
        session.flush()
    session.rollback()


def test_a_pack_ages_by_measurement_and_its_history_stays(session: Session, actors: Actors) -> None:
    pilot = actors["pilot"]
    before = {row.id: row for row in service.list_batteries(session, pilot)}[1]
    service.measure_pack(session, pilot, 1, 84, NOW, cycles=before.cycles + 30)
    aged = {row.id: row for row in service.list_batteries(session, pilot)}[1]
    assert (aged.health_pct, aged.cycles, aged.ready) == (84, before.cycles + 30, True)
    assert [reason.code for reason in aged.warnings] == ["pack.worn_soon"]
    service.measure_pack(session, pilot, 1, 79, NOW + DAY)
    worn = {row.id: row for row in service.list_batteries(session, pilot)}[1]
    assert [reason.code for reason in worn.reasons] == ["pack.worn"]
    history = service.list_measurements(session, actors["manager"], 1)
    assert [(row.health_pct, row.cycles) for row in history] == [
        (79, before.cycles + 30),
        (84, before.cycles + 30),
    ]
    with pytest.raises(InputError, match="has flown"):
        service.measure_pack(session, pilot, 1, 79, NOW, cycles=0)
    for wrong in (-1, 101):
        with pytest.raises(InputError, match="health_pct"):
            service.measure_pack(session, pilot, 1, wrong, NOW)


def test_a_retired_pack_is_never_planned(session: Session, actors: Actors) -> None:
    coordinator = actors["coordinator"]
    for row in service.list_batteries(session, coordinator):
        if row.type == "TB65":
            service.retire_pack(session, coordinator, row.id, "recall", NOW)
    service.submit_request(session, actors["north"], DEMONSTRATION, NOW)
    (given,) = solve_draft(session, coordinator, NOW).assignments
    assert given.drone_name not in {"drone-01", "drone-02"}
    with pytest.raises(Conflict, match="already"):
        service.retire_pack(session, coordinator, 1, "again", NOW)
    with pytest.raises(InputError, match="why"):
        service.retire_pack(session, coordinator, 20, " ", NOW)
    with pytest.raises(NotAllowed):
        service.retire_pack(session, actors["pilot"], 20, "x", NOW)


def test_a_licence_taken_away_grounds_the_pilot_from_the_next_day(
    session: Session, actors: Actors
) -> None:
    coordinator = actors["coordinator"]
    national = next(c for c in detail(session, actors).pilot.credentials if c.kind == "national")
    service.end_credential(session, coordinator, national.id, TODAY, "suspended", NOW)
    assert detail(session, actors).pilot.ready
    tomorrow = service.pilot_detail(session, coordinator, 1, NOW + DAY).pilot
    assert [reason.code for reason in tomorrow.reasons] == ["pilot.expired"]
    assert tomorrow.reasons[0].params["until"] == TODAY.isoformat()
    with pytest.raises(InputError, match="already"):
        service.end_credential(session, coordinator, national.id, TODAY + DAY, "x", NOW)
    with pytest.raises(InputError, match="why"):
        service.end_credential(session, coordinator, national.id, TODAY - DAY, "", NOW)
    # even before it began to hold: then it never held
    first = national.valid_from - DAY
    service.end_credential(session, coordinator, national.id, first, "forged", NOW)
    assert not detail(session, actors).pilot.ready


def test_a_renewal_stands_beside_the_old_licence(session: Session, actors: Actors) -> None:
    coordinator = actors["coordinator"]
    days = (TODAY + 10 * DAY, TODAY + 3650 * DAY)
    service.add_credential(session, coordinator, 1, " national ", "BEL-1", days, NOW)
    held = [c for c in detail(session, actors).pilot.credentials if c.kind == "national"]
    assert [c.number for c in held][-1] == "BEL-1"
    assert len(held) == 2
    with pytest.raises(Conflict, match="already"):
        service.add_credential(session, coordinator, 1, "national", "BEL-1", days, NOW)
    with pytest.raises(InputError, match="before it begins"):
        service.add_credential(session, coordinator, 1, "A2", "n", (TODAY, TODAY - DAY), NOW)
    for kind, number in ((" ", "n"), ("k", ""), ("k" * 41, "n"), ("k", "n" * 61)):
        with pytest.raises(InputError):
            service.add_credential(session, coordinator, 1, kind, number, days, NOW)
    with pytest.raises(NotAllowed):
        service.add_credential(session, actors["pilot"], 1, "A2", "n", days, NOW)


def test_an_absence_is_the_pilots_own_or_the_coordinators_to_enter(
    session: Session, actors: Actors
) -> None:
    pilot, coordinator = actors["pilot"], actors["coordinator"]
    window = Window(NOW + DAY, NOW + 3 * DAY)
    with pytest.raises(NotFound):
        service.add_absence(session, pilot, 1, window, "leave", NOW)
    session.get_one(models.Pilot, 1).user_id = pilot.user_id
    service.add_absence(session, pilot, 1, window, "leave", NOW)
    service.add_absence(session, coordinator, 2, window, "course", NOW)
    (own,) = service.pilot_detail(session, pilot, 1, NOW).absences
    assert (own.start_at, own.kind) == (window.start_at, "leave")
    with pytest.raises(NotFound):
        service.pilot_detail(session, pilot, 2, NOW)
    (other,) = detail(session, actors, 2).absences
    with pytest.raises(NotFound):
        service.cut_absence(session, pilot, other.id, NOW)
    past = Window(NOW - 2 * DAY, NOW - DAY)
    with pytest.raises(InputError, match="passed"):
        service.add_absence(session, coordinator, 1, past, "leave", NOW)
    with pytest.raises(InputError, match="longer than"):
        service.add_absence(session, coordinator, 1, Window(NOW, NOW + 732 * DAY), "leave", NOW)
    for kind in (" ", "x" * 41):
        with pytest.raises(InputError, match="kind"):
            service.add_absence(session, coordinator, 1, window, kind, NOW)


def test_an_absence_is_cut_short_or_never_begins(session: Session, actors: Actors) -> None:
    coordinator = actors["coordinator"]
    service.add_absence(session, coordinator, 1, Window(NOW - DAY, NOW + DAY), "ill", NOW)
    service.add_absence(session, coordinator, 1, Window(NOW + DAY, NOW + 2 * DAY), "leave", NOW)
    ill, leave = detail(session, actors).absences
    assert "pilot.absent" in {reason.code for reason in detail(session, actors).pilot.reasons}
    service.cut_absence(session, coordinator, ill.id, NOW)
    service.cut_absence(session, coordinator, leave.id, NOW)
    assert detail(session, actors).absences == ()
    assert detail(session, actors).pilot.ready
    with pytest.raises(Conflict, match="already"):
        service.cut_absence(session, coordinator, ill.id, NOW)
    with pytest.raises(NotFound):
        service.cut_absence(session, coordinator, leave.id, NOW)


def test_a_pilots_page_counts_flights_and_the_duty_of_the_plan(
    session: Session, actors: Actors
) -> None:
    asked = service.submit_request(session, actors["north"], DEMONSTRATION, NOW)
    booked = service.book_request(session, actors["north"], asked.id, NOW).assignment
    assert booked is not None
    found = detail(session, actors, booked.pilot_id)
    (duty,) = found.duty
    assert duty.request_ids == (asked.id,)
    assert duty.day == to_local(DEMONSTRATION.start_at).date()
    assert duty.start_at < booked.depart_at
    assert duty.end_at == booked.free_at
    assert duty.span_min < duty.longest_min == 720
    assert duty.rested_at - duty.end_at == timedelta(hours=11)
    assert found.flights == 4
    flown = sorted(
        row.flown_on for row in session.query(models.PilotFlight) if row.pilot_id == booked.pilot_id
    )
    assert found.current_until == flown[-3] + 90 * DAY


def test_a_drones_page_knows_its_rules_defects_and_payloads(
    session: Session, actors: Actors
) -> None:
    pilot, coordinator = actors["pilot"], actors["coordinator"]
    service.record_service(session, pilot, 1, "inspection", "all screws", NOW)
    defect = service.report_defect(session, pilot, 1, "cracked arm", NOW)
    with pytest.raises(NotAllowed, match="second person"):
        service.release_defect(session, pilot, defect, NOW)
    service.release_defect(session, coordinator, defect, NOW + DAY)
    found = service.drone_detail(session, actors["manager"], 1, NOW + DAY)
    rules = {rule.name: rule for rule in found.rules}
    assert rules["inspection"].last_on == TODAY
    assert rules["inspection"].used == pytest.approx(1 / 182)
    assert rules["overhaul"].used == pytest.approx(121 / 730)
    kept = {row.kind: row for row in found.maintenance}
    assert kept["defect"].reported_by == pilot.user_id
    assert kept["defect"].released_by == coordinator.user_id
    assert [row.model for row in found.payloads] == ["H20T"]
    assert found.model.max_gust_mps == 12.0
    with pytest.raises(NotFound):
        service.drone_detail(session, actors["manager"], 99, NOW)


def test_a_service_near_midnight_counts_from_its_local_day(
    session: Session, actors: Actors
) -> None:
    late = NOW.replace(hour=22, minute=30)  # 00:30 of the next day in Brussels
    service.record_service(session, actors["pilot"], 1, "inspection", "x", late)
    rules = service.drone_detail(session, actors["manager"], 1, late).rules
    assert rules[0].last_on == to_local(late).date() == date(2026, 5, 5)
    assert rules[0].used == 0.0


def test_a_flights_line_keeps_payload_limits_and_restrictions_of_its_day(
    session: Session, actors: Actors
) -> None:
    coordinator = actors["coordinator"]
    line = service.log_flight(session, actors["pilot"], entry(session, actors), NOW)
    then = dict(line.drone)
    (serial,) = [d.serial for d in service.list_drones(session, coordinator, NOW) if d.id == 1]
    payload = service.drone_detail(session, coordinator, 1, NOW).payloads[0]
    service.mount_payload(session, coordinator, payload.id, None, NOW)
    service.set_model_limits(session, coordinator, "Matrice 350 RTK", (5.0, 0.0), NOW)
    changes = {"firmware": "99", "sensitive_allowed": False, "model": "Matrice 400"}
    service.change_record(session, coordinator, "drones", (serial,), changes, NOW)
    (kept,) = service.list_flights(session, coordinator)
    assert kept.drone == then
    assert then["payloads"] == [{"model": "H20T", "serial": payload.serial}]
    assert (then["max_gust_mps"], then["max_rain_mm_h"]) == (12.0, 7.6)
    assert (then["sensitive_allowed"], then["low_noise"]) == (True, False)


PILOT = {"name": "pilot 8", "active": True}


def test_one_record_at_a_time_follows_the_rules_of_a_file(session: Session, actors: Actors) -> None:
    coordinator = actors["coordinator"]
    done = service.save_record(session, coordinator, "pilots", PILOT, NOW)
    assert done.added == {"pilots": 1}
    assert "pilot 8" in {row.name for row in service.list_pilots(session, coordinator, NOW)}
    done = service.save_record(session, coordinator, "pilots", {**PILOT, "active": False}, NOW)
    assert done.changed == {"pilots": 1}
    for part in ("logbook", "zebras", "maintenance"):
        with pytest.raises(NotFound):
            service.save_record(session, coordinator, part, PILOT, NOW)
    with pytest.raises(NotAllowed):
        service.save_record(session, actors["pilot"], "pilots", PILOT, NOW)


def drone_values(session: Session) -> dict[str, object]:
    registry = service.export_registry(session, SYSTEM)
    return records.plain_record(registry.drones[0])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"flight_h": 1.0}, InputError, "not typed over"),
        ({"remote_id_serial": "1581F1"}, InputError, "CTA-2063-A"),
        ({"remote_id_serial": "158IF000000000000001"}, InputError, "CTA-2063-A"),
        ({"firmware": " "}, InputError, "firmware needs"),
        ({"firmware": "x" * 61}, InputError, "firmware needs"),
        ({"base_lat_deg": 91.0}, InputError, "lat"),
        ({"pack_type": "AA"}, InputError, "battery type 'AA'"),
        ({"name": "drone-02"}, Conflict, "two drones would have the name 'drone-02'"),
        ({"remote_id_serial": "1581F000000000000002"}, Conflict, "Remote ID"),
        ({"colour": "red"}, InputError, "'colour'"),
    ],
)
def test_a_drone_that_cannot_be_is_not_written(
    session: Session,
    actors: Actors,
    changes: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    values = {**drone_values(session), **changes}
    with pytest.raises(error, match=message):
        service.save_record(session, actors["coordinator"], "drones", values, NOW)


def test_a_restriction_keeps_a_drone_from_sensitive_tasks(session: Session, actors: Actors) -> None:
    coordinator = actors["coordinator"]
    for drone in service.list_drones(session, coordinator, NOW):
        key = (drone.serial,)
        changes = {"sensitive_allowed": drone.name == "drone-04"}
        service.change_record(session, coordinator, "drones", key, changes, NOW)
    asked = replace(DEMONSTRATION, sensitive=True)
    service.submit_request(session, actors["north"], asked, NOW)
    (given,) = solve_draft(session, coordinator, NOW).assignments
    assert given.drone_name == "drone-04"


def test_quiet_tasks_take_quiet_drones_and_say_when_there_is_none(
    session: Session, actors: Actors
) -> None:
    recon = replace(
        DEMONSTRATION, kind=service.RequestKind.RECONNAISSANCE, low_noise=True, payload="rgb"
    )
    service.submit_request(session, actors["north"], recon, NOW)
    (given,) = solve_draft(session, actors["coordinator"], NOW).assignments
    assert given.drone_name in {"drone-09", "drone-10"}
    hot = replace(recon, payload="thermal")
    answer = service.instant_answer(session, actors["north"], hot, NOW)
    assert answer.verdict == "no"
    assert next(reason.code for reason in answer.reasons) == "no.capability"
