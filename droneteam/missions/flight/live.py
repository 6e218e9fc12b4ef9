"""What a vehicle in flight looks like right now, for the live map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from droneteam.missions.flight.state import Flight
from droneteam.missions.mavlink.messages import mode_name


@dataclass(frozen=True, slots=True)
class LiveState:
    """The latest known state of one drone; None where it has not said yet."""

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


def live_state(flight: Flight, drone_id: int, drone_name: str, at: datetime) -> LiveState | None:
    """The state that a flight shows, or None before the first position."""
    position = flight.readings.position
    if position is None:
        return None
    return LiveState(
        drone_id=drone_id,
        drone_name=drone_name,
        at=at,
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
    )
