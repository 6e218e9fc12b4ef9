"""What a vehicle has to say to its ground stations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sitl.navigation import Point3


@dataclass(frozen=True, slots=True)
class Text:
    """STATUSTEXT to everybody."""

    severity: int
    text: str


@dataclass(frozen=True, slots=True)
class Reached:
    """MISSION_ITEM_REACHED."""

    seq: int


@dataclass(frozen=True, slots=True)
class HomeSet:
    """Home moved (or was set first); HOME_POSITION and GPS_GLOBAL_ORIGIN go out."""


@dataclass(frozen=True, slots=True)
class ParamSet:
    """A parameter changed; PARAM_VALUE goes out."""

    name: str


@dataclass(frozen=True, slots=True)
class Photo:
    """The shutter fired; CAMERA_FEEDBACK goes out."""

    index: int
    at: datetime
    position: Point3


Event: TypeAlias = Text | Reached | HomeSet | ParamSet | Photo
