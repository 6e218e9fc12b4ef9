"""A registry carried to another installation, and what an import may never do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import db, schema
from droneteam.accounts import SYSTEM
from droneteam.cli import main
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.assets import records
from droneteam.fleet.assets.records import Registry
from droneteam.fleet.terms import Window
from tests.fleet.conftest import ACCIDENT, NOW, Actors
from tests.fleet.drafting import solve_draft
from tests.fleet.test_journeys import entry

Submit = Callable[..., int]


def lived(session: Session, actors: Actors) -> Registry:
    """The reference registry after a day's work."""
    pilot, coordinator = actors["pilot"], actors["coordinator"]
    service.log_flight(session, pilot, entry(session, actors), NOW)
    defect = service.report_defect(session, pilot, 1, "cracked arm, “left”", NOW)
    service.release_defect(session, coordinator, defect, NOW + timedelta(hours=1))
    service.report_defect(session, pilot, 2, "lost propeller", NOW)
    service.record_service(session, pilot, 3, "inspection", "all screws", NOW)
    window = Window(NOW, NOW + timedelta(days=3))
    service.add_absence(session, coordinator, 4, window, "leave", NOW)
    service.measure_pack(session, pilot, 1, 88, NOW, cycles=240)
    service.retire_pack(session, coordinator, 2, "swollen", NOW)
    service.mount_payload(session, pilot, 11, 1, NOW)
    licence = service.list_pilots(session, coordinator, NOW)[0].credentials[0]
    last_on = NOW.date() - timedelta(days=1)
    service.end_credential(session, coordinator, licence.id, last_on, "withdrawn", NOW)
    return service.export_registry(session, actors["manager"])


def test_a_registry_is_carried_whole_into_an_empty_installation(
    session: Session, actors: Actors, tmp_path: Path
) -> None:
    registry = lived(session, actors)
    assert (len(registry.drones), len(registry.pilots), len(registry.logbook)) == (10, 7, 1)
    engine = db.make_engine(f"sqlite:///{tmp_path / 'other.db'}")
    schema.create_all(engine)
    carried = records.from_json(records.to_json(registry))
    with session_scope(engine) as other:
        done = service.import_registry(other, SYSTEM, carried, NOW)
        assert (done.added["drones"], done.changed) == (10, {})
    with session_scope(engine) as other:
        assert service.export_registry(other, SYSTEM) == registry
        again = service.import_registry(other, SYSTEM, registry, NOW)
        assert (again.added, again.changed) == ({}, {})
        after = NOW + timedelta(hours=2)
        drones = {row.name: row for row in service.list_drones(other, SYSTEM, after)}
        assert not drones["drone-02"].ready  # its defect travelled
        assert drones["drone-01"].ready
    engine.dispose()


def test_an_import_changes_what_it_knows_and_removes_nothing(
    session: Session, actors: Actors
) -> None:
    registry = service.export_registry(session, SYSTEM)
    first = replace(registry.drones[0], firmware="99.1")
    only = Registry(drones=(first,))
    done = service.import_registry(session, SYSTEM, only, NOW)
    assert (done.added, done.changed) == ({}, {"drones": 1})
    after = service.export_registry(session, SYSTEM)
    assert after == replace(registry, drones=(first, *registry.drones[1:]))


def test_history_is_never_imported_over(session: Session, actors: Actors) -> None:
    registry = lived(session, actors)
    flight = registry.logbook[0]
    changed = replace(flight, landed_at=flight.landed_at + timedelta(minutes=5))
    with pytest.raises(Conflict, match="landed_at"):
        service.import_registry(session, SYSTEM, Registry(logbook=(changed,)), NOW)
    (open_one,) = [row for row in registry.maintenance if row.text == "lost propeller"]
    released = replace(open_one, released_at=NOW + timedelta(hours=2))
    with pytest.raises(Conflict, match="second person"):
        service.import_registry(session, SYSTEM, Registry(maintenance=(released,)), NOW)


def test_what_is_impossible_or_unknown_keeps_everything_out(
    session: Session, actors: Actors
) -> None:
    registry = service.export_registry(session, SYSTEM)
    drone, pack = registry.drones[0], registry.batteries[0]
    payload = registry.payloads[0]
    credential = registry.credentials[0]
    bad: list[tuple[Registry, str]] = [
        (Registry(drones=(replace(drone, base_lat_deg=95.0),)), "lat"),
        (Registry(drones=(replace(drone, flight_h=-1.0),)), "flight_h"),
        (Registry(drones=(replace(drone, pack_type="AA"),)), "battery type 'AA'"),
        (Registry(drones=(replace(drone, maintenance_rules=[{"name": "x"}]),)), "intervals"),
        (Registry(drones=(replace(drone, maintenance_rules=[{"every": 1}]),)), "malformed"),
        (Registry(batteries=(replace(pack, health_pct=101),)), "above 100"),
        (Registry(payloads=(replace(payload, drone_serial="none"),)), "no drone of serial"),
        (
            Registry(
                drones=registry.drones,
                payloads=(replace(payload, drone_serial=drone.serial, fits_models=["Other"]),),
            ),
            "fits Other",
        ),
        (Registry(credentials=(replace(credential, pilot="nobody"),)), "no pilot 'nobody'"),
        (
            Registry(
                credentials=(
                    replace(credential, valid_until=credential.valid_from - timedelta(days=1)),
                )
            ),
            "before it begins",
        ),
    ]
    for wrong, message in bad:
        with pytest.raises(InputError, match=message), session.begin_nested():
            service.import_registry(session, SYSTEM, wrong, NOW)
    assert service.export_registry(session, SYSTEM) == registry
    for who in ("north", "coordinator", "manager"):
        with pytest.raises(NotAllowed):
            service.import_registry(session, actors[who], registry, NOW)
    with pytest.raises(NotAllowed):
        service.export_registry(session, actors["north"])


def test_a_service_done_begins_its_interval_again(session: Session, actors: Actors) -> None:
    drone = session.get_one(models.Drone, 3)
    drone.flight_h += 12.0
    session.flush()
    assert not service.list_drones(session, actors["pilot"], NOW)[2].ready
    with pytest.raises(InputError, match="no rule"):
        service.record_service(session, actors["pilot"], 3, "paint", "red", NOW)
    with pytest.raises(InputError, match="what was done"):
        service.record_service(session, actors["pilot"], 3, "inspection", " ", NOW)
    service.record_service(session, actors["pilot"], 3, "inspection", "done", NOW)
    assert service.list_drones(session, actors["pilot"], NOW)[2].ready


def test_a_payload_is_mounted_where_it_fits_and_brings_its_capability(
    session: Session, actors: Actors
) -> None:
    spare = session.query(models.Payload).filter_by(serial="PL-0101").one()
    with pytest.raises(Conflict, match="fits Matrice 350 RTK"):
        service.mount_payload(session, actors["pilot"], spare.id, 3, NOW)
    service.mount_payload(session, actors["pilot"], spare.id, 1, NOW)
    drone = service.list_drones(session, actors["pilot"], NOW)[0]
    assert "photogrammetry" in drone.capabilities
    service.mount_payload(session, actors["pilot"], spare.id, None, NOW)
    drone = service.list_drones(session, actors["pilot"], NOW)[0]
    assert "photogrammetry" not in drone.capabilities
    with pytest.raises(NotFound):
        service.mount_payload(session, actors["pilot"], 999, 1, NOW)
    with pytest.raises(NotAllowed):
        service.mount_payload(session, actors["north"], spare.id, 1, NOW)


def test_a_renewed_licence_silences_its_warning(session: Session, actors: Actors) -> None:
    held = session.query(models.Credential).filter_by(pilot_id=1, kind="national").one()
    soon = held.valid_until - timedelta(days=10)
    at = NOW.replace(year=soon.year, month=soon.month, day=soon.day)

    def warned() -> set[str]:
        pilot = service.list_pilots(session, actors["pilot"], at)[0]
        return {str(reason.params["credential"]) for reason in pilot.warnings}

    assert "national" in warned()
    days = (held.valid_until, held.valid_until + timedelta(days=730))
    coordinator = actors["coordinator"]
    with pytest.raises(NotAllowed):
        service.add_credential(session, actors["pilot"], 1, "national", "N-2", days, NOW)
    with pytest.raises(InputError, match="before it begins"):
        service.add_credential(session, coordinator, 1, "national", "N-2", days[::-1], NOW)
    service.add_credential(session, coordinator, 1, "national", "N-2", days, NOW)
    assert "national" not in warned()


def test_a_weak_pack_stays_on_the_ground(session: Session, actors: Actors) -> None:
    first = service.list_batteries(session, actors["pilot"])[0]
    assert first.ready
    service.measure_pack(session, actors["pilot"], first.id, 79, NOW)
    assert not service.list_batteries(session, actors["pilot"])[0].ready
    with pytest.raises(InputError, match="outside"):
        service.measure_pack(session, actors["pilot"], 1, 101, NOW)
    with pytest.raises(NotFound):
        service.measure_pack(session, actors["pilot"], 999, 90, NOW)


def test_upkeep_makes_older_drafts_stale(session: Session, actors: Actors, submit: Submit) -> None:
    submit("north", ACCIDENT)
    plan = solve_draft(session, actors["coordinator"], NOW)
    service.measure_pack(session, actors["pilot"], 1, 90, NOW)
    with pytest.raises(Conflict, match="solve again"):
        service.publish_plan(session, actors["coordinator"], plan.id, plan.base_plan_id, NOW)


def test_the_command_writes_reads_and_reports(
    fleet_engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DRONETEAM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DRONETEAM_DATABASE", str(fleet_engine.url))
    assert main(["fleet", "export", str(tmp_path / "registry.json")]) == 0
    assert main(["fleet", "export", str(tmp_path / "tables")]) == 0
    assert len(list((tmp_path / "tables").glob("*.csv"))) == len(records.KINDS)
    shutil.copytree(tmp_path / "tables", tmp_path / "moved")
    for source in ("registry.json", "moved"):
        assert main(["fleet", "import", str(tmp_path / source)]) == 0
    assert "10 drones" in capsys.readouterr().out
    for name in ("report.pdf", "report.csv"):
        assert main(["fleet", "report", "2026", str(tmp_path / name), "--language", "nl"]) == 0
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "report.csv").read_text().startswith("Jaarverslag 2026")
    assert main(["fleet", "simulate", "2026", "--drones", "8", "12"]) == 0
    assert "answered" in capsys.readouterr().out
    assert main(["fleet", "report", "2026", str(tmp_path / "report.doc")]) == 1
    assert main(["fleet", "import", str(tmp_path / "nothing.json")]) == 1
    assert "cannot be read" in capsys.readouterr().err
