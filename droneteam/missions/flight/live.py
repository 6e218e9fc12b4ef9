"""What a vehicle in flight looks like right now, for the live map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.missions.flight import reserve
from droneteam.missions.flight.state import Flight
from droneteam.missions.mavlink.messages import Attitude, Position, mode_name

ATTITUDE_HOLDS_S = 1.0
"""It comes ten times a second once it was asked for."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """The latest known state of one drone; None where it has not said yet.

    roll_deg, pitch_deg : positive to the right and with the nose up; home_s : what the way home
    takes against the wind that is assumed; home_battery_pct : the charge at which the controller
    begins it, None before the mission; link_pct : share of the vehicle's packets that arrived in
    the last ten seconds; silent_s : since it was last heard; at : when its controller wrote this,
    which goes on while the vehicle is silent.
    """

    drone_id: int
    drone_name: str
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    yaw_deg: float
    speed_mps: float
    battery_pct: float | None
    mode: str
    armed: bool
    mission_id: int | None
    phase: str = ""
    progress: float = 0.0
    roll_deg: float | None = None
    pitch_deg: float | None = None
    home_s: float | None = None
    home_battery_pct: float | None = None
    link_pct: float | None = None
    silent_s: float | None = None

    @property
    def heard_at(self) -> datetime:
        """When the vehicle was last heard: of then is everything that is said of it."""
        return self.at - timedelta(seconds=self.silent_s or 0.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A flight as it is looked at: by whom it is flown, and how well it is heard just then.

    now_s : on the clock of the flight's link; link_pct : as in `LiveState`.
    """

    drone_id: int
    drone_name: str
    at: datetime
    now_s: float
    link_pct: float | None = None


def live_state(flight: Flight, sample: Sample) -> LiveState | None:
    """The state that a flight shows, or None before the first position."""
    position = flight.readings.position
    if position is None:
        return None
    attitude = _attitude(flight, position)
    return LiveState(
        drone_id=sample.drone_id,
        drone_name=sample.drone_name,
        at=sample.at,
        lat_deg=position.lat_deg,
        lon_deg=position.lon_deg,
        alt_amsl_m=position.alt_amsl_m,
        alt_home_m=position.alt_home_m,
        yaw_deg=position.yaw_deg,
        speed_mps=math.hypot(position.north_mps, position.east_mps),
        battery_pct=flight.readings.battery_pct,
        mode=mode_name(flight.readings.mode) if flight.readings.mode is not None else "",
        armed=bool(flight.armed),
        mission_id=flight.order.mission_id,
        phase=flight.phase.value,
        progress=flight.progress,
        roll_deg=None if attitude is None else attitude.roll_deg,
        pitch_deg=None if attitude is None else attitude.pitch_deg,
        home_s=_way_home_s(flight, position),
        home_battery_pct=_home_battery_pct(flight),
        link_pct=sample.link_pct,
        silent_s=_silent_s(flight, sample.now_s),
    )


def _attitude(flight: Flight, position: Position) -> Attitude | None:
    """The attitude at about the position's time: an old one would lie about the aircraft."""
    attitude = flight.readings.attitude
    if attitude is None or abs(position.boot_s - attitude.boot_s) > ATTITUDE_HOLDS_S:
        return None
    return attitude


def _way_home_s(flight: Flight, position: Position) -> float | None:
    """None on the ground, where it has no way home."""
    if not flight.airborne:
        return None
    order = flight.order
    return reserve.way_home_s(position, order.home, order.rtl_alt_m, order.headwind_mps)


def _home_battery_pct(flight: Flight) -> float | None:
    left = flight.readings.battery_pct
    if left is None or flight.flying_since is None:
        return None
    return flight.battery_needed_pct(left)


def _silent_s(flight: Flight, now_s: float) -> float | None:
    return None if flight.heard_at_s is None else max(0.0, now_s - flight.heard_at_s)
