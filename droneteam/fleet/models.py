"""TABLES of the fleet: registry, requests, agreement, plans and the entitlement ledger.

Requests' events and the ledger are append-only: the database itself refuses to change them, so
that figures recomputed from them later are the figures of what happened.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime, make_append_only


class Drone(Base):
    """A drone of the team."""

    __tablename__ = "drone"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    model: Mapped[str] = mapped_column(String(120))
    serial: Mapped[str] = mapped_column(String(60), unique=True)
    operator_registration: Mapped[str] = mapped_column(String(60))
    remote_id_serial: Mapped[str] = mapped_column(String(20), unique=True)
    """CTA-2063-A serial number, as the drone broadcasts it."""
    firmware: Mapped[str] = mapped_column(String(60))
    base_name: Mapped[str] = mapped_column(String(120))
    base_lat_deg: Mapped[float]
    base_lon_deg: Mapped[float]
    pack_type: Mapped[str] = mapped_column(ForeignKey("battery_type.name"))
    low_noise: Mapped[bool] = mapped_column(default=False)
    sensitive_allowed: Mapped[bool] = mapped_column(default=True)
    flight_h: Mapped[float] = mapped_column(default=0.0)
    cycles: Mapped[int] = mapped_column(default=0)
    in_service_since: Mapped[date]
    retired: Mapped[bool] = mapped_column(default=False)
    maintenance_rules: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class DroneModel(Base):
    """A model of drone and the weather that its maker allows; None where it sets no limit."""

    __tablename__ = "drone_model"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    max_gust_mps: Mapped[float | None]
    max_rain_mm_h: Mapped[float | None]


class BatteryType(Base):
    """A kind of battery pack."""

    __tablename__ = "battery_type"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    endurance_min: Mapped[int]
    charge_min: Mapped[int]
    per_flight: Mapped[int]
    max_cycles: Mapped[int]


class Battery(Base):
    """A battery pack."""

    __tablename__ = "battery"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    label: Mapped[str] = mapped_column(String(60), unique=True)
    type: Mapped[str] = mapped_column(ForeignKey("battery_type.name"), index=True)
    cycles: Mapped[int] = mapped_column(default=0)
    health_pct: Mapped[int] = mapped_column(default=100)
    charged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BatteryMeasurement(Base):
    """A pack's health as somebody measured it; append-only."""

    __tablename__ = "battery_measurement"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    battery_id: Mapped[int] = mapped_column(ForeignKey("battery.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    health_pct: Mapped[int]
    cycles: Mapped[int]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class Payload(Base):
    """A camera or other payload, and the drone that carries it now."""

    __tablename__ = "payload"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    serial: Mapped[str] = mapped_column(String(60), unique=True)
    model: Mapped[str] = mapped_column(String(120))
    capabilities: Mapped[list[str]] = mapped_column(JSON)
    fits_models: Mapped[list[str]] = mapped_column(JSON)
    drone_id: Mapped[int | None] = mapped_column(ForeignKey("drone.id"), index=True)


class Mounting(Base):
    """A payload was put on a drone, or taken off where the drone is None; append-only."""

    __tablename__ = "mounting"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    payload_id: Mapped[int] = mapped_column(ForeignKey("payload.id"), index=True)
    drone_id: Mapped[int | None] = mapped_column(ForeignKey("drone.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class Pilot(Base):
    """A pilot; the user is who signs in as this pilot."""

    __tablename__ = "pilot"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), unique=True)
    active: Mapped[bool] = mapped_column(default=True)


class Credential(Base):
    """A dated licence or rating of a pilot."""

    __tablename__ = "credential"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    number: Mapped[str] = mapped_column(String(60))
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    ended_on: Mapped[date | None]
    """The last day on which it held, where it was taken away before its end."""


class PilotFlight(Base):
    """A day on which a pilot flew; counts for recent experience."""

    __tablename__ = "pilot_flight"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), index=True)
    flown_on: Mapped[date]
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"))


class Absence(Base):
    """A time in which a pilot does not work: leave, illness, course."""

    __tablename__ = "absence"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), index=True)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    kind: Mapped[str] = mapped_column(String(40))


class Maintenance(Base):
    """A service that was done, or a defect that grounds a drone until it is released."""

    __tablename__ = "maintenance"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    rule: Mapped[str | None] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    text: Mapped[str] = mapped_column(Text)
    flight_h: Mapped[float]
    cycles: Mapped[int]
    reported_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class SlaVersion(Base):
    """One version of the agreement; the digest shows that nobody edited it."""

    __tablename__ = "sla_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    number: Mapped[int] = mapped_column(unique=True)
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Request(Base):
    """What an organisation asked for, and where it stands."""

    __tablename__ = "request"
    __table_args__ = (UniqueConstraint("organisation_id", "submit_key"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    submitted_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    submit_key: Mapped[str | None] = mapped_column(String(80))
    series: Mapped[str | None] = mapped_column(String(40), index=True)
    """What requests that were asked for together share."""
    sla_version_id: Mapped[int] = mapped_column(ForeignKey("sla_version.id"))
    state: Mapped[str] = mapped_column(String(20), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    title: Mapped[str] = mapped_column(String(200))
    priority: Mapped[str] = mapped_column(String(2))
    start_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    address: Mapped[str] = mapped_column(String(200), default="", server_default="")
    polygon: Mapped[list[list[float]]] = mapped_column(JSON)
    legal_basis: Mapped[str] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200))
    payload: Mapped[str | None] = mapped_column(String(20))
    sensitive: Mapped[bool]
    low_noise: Mapped[bool]
    notes: Mapped[str] = mapped_column(Text)
    submitted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    on_scene_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    close_code: Mapped[str | None] = mapped_column(String(40))


class RequestEvent(Base):
    """One step of a request; immutable."""

    __tablename__ = "request_event"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    state: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class ClockStop(Base):
    """A stretch in which a clock does not run, with the evidence for it."""

    __tablename__ = "clock_stop"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    clock: Mapped[str] = mapped_column(String(20))
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    to_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    code: Mapped[str] = mapped_column(String(40))
    evidence: Mapped[str] = mapped_column(Text)
    attachment_id: Mapped[int | None] = mapped_column(ForeignKey("request_attachment.id"))


class Plan(Base):
    """An allocation: draft, then published, then superseded by the next."""

    __tablename__ = "plan"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    status: Mapped[str] = mapped_column(String(20))
    base_plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    base_revision: Mapped[int]
    """The head's revision when the problem was read; a later one makes the draft stale."""
    solved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seed: Mapped[int]
    gap: Mapped[float]
    terms: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    unserved: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    scenario: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What a coordinator supposed when the draft was solved; None for a plan of what is."""


class PlanHead(Base):
    """One row: which plan holds now.

    Whoever publishes, books or changes what a plan rests on locks this row and raises its
    revision; that is what keeps two of them from giving out one drone twice.
    """

    __tablename__ = "plan_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    revision: Mapped[int] = mapped_column(default=0)


class Assignment(Base):
    """What a plan gives a request; names are those of the day it was made."""

    __tablename__ = "assignment"
    __table_args__ = (UniqueConstraint("plan_id", "request_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"), index=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), index=True)
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), index=True)
    drone_snapshot: Mapped[dict[str, Any]] = mapped_column(JSON)
    pilot_name: Mapped[str] = mapped_column(String(120))
    crew_ids: Mapped[list[int]] = mapped_column(JSON)
    battery_ids: Mapped[list[int]] = mapped_column(JSON)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    depart_at: Mapped[datetime] = mapped_column(UtcDateTime)
    arrive_at: Mapped[datetime] = mapped_column(UtcDateTime)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    free_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    travel_min: Mapped[int]
    late_min: Mapped[int]
    why: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class LedgerRow(Base):
    """Crew-minutes debited from an organisation's entitlement; append-only."""

    __tablename__ = "ledger"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    crew_min: Mapped[int]
    priority: Mapped[str] = mapped_column(String(2))


class LoanRow(Base):
    """Crew-minutes that one organisation lent another; append-only."""

    __tablename__ = "loan"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    lender_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    crew_min: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class Attachment(Base):
    """A file that belongs to a request; its content lies in the blob folder under its hash."""

    __tablename__ = "request_attachment"
    __table_args__ = (UniqueConstraint("request_id", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    added_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Escalation(Base):
    """One threshold of one clock that was passed, and who was told; raised once."""

    __tablename__ = "escalation"
    __table_args__ = (UniqueConstraint("request_id", "clock", "fraction"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    clock: Mapped[str] = mapped_column(String(20))
    fraction: Mapped[float]
    told: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class RegistryNotice(Base):
    """Something that ends or falls due soon, told once; its key says what and when."""

    __tablename__ = "registry_notice"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    subject: Mapped[str] = mapped_column(String(40))
    code: Mapped[str] = mapped_column(String(40))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class ForecastRow(Base):
    """The weather that a source expected for one period when it issued it; append-only."""

    __tablename__ = "forecast"
    __table_args__ = (UniqueConstraint("source", "issued_at", "start_at", "end_at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(60))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    gust_mps: Mapped[float]
    rain_mm_h: Mapped[float]
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class AirspaceStep(Base):
    """Where a request's airspace approval stands from now on; append-only, the last one holds."""

    __tablename__ = "airspace_step"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20))
    authority: Mapped[str] = mapped_column(String(120))
    reference: Mapped[str] = mapped_column(String(120))
    from_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class SpeedRow(Base):
    """How fast crews drive, from a date on; append-only."""

    __tablename__ = "speed_table"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    bands: Mapped[list[list[float]]] = mapped_column(JSON)
    detour: Mapped[float]
    emergency_factor: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class CalendarFeed(Base):
    """An address under which a calendar program reads one zone's, drone's or pilot's tasks.

    Only the hash of the address's secret is kept: who reads the database cannot read calendars.
    """

    __tablename__ = "calendar_feed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    drone_id: Mapped[int | None] = mapped_column(ForeignKey("drone.id"))
    pilot_id: Mapped[int | None] = mapped_column(ForeignKey("pilot.id"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Flight(Base):
    """One line of the logbook, with drone, crew and packs as they were then; append-only."""

    __tablename__ = "flight"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    """Names the flight wherever the logbook is carried, so that no flight counts twice."""
    sortie: Mapped[str] = mapped_column(String(60))
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"), index=True)
    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), index=True)
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"), index=True)
    took_off_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    landed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    drone: Mapped[dict[str, Any]] = mapped_column(JSON)
    pilot: Mapped[dict[str, Any]] = mapped_column(JSON)
    packs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    remarks: Mapped[str] = mapped_column(Text)


make_append_only(RequestEvent)
make_append_only(LedgerRow)
make_append_only(LoanRow)
make_append_only(Flight)
make_append_only(BatteryMeasurement)
make_append_only(Mounting)
make_append_only(ForecastRow)
make_append_only(AirspaceStep)
make_append_only(SpeedRow)
