"""Drones, batteries and payloads: each with its history, and what people change about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.accounts import display_names
from droneteam.fleet import service
from droneteam.fleet.assets.upkeep import KEEPERS, MECHANICS
from droneteam.web.access import TEAM, allow
from droneteam.web.context import actor, now, reading
from droneteam.web.forms import FormReader
from droneteam.web.kept import own_path
from droneteam.web.sent import NOTHING, Sent, attempt

bp = Blueprint("equipment", __name__, url_prefix="/registry")

MAX_NUMBER = 2**31 - 1
DRONE_TEXTS = (
    "name",
    "model",
    "serial",
    "operator_registration",
    "remote_id_serial",
    "firmware",
    "base_name",
)


def _settled(wrong: Sent | None, message: str, back: str, page: Callable[[Sent], str]) -> Any:
    """The page to go to after a change that was kept, or the page again with what is wrong."""
    if wrong is not None:
        return page(wrong), wrong.status
    flash(message, "done")
    return redirect(back)


@bp.get("/drones")
@allow(*TEAM)
def drones() -> str:
    """Every drone with its state."""
    return _drones(NOTHING)


def _drones(sent: Sent) -> str:
    me = actor()
    with reading() as session:
        rows = service.list_drones(session, me, now())
        models = service.list_models(session, me)
    return render_template(
        "drones.html",
        drones=rows,
        models=models,
        pack_types=sorted({row.pack_type for row in rows}),
        may_keep=me.has_role(*KEEPERS),
        sent=sent,
    )


@bp.post("/drones")
@allow(*KEEPERS)
def add_drone() -> Any:
    """A new drone, known by its serial number."""
    form = FormReader(request.form)
    values: dict[str, Any] = {
        name: form.text(name, required=True, max_length=120) for name in DRONE_TEXTS
    }
    values |= {
        "base_lat_deg": form.number("base_lat_deg", -90.0, 90.0),
        "base_lon_deg": form.number("base_lon_deg", -180.0, 180.0),
        "pack_type": form.text("pack_type", required=True, max_length=60),
        "low_noise": form.flag("low_noise"),
        "sensitive_allowed": form.flag("sensitive_allowed"),
        "flight_h": form.number("flight_h", 0.0, 100_000.0, fallback=0.0),
        "cycles": form.whole("cycles", 0, 100_000, fallback=0),
        "in_service_since": form.day("in_service_since", fallback=now().date()).isoformat(),
        "retired": False,
        "maintenance_rules": _rules(form),
    }
    fields = (*values, "rule_name")
    wrong = attempt("new", form, _saving("drones", values), fields)
    return _settled(wrong, _("The drone is in the registry."), url_for("equipment.drones"), _drones)


def rules_text(rules: Iterable[service.RuleView]) -> str:
    """The rules as the form shows them: name; hours; cycles; days."""
    return "\n".join(
        "; ".join([rule.name, *("" if value is None else f"{value:g}" for value in _every(rule))])
        for rule in rules
    )


def _every(rule: service.RuleView) -> tuple[float | None, int | None, int | None]:
    return rule.every_flight_h, rule.every_cycles, rule.every_days


def _typed_rules(form: FormReader) -> list[dict[str, Any]]:
    """The rules of a form's lines, each with at least one interval."""
    rules: list[dict[str, Any]] = []
    for number, line in enumerate(form.raw("rules").splitlines(), start=1):
        if not line.strip():
            continue
        name, *cells = (part.strip() for part in line.split(";"))
        cells += [""] * (3 - len(cells))
        try:
            hours = float(cells[0].replace(",", ".")) if cells[0] else None
            cycles, days = (int(cell) if cell else None for cell in cells[1:3])
        except ValueError:
            name = ""
        if not name or len(cells) > 3:
            form.fail("rules", _("Line %(n)s is not “name; hours; cycles; days”.", n=number))
            return []
        rules.append(
            {
                "name": name,
                "every_flight_h": hours,
                "every_cycles": cycles,
                "every_days": days,
            }
        )
    return rules


def _rules(form: FormReader) -> list[dict[str, Any]]:
    """The maintenance rule that is typed with a new drone; empty where none is."""
    name = form.text("rule_name", max_length=60)
    if not name:
        return []
    days = form.whole("rule_days", 1, 10_000, fallback=182)
    hours = form.number("rule_hours", 0.1, 10_000.0, fallback=50.0)
    return [{"name": name, "every_flight_h": hours, "every_days": days}]


def _saving(part: str, values: dict[str, Any]) -> Callable[[Session], object]:
    return lambda session: service.save_record(session, actor(), part, values, now())


@bp.get("/drones/<id:drone_id>")
@allow(*TEAM)
def drone(drone_id: int) -> str:
    """One drone: state, limits, payloads, services, defects, flights."""
    return _drone(drone_id, NOTHING)


def _drone(drone_id: int, sent: Sent) -> str:
    me, at = actor(), now()
    with reading() as session:
        detail = service.drone_detail(session, me, drone_id, at)
        flights = service.list_flights(session, me, drone_id=drone_id, limit=20)
        payloads = service.list_payloads(session, me)
        names = display_names(session)
    fitting = [
        row
        for row in payloads
        if detail.drone.model in row.fits_models and row.drone_id != drone_id
    ]
    return render_template(
        "drone.html",
        detail=detail,
        drone=detail.drone,
        flights=flights,
        fitting=fitting,
        names=names,
        rules_text=rules_text(detail.rules),
        may_repair=me.has_role(*MECHANICS),
        may_keep=me.has_role(*KEEPERS),
        sent=sent,
    )


@bp.post("/drones/<id:drone_id>")
@allow(*KEEPERS)
def change_drone(drone_id: int) -> Any:
    """Firmware, base and restrictions; flights that were logged keep those of their day."""
    form = FormReader(request.form)
    values = {
        "firmware": form.text("firmware", required=True, max_length=60),
        "base_name": form.text("base_name", required=True, max_length=120),
        "base_lat_deg": form.number("base_lat_deg", -90.0, 90.0),
        "base_lon_deg": form.number("base_lon_deg", -180.0, 180.0),
        "low_noise": form.flag("low_noise"),
        "sensitive_allowed": form.flag("sensitive_allowed"),
        "retired": form.flag("retired"),
    }

    def change(session: Session) -> None:
        found = service.drone_detail(session, actor(), drone_id, now()).drone
        service.change_record(session, actor(), "drones", (found.serial,), values, now())

    wrong = attempt("facts", form, change, tuple(values))
    return _settled(wrong, _("Saved."), _at(drone_id), lambda sent: _drone(drone_id, sent))


@bp.post("/drones/<id:drone_id>/rules")
@allow(*KEEPERS)
def set_rules(drone_id: int) -> Any:
    """When the drone must be serviced; services that were done stay on record."""
    form = FormReader(request.form)
    rules = _typed_rules(form)

    def change(session: Session) -> None:
        found = service.drone_detail(session, actor(), drone_id, now()).drone
        values = {"maintenance_rules": rules}
        service.change_record(session, actor(), "drones", (found.serial,), values, now())

    wrong = attempt("rules", form, change, ("rules",))
    return _settled(wrong, _("Saved."), _at(drone_id), lambda sent: _drone(drone_id, sent))


@bp.post("/drones/<id:drone_id>/limits")
@allow(*KEEPERS)
def limits(drone_id: int) -> Any:
    """The weather that drones of this model take."""
    form = FormReader(request.form)
    gust = form.optional_number("max_gust_mps", 0.0, 120.0)
    rain = form.optional_number("max_rain_mm_h", 0.0, 2_400.0)

    def change(session: Session) -> None:
        model = service.drone_detail(session, actor(), drone_id, now()).drone.model
        service.set_model_limits(session, actor(), model, (gust, rain), now())

    wrong = attempt("limits", form, change, ("max_gust_mps", "max_rain_mm_h"))
    return _settled(wrong, _("Saved."), _at(drone_id), lambda sent: _drone(drone_id, sent))


@bp.post("/drones/<id:drone_id>/services")
@allow(*MECHANICS)
def serviced(drone_id: int) -> Any:
    """A service that was done."""
    form = FormReader(request.form)
    rule = form.text("rule", required=True, max_length=60)
    text = form.text("text", required=True, max_length=2_000)
    wrong = attempt(
        "service",
        form,
        lambda session: service.record_service(session, actor(), drone_id, rule, text, now()),
        ("rule", "text"),
    )
    return _settled(wrong, _("Noted."), _at(drone_id), lambda sent: _drone(drone_id, sent))


@bp.post("/drones/<id:drone_id>/defects")
@allow(*MECHANICS)
def ground(drone_id: int) -> Any:
    """A defect: the drone is grounded from now on."""
    form = FormReader(request.form)
    text = form.text("text", required=True, max_length=2_000)
    wrong = attempt(
        "defect",
        form,
        lambda session: service.report_defect(session, actor(), drone_id, text, now()),
        ("text",),
    )
    return _settled(
        wrong,
        _("Grounded until a second person releases it."),
        _at(drone_id),
        lambda sent: _drone(drone_id, sent),
    )


def _at(drone_id: int) -> str:
    return url_for("equipment.drone", drone_id=drone_id)


@bp.get("/batteries")
@allow(*TEAM)
def batteries() -> str:
    """Every battery pack with health and cycles."""
    return _batteries(NOTHING)


def _batteries(sent: Sent) -> str:
    me = actor()
    with reading() as session:
        rows = service.list_batteries(session, me)
    return render_template(
        "batteries.html",
        batteries=rows,
        types=sorted({row.type for row in rows}),
        may_keep=me.has_role(*KEEPERS),
        sent=sent,
    )


@bp.post("/batteries")
@allow(*KEEPERS)
def add_battery() -> Any:
    """A new battery pack, known by its label."""
    form = FormReader(request.form)
    values = {
        "label": form.text("label", required=True, max_length=60),
        "type": form.text("type", required=True, max_length=60),
        "cycles": form.whole("cycles", 0, 100_000, fallback=0),
        "health_pct": form.whole("health_pct", 0, 100, fallback=100),
        "charged_at": None,
    }
    wrong = attempt("new", form, _saving("batteries", values), tuple(values))
    back = url_for("equipment.batteries")
    return _settled(wrong, _("The battery is in the registry."), back, _batteries)


@bp.get("/batteries/<id:battery_id>")
@allow(*TEAM)
def battery(battery_id: int) -> str:
    """One battery pack and its measurements."""
    return _battery(battery_id, NOTHING)


def _battery(battery_id: int, sent: Sent) -> str:
    me = actor()
    with reading() as session:
        history = service.list_measurements(session, me, battery_id)
        pack = next(row for row in service.list_batteries(session, me) if row.id == battery_id)
        names = display_names(session)
    return render_template(
        "battery.html",
        pack=pack,
        history=history,
        names=names,
        may_measure=me.has_role(*MECHANICS) and pack.retired_at is None,
        may_keep=me.has_role(*KEEPERS) and pack.retired_at is None,
        sent=sent,
    )


@bp.post("/batteries/<id:battery_id>/measurements")
@allow(*MECHANICS)
def measure(battery_id: int) -> Any:
    """Health and cycles as measured."""
    form = FormReader(request.form)
    health = form.whole("health_pct", 0, 100)
    counted = form.whole("cycles", 0, 100_000) if form.raw("cycles") else None
    wrong = attempt(
        "measure",
        form,
        lambda session: service.measure_pack(
            session, actor(), battery_id, health, now(), cycles=counted
        ),
        ("health_pct", "cycles"),
    )
    back = url_for("equipment.battery", battery_id=battery_id)
    return _settled(wrong, _("Noted."), back, lambda sent: _battery(battery_id, sent))


@bp.post("/batteries/<id:battery_id>/retire")
@allow(*KEEPERS)
def retire(battery_id: int) -> Any:
    """The pack flies no more."""
    form = FormReader(request.form)
    reason = form.text("reason", required=True, max_length=500)
    wrong = attempt(
        "retire",
        form,
        lambda session: service.retire_pack(session, actor(), battery_id, reason, now()),
        ("reason",),
    )
    back = url_for("equipment.battery", battery_id=battery_id)
    return _settled(wrong, _("Retired."), back, lambda sent: _battery(battery_id, sent))


@bp.get("/payloads")
@allow(*TEAM)
def payloads() -> str:
    """Every payload, what it fits, what carries it, and who mounted it."""
    return _payloads(NOTHING)


def _payloads(sent: Sent) -> str:
    me = actor()
    with reading() as session:
        rows = service.list_payloads(session, me)
        drones = service.list_drones(session, me, now())
        history = service.list_mountings(session, me)
        names = display_names(session)
    return render_template(
        "payloads.html",
        payloads=rows,
        drones={row.id: row for row in drones},
        fits={
            row.id: [(str(d.id), d.name) for d in drones if d.model in row.fits_models]
            for row in rows
        },
        serials={row.id: f"{row.model} {row.serial}" for row in rows},
        models=sorted({row.model for row in drones}),
        history=history,
        names=names,
        may_mount=me.has_role(*MECHANICS),
        may_keep=me.has_role(*KEEPERS),
        sent=sent,
    )


@bp.post("/payloads")
@allow(*KEEPERS)
def add_payload() -> Any:
    """A new payload, known by its serial number."""
    form = FormReader(request.form)
    values = {
        "serial": form.text("serial", required=True, max_length=60),
        "model": form.text("model", required=True, max_length=120),
        "capabilities": _listed(form.text("capabilities", required=True, max_length=200)),
        "fits_models": _listed(form.text("fits_models", required=True, max_length=500)),
        "drone_serial": None,
    }
    wrong = attempt("new", form, _saving("payloads", values), tuple(values))
    back = url_for("equipment.payloads")
    return _settled(wrong, _("The payload is in the registry."), back, _payloads)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


@bp.post("/payloads/<id:payload_id>/mount")
@allow(*MECHANICS)
def mount(payload_id: int) -> Any:
    """On a drone, or off where none is chosen."""
    form = FormReader(request.form)
    drone_id = form.whole("drone_id", 1, MAX_NUMBER) if form.raw("drone_id") else None
    wrong = attempt(
        f"mount-{payload_id}",
        form,
        lambda session: service.mount_payload(session, actor(), payload_id, drone_id, now()),
        ("drone_id",),
    )
    back = own_path(request.form.get("next"), url_for("equipment.payloads"))
    return _settled(wrong, _("Noted."), back, _payloads)
