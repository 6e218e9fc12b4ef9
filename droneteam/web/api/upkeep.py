"""Upkeep: services, defects, payloads, batteries, limits of models, pilots' licences, absences."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, Range

from droneteam.fleet import service
from droneteam.fleet.assets.upkeep import KEEPERS, MECHANICS
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import MAX_GUST_MPS, MAX_RAIN_MM_H
from droneteam.web.access import TEAM, allow
from droneteam.web.api.door import missing
from droneteam.web.api.handling import ReasonIn
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.routing import MAX_ID
from droneteam.web.views.crew import ABSENCE_WRITERS, PAGE_READERS

bp = APIBlueprint("api_upkeep", __name__, url_prefix="/api/v1/registry", tag="registry")

_TEXT = {"pattern": r"\S"}


class DefectIn(Schema):
    """What is wrong with a drone."""

    text = fields.String(required=True, validate=Length(1, 2_000), metadata=_TEXT)


class DefectOut(Schema):
    """The defect's number, for its release."""

    id = fields.Integer(required=True)


class ServiceIn(Schema):
    """A service that was done by one of the drone's rules."""

    rule = fields.String(required=True, validate=Length(1, 60))
    text = fields.String(required=True, validate=Length(1, 2_000), metadata=_TEXT)


class LimitsIn(Schema):
    """The weather that a model takes; null means no limit."""

    model = fields.String(required=True, validate=Length(1, 120))
    max_gust_mps = fields.Float(required=True, allow_none=True, validate=Range(0, MAX_GUST_MPS))
    max_rain_mm_h = fields.Float(required=True, allow_none=True, validate=Range(0, MAX_RAIN_MM_H))


class MountIn(Schema):
    """Where a payload goes; null takes it off."""

    drone_id = fields.Integer(
        required=True, allow_none=True, strict=True, validate=Range(1, MAX_ID)
    )


class PackMeasurementIn(Schema):
    """A battery's health and, by its own counter, its cycles."""

    health_pct = fields.Integer(required=True, strict=True, validate=Range(0, 100))
    cycles = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=Range(0, 100_000)
    )


class CredentialIn(Schema):
    """A licence and the days, both included, on which it holds."""

    kind = fields.String(required=True, validate=Length(1, 40), metadata=_TEXT)
    number = fields.String(required=True, validate=Length(1, 60), metadata=_TEXT)
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True)


class CredentialEndIn(ReasonIn):
    """The last day on which a licence held, and why it ended."""

    last_on = fields.Date(required=True)


class AbsenceIn(Schema):
    """A time in which a pilot does not work."""

    start_at = fields.AwareDateTime(required=True, format="iso")
    end_at = fields.AwareDateTime(required=True, format="iso")
    kind = fields.String(required=True, validate=Length(1, 40), metadata=_TEXT)


@bp.get("/drones/<id:drone_id>")
@allow(*TEAM)
@bp.output(schema_of(service.DroneDetail))
@bp.doc(summary="One drone with limits, payloads, rules and history")
def drone(drone_id: int) -> Any:
    """`used` is the share of a maintenance interval; 1 grounds the drone."""
    with reading() as session:
        return service.drone_detail(session, actor(), drone_id, now())


@bp.post("/drones/<id:drone_id>/defects")
@allow(*MECHANICS)
@bp.input(DefectIn, arg_name="body")
@bp.output(DefectOut, status_code=201)
@bp.doc(summary="Ground a drone by a defect")
def ground(drone_id: int, body: dict[str, Any]) -> Any:
    """Until a second person releases it."""
    with writing() as session:
        return {"id": service.report_defect(session, actor(), drone_id, body["text"], now())}


@bp.post("/defects/<id:defect_id>/release")
@allow(*MECHANICS)
@bp.output({}, status_code=204)
@bp.doc(summary="Release a defect, as the second person")
def release(defect_id: int) -> Any:
    """403 for the person who reported it."""
    with writing() as session:
        service.release_defect(session, actor(), defect_id, now())
    return ""


@bp.post("/drones/<id:drone_id>/services")
@allow(*MECHANICS)
@bp.input(ServiceIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Note a service that was done")
def serviced(drone_id: int, body: dict[str, Any]) -> Any:
    """The rule's intervals begin again."""
    with writing() as session:
        service.record_service(session, actor(), drone_id, body["rule"], body["text"], now())
    return ""


@bp.get("/models")
@allow(*TEAM)
@bp.output(page_of(service.ModelView))
@bp.doc(summary="Models of drone and the weather that they take")
def models() -> Any:
    """By name."""
    with reading() as session:
        return {"items": service.list_models(session, actor())}


@bp.put("/models")
@allow(*KEEPERS)
@bp.input(LimitsIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(
    summary="Set the weather that a model takes",
    responses=missing("The team has no drone of this model."),
)
def limits(body: dict[str, Any]) -> Any:
    """Flights that were logged keep the limits of their day."""
    with writing() as session:
        values = (body["max_gust_mps"], body["max_rain_mm_h"])
        service.set_model_limits(session, actor(), body["model"], values, now())
    return ""


@bp.get("/payloads")
@allow(*TEAM)
@bp.output(page_of(service.PayloadView))
@bp.doc(summary="Payloads, what they fit and what carries them")
def payloads() -> Any:
    """By serial number."""
    with reading() as session:
        return {"items": service.list_payloads(session, actor())}


@bp.post("/payloads/<id:payload_id>/mount")
@allow(*MECHANICS)
@bp.input(MountIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Mount a payload, or take it off")
def mount(payload_id: int, body: dict[str, Any]) -> Any:
    """409 where it does not fit."""
    with writing() as session:
        service.mount_payload(session, actor(), payload_id, body["drone_id"], now())
    return ""


@bp.get("/mountings")
@allow(*TEAM)
@bp.output(page_of(service.MountingView))
@bp.doc(summary="Who mounted what where")
def mountings() -> Any:
    """The latest first."""
    with reading() as session:
        return {"items": service.list_mountings(session, actor())}


@bp.get("/batteries/<id:battery_id>/measurements")
@allow(*TEAM)
@bp.output(page_of(service.PackMeasurementView))
@bp.doc(summary="A battery's measurements")
def measurements(battery_id: int) -> Any:
    """The latest first."""
    with reading() as session:
        return {"items": service.list_measurements(session, actor(), battery_id)}


@bp.post("/batteries/<id:battery_id>/measurements")
@allow(*MECHANICS)
@bp.input(PackMeasurementIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Enter a battery's measurement")
def measure(battery_id: int, body: dict[str, Any]) -> Any:
    """Below 80 % the pack flies no more."""
    with writing() as session:
        service.measure_pack(
            session, actor(), battery_id, body["health_pct"], now(), cycles=body["cycles"]
        )
    return ""


@bp.post("/batteries/<id:battery_id>/retire")
@allow(*KEEPERS)
@bp.input(ReasonIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Retire a battery")
def retire(battery_id: int, body: dict[str, Any]) -> Any:
    """It flies no more."""
    with writing() as session:
        service.retire_pack(session, actor(), battery_id, body["reason"], now())
    return ""


@bp.get("/pilots/<id:pilot_id>")
@allow(*PAGE_READERS)
@bp.output(schema_of(service.PilotDetail))
@bp.doc(summary="One pilot with licences, absences, duty and recent experience")
def pilot(pilot_id: int) -> Any:
    """A pilot reads the own record only; 404 for another's."""
    with reading() as session:
        return service.pilot_detail(session, actor(), pilot_id, now())


@bp.post("/pilots/<id:pilot_id>/credentials")
@allow(*KEEPERS)
@bp.input(CredentialIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Enter or renew a pilot's licence")
def add_credential(pilot_id: int, body: dict[str, Any]) -> Any:
    """A renewal is one more of its kind with later days."""
    days = (body["valid_from"], body["valid_until"])
    with writing() as session:
        service.add_credential(
            session, actor(), pilot_id, body["kind"], body["number"], days, now()
        )
    return ""


@bp.post("/credentials/<id:credential_id>/end")
@allow(*KEEPERS)
@bp.input(CredentialEndIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="End a licence before its last day")
def end_credential(credential_id: int, body: dict[str, Any]) -> Any:
    """It stays on record."""
    with writing() as session:
        service.end_credential(
            session, actor(), credential_id, body["last_on"], body["reason"], now()
        )
    return ""


@bp.post("/pilots/<id:pilot_id>/absences")
@allow(*ABSENCE_WRITERS)
@bp.input(AbsenceIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Enter an absence")
def add_absence(pilot_id: int, body: dict[str, Any]) -> Any:
    """A pilot enters the own ones."""
    window = Window(body["start_at"], body["end_at"])
    with writing() as session:
        service.add_absence(session, actor(), pilot_id, window, body["kind"], now())
    return ""


@bp.post("/absences/<id:absence_id>/end")
@allow(*ABSENCE_WRITERS)
@bp.output({}, status_code=204)
@bp.doc(summary="Back earlier, or never away")
def cut_absence(absence_id: int) -> Any:
    """This time may be planned again."""
    with writing() as session:
        service.cut_absence(session, actor(), absence_id, now())
    return ""
