"""TABLES scene, photo, mark, upload, measurement."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime


class SceneRow(Base):
    """A scene that photos are, or are to be, built into.

    photos_folder, folder : relative to the data folder when below it, so that a restored backup
    works elsewhere.  params : what a person chose.  summary : scene.json of the last finished
    build.
    """

    __tablename__ = "scene"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    mission_id: Mapped[int | None] = mapped_column(ForeignKey("mission.id"), index=True)
    sortie_id: Mapped[int | None] = mapped_column(ForeignKey("sortie.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    photos_folder: Mapped[str] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(Text, default="")
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    built_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class PhotoRow(Base):
    """One photo of a scene and the camera trigger that took it.

    file : where the original lies, below the scene's folder of photos; the name is unique where
    file names of subfolders are not.  The three altitudes are different quantities; see
    photos.py.  Residuals are photo minus trigger, the time after the camera clock's offset is
    taken out.
    """

    __tablename__ = "photo"
    __table_args__ = (UniqueConstraint("scene_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id"), index=True)
    sortie_id: Mapped[int | None] = mapped_column(ForeignKey("sortie.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    file: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    clock: Mapped[str] = mapped_column(String(10))
    lat_deg: Mapped[float | None] = mapped_column(Float)
    lon_deg: Mapped[float | None] = mapped_column(Float)
    alt_ellipsoid_m: Mapped[float | None] = mapped_column(Float)
    alt_receiver_m: Mapped[float | None] = mapped_column(Float)
    alt_home_m: Mapped[float | None] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(10))
    findings: Mapped[list[Any]] = mapped_column(JSON)
    trigger_index: Mapped[int | None] = mapped_column()
    residual_s: Mapped[float | None] = mapped_column(Float)
    residual_m: Mapped[float | None] = mapped_column(Float)


class MarkRow(Base):
    """One act of marking a point in a photo; never changed.

    The newest row of a point in a photo holds; one without a place took the mark away.
    source : "hand", or the kind of target that the place was refined on.
    """

    __tablename__ = "mark"
    __table_args__ = (Index("ix_mark_scene_id_point", "scene_id", "point"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id"))
    point: Mapped[str] = mapped_column(String(100))
    photo: Mapped[str] = mapped_column(String(255))
    x_px: Mapped[float | None] = mapped_column(Float)
    y_px: Mapped[float | None] = mapped_column(Float)
    sigma_px: Mapped[float] = mapped_column(Float)
    source: Mapped[str] = mapped_column(String(20))
    marked_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    marked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadRow(Base):
    """A photo on its way into a scene's folder, chunk by chunk.

    sha256 : what the sender says that the whole file has; checked before it is taken in.
    state : open, done or refused.  How much has come is the size of the part file.
    """

    __tablename__ = "upload"
    __table_args__ = (UniqueConstraint("scene_id", "sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default="open")
    started_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MeasurementRow(Base):
    """A stored measurement; its value is never changed, only superseded.

    marks : what was measured from.  request : the whole question, so that it can be asked again;
    None in rows of before 0002.  adjust_digest : the camera network that it was computed with.
    supersedes_id : the measurement that this one repeats after the scene was built again.
    removed_* : who took it off the list, when and why; it stays in the database.
    """

    __tablename__ = "measurement"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scene.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[float | None] = mapped_column(Float)
    unit: Mapped[str] = mapped_column(String(20))
    ci95_low: Mapped[float | None] = mapped_column(Float)
    ci95_high: Mapped[float | None] = mapped_column(Float)
    method: Mapped[str] = mapped_column(String(20))
    determined: Mapped[bool] = mapped_column()
    note: Mapped[str] = mapped_column(Text, default="")
    photos: Mapped[list[Any]] = mapped_column(JSON)
    points_enu_m: Mapped[list[Any]] = mapped_column(JSON)
    marks: Mapped[list[Any]] = mapped_column(JSON)
    adjust_digest: Mapped[str] = mapped_column(String(64))
    software: Mapped[dict[str, Any]] = mapped_column(JSON)
    measured_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    measured_at: Mapped[datetime] = mapped_column(UtcDateTime)
    frame: Mapped[str] = mapped_column(Text, default="", server_default="")
    photos_rejected: Mapped[list[Any] | None] = mapped_column(JSON)
    series: Mapped[list[Any] | None] = mapped_column(JSON)
    request: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("measurement.id"))
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_reason: Mapped[str | None] = mapped_column(Text)
