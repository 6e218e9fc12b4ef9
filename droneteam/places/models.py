"""TABLES address_set, street, house: imports, and the newest one's streets and houses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime


class AddressSet(Base):
    """One import."""

    __tablename__ = "address_set"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    source: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    streets: Mapped[int]
    houses: Mapped[int]
    unplaced: Mapped[int]
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    loaded_by: Mapped[int | None] = mapped_column(ForeignKey("user.id"))


class StreetRow(Base):
    """A street in one municipality."""

    __tablename__ = "street"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("address_set.id"), index=True)
    name_fr: Mapped[str] = mapped_column(String(120))
    name_nl: Mapped[str] = mapped_column(String(120))
    town_fr: Mapped[str] = mapped_column(String(120))
    town_nl: Mapped[str] = mapped_column(String(120))
    postcode: Mapped[str] = mapped_column(String(8))
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
    radius_m: Mapped[float]


class HouseRow(Base):
    """A house number of a street."""

    __tablename__ = "house"

    street_id: Mapped[int] = mapped_column(ForeignKey("street.id"), primary_key=True)
    number: Mapped[str] = mapped_column(String(12), primary_key=True)
    lat_deg: Mapped[float]
    lon_deg: Mapped[float]
