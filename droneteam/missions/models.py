"""TABLES mission, arming_signature, sortie, onboard_log, checklist_run, field_entry, geozone,
terrain, vehicle_state, shared_air and registered_flight."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime

MAX_SOURCE = 20
"""Characters of the name of who publishes geographical zones."""


class Mission(Base):
    """A planned flight; `plan` holds the MissionPlan, `mission_hash` binds approvals to it."""

    __tablename__ = "mission"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"), index=True)
    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), index=True)
    drone_name: Mapped[str] = mapped_column(String(60))
    pilot_id: Mapped[int] = mapped_column(ForeignKey("pilot.id"))
    state: Mapped[str] = mapped_column(String(20), index=True)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    camera: Mapped[str] = mapped_column(String(60))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    mission_hash: Mapped[str] = mapped_column(String(64), index=True)
    software_version: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class ArmingSignature(Base):
    """One person's signature that a plan may take off now.

    reason, lifted : why, and which bars of the crew's checklist ("item:fault"), this signature
    lifts while it counts; empty for an ordinary one.
    """

    __tablename__ = "arming_signature"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    mission_id: Mapped[int] = mapped_column(ForeignKey("mission.id"), index=True)
    mission_hash: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, server_default="", default="")
    lifted: Mapped[str] = mapped_column(Text, server_default="", default="")


class SortieRow(Base):
    """One flight of a mission; the packets lie in the log below data_dir."""

    __tablename__ = "sortie"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    mission_id: Mapped[int] = mapped_column(ForeignKey("mission.id"), index=True)
    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), index=True)
    ending: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    took_off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    landed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    log_path: Mapped[str] = mapped_column(String(400))
    log_sha256: Mapped[str] = mapped_column(String(64))
    log_complete: Mapped[bool]
    packets: Mapped[int]
    distance_m: Mapped[float]
    max_alt_home_m: Mapped[float]
    triggers: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class OnboardLogRow(Base):
    """The vehicle's own log of a sortie; the file lies below data_dir.

    began_at, ended_at : calendar time of its first and last message, within uncertainty_s; None
    where the vehicle had no calendar.
    """

    __tablename__ = "onboard_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    sortie_id: Mapped[int] = mapped_column(ForeignKey("sortie.id"), unique=True)
    path: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    source: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    began_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    uncertainty_s: Mapped[float | None]
    note: Mapped[str] = mapped_column(Text)


class ChecklistRun(Base):
    """One item of a pre-flight check: what was looked at and what it showed."""

    __tablename__ = "checklist_run"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    sortie_id: Mapped[int] = mapped_column(ForeignKey("sortie.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text)


class FieldEntryRow(Base):
    """Something the crew wrote down beside the drone; rows are added and never changed."""

    __tablename__ = "field_entry"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(36), unique=True)
    mission_id: Mapped[int] = mapped_column(ForeignKey("mission.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    item: Mapped[str] = mapped_column(String(40))
    value: Mapped[str] = mapped_column(Text)
    base: Mapped[str] = mapped_column(String(36))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    behind: Mapped[bool]


class GeozoneRow(Base):
    """A UAS geographical zone as its authority published it."""

    __tablename__ = "geozone"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    identifier: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(MAX_SOURCE))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class VehicleState(Base):
    """The latest state of each drone; a drone without a row has not been heard yet."""

    __tablename__ = "vehicle_state"

    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), primary_key=True)
    drone_name: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    alt_amsl_m: Mapped[float]
    alt_home_m: Mapped[float]
    yaw_deg: Mapped[float]
    speed_mps: Mapped[float]
    battery_pct: Mapped[float | None]
    mode: Mapped[str] = mapped_column(String(20))
    armed: Mapped[bool]
    mission_id: Mapped[int | None] = mapped_column(ForeignKey("mission.id"))
    phase: Mapped[str] = mapped_column(String(20), default="")
    progress: Mapped[float] = mapped_column(default=0.0)
    roll_deg: Mapped[float | None]
    pitch_deg: Mapped[float | None]
    home_s: Mapped[float | None]
    home_battery_pct: Mapped[float | None]
    link_pct: Mapped[float | None]
    silent_s: Mapped[float | None]


class SharedAir(Base):
    """A drone in the air as its controller shares it with the others (`sharedair.py`)."""

    __tablename__ = "shared_air"

    drone_id: Mapped[int] = mapped_column(ForeignKey("drone.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    craft: Mapped[dict[str, Any]] = mapped_column(JSON)


class RegisteredFlightRow(Base):
    """A flight that somebody announced to the authority."""

    __tablename__ = "registered_flight"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    reference: Mapped[str] = mapped_column(String(80), unique=True)
    operator_id: Mapped[str] = mapped_column(String(60))
    uas_ids: Mapped[list[str]] = mapped_column(JSON)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    polygon: Mapped[list[list[float]]] = mapped_column(JSON)
    max_height_m: Mapped[float | None]


class TerrainRow(Base):
    """A raster of heights that missions may be planned over; the file lies below data_dir."""

    __tablename__ = "terrain"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    path: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(10))
    datum: Mapped[str] = mapped_column(String(20))
    geoid_separation_m: Mapped[float | None]
    south_deg: Mapped[float]
    west_deg: Mapped[float]
    north_deg: Mapped[float]
    east_deg: Mapped[float]
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
