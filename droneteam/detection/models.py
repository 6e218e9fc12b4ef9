"""TABLES rid_message, track, sighting, alert, receiver, coverage_cell, keep_rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime


class RidMessage(Base):
    """One payload as it was received, for as long as retention allows."""

    __tablename__ = "rid_message"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    receiver: Mapped[str] = mapped_column(String(80))
    transport: Mapped[str] = mapped_column(String(80))
    transmitter: Mapped[str] = mapped_column(String(80))
    rssi_dbm: Mapped[int | None]
    payload_hex: Mapped[str] = mapped_column(String(500))
    track_id: Mapped[int | None] = mapped_column(ForeignKey("track.id"), index=True)


class TrackRow(Base):
    """An aircraft that was followed, as of its last message."""

    __tablename__ = "track"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    uas_id: Mapped[str | None] = mapped_column(String(40), index=True)
    registration: Mapped[str | None] = mapped_column(String(40))
    operator_id: Mapped[str | None] = mapped_column(String(20))
    transmitters: Mapped[list[str]] = mapped_column(JSON)
    receivers: Mapped[list[str]] = mapped_column(JSON)
    status: Mapped[int]
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    speed_mps: Mapped[float]
    course_deg: Mapped[float]
    sigma_m: Mapped[float]
    alt_ellipsoid_m: Mapped[float | None]
    alt_pressure_m: Mapped[float | None]
    height_m: Mapped[float | None]
    height_reference: Mapped[int]
    operator_lat_deg: Mapped[float | None]
    operator_lon_deg: Mapped[float | None]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended: Mapped[bool] = mapped_column(default=False, index=True)
    flags: Mapped[list[str]] = mapped_column(JSON)
    match_kind: Mapped[str] = mapped_column(String(12))
    match_subject: Mapped[str | None] = mapped_column(String(80))
    match_evidence: Mapped[list[str]] = mapped_column(JSON)
    conformance: Mapped[str | None] = mapped_column(String(16))
    manned: Mapped[bool] = mapped_column(default=False, server_default=false())
    ellipse: Mapped[list[float] | None] = mapped_column(JSON)
    origin: Mapped[str] = mapped_column(String(8), default="live", server_default="live")


class Sighting(Base):
    """One point of a track's way; what it moved like there is None for points of older releases."""

    __tablename__ = "sighting"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    height_m: Mapped[float | None]
    speed_mps: Mapped[float | None]
    course_deg: Mapped[float | None]
    sigma_m: Mapped[float | None]
    match_kind: Mapped[str | None] = mapped_column(String(12))
    """What the track was held to be there."""


class AlertRow(Base):
    """An alert from its raising to its clearing."""

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(40), index=True)
    key: Mapped[str] = mapped_column(String(80))
    track_id: Mapped[int | None] = mapped_column(ForeignKey("track.id"), index=True)
    uas_id: Mapped[str | None] = mapped_column(String(40))
    lat_deg: Mapped[float | None]
    lon_deg: Mapped[float | None]
    evidence: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[str | None] = mapped_column(String(200))
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    origin: Mapped[str] = mapped_column(String(8), default="live", server_default="live")


class ReceiverRow(Base):
    """A receiver's health; counts are since the watch that follows it began."""

    __tablename__ = "receiver"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(12))
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    alive_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str] = mapped_column(String(200))
    received: Mapped[int]
    dropped: Mapped[int]
    lost: Mapped[int] = mapped_column(default=0, server_default="0")
    refused: Mapped[int] = mapped_column(default=0, server_default="0")
    connections: Mapped[int] = mapped_column(default=0, server_default="0")
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_problem: Mapped[str] = mapped_column(String(400), default="", server_default="")
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lat_deg: Mapped[float | None]
    lon_deg: Mapped[float | None]
    range_m: Mapped[float | None]


class CoverageCell(Base):
    """How often a receiver has heard from a small square of ground, at heights of one band.

    Only counts: which aircraft it was is nowhere here.
    """

    __tablename__ = "coverage_cell"

    receiver: Mapped[str] = mapped_column(String(80), primary_key=True)
    band: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    north: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    east: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int]
    best_rssi_dbm: Mapped[int | None]
    heard_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeepRule(Base):
    """How long one kind of personal data is kept, as somebody has set it."""

    __tablename__ = "keep_rule"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    keep_s: Mapped[int]
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(200))
