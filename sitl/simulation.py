"""The fleet in simulated time: vehicles that are stepped together, without a wall clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sitl.autopilot import Autopilot, VehicleSetup
from sitl.estimator import GpsQuality
from sitl.frame import LocalFrame
from sitl.shot import Shot
from sitl.station import Station

SERIAL_MAKER = "DTSM"
"""Manufacturer code of the simulated fleet, in the form of ANSI/CTA-2063-A."""
ROW_SPACING_M = 4.0
ROW_LENGTH = 10


FITTED = ("SIM_ODID", 1.0)
"""The team's drones carry a Remote ID transmitter; a bare ArduCopter has none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the fleet stands.

    alt_ellipsoid_m : the ground's height at the first vehicle.
    """

    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float
    geoid_undulation_m: float


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """What to simulate."""

    drones: int
    place: Place
    boot_at: datetime
    seed: int
    gps: GpsQuality = field(default_factory=GpsQuality)
    params: tuple[tuple[str, float], ...] = ()
    roster: tuple[tuple[str, str], ...] = ()
    """Names and Remote ID serials; vehicles beyond it get made-up ones."""


def serial_of(maker: str, number: int) -> str:
    """A serial number: maker's code, length code, number (ANSI/CTA-2063-A)."""
    return f"{maker}A{number:010d}"


def build_fleet(spec: FleetSpec, on_shot: Callable[[Shot], None] | None = None) -> list[Autopilot]:
    """The vehicles, standing in rows westwards from the place, noses north."""
    origin = LocalFrame(
        spec.place.lat_deg,
        spec.place.lon_deg,
        spec.place.alt_ellipsoid_m,
        spec.place.geoid_undulation_m,
    )
    fleet = []
    for number in range(spec.drones):
        east_m = -ROW_SPACING_M * (number % ROW_LENGTH)
        north_m = -ROW_SPACING_M * (number // ROW_LENGTH)
        lat_deg, lon_deg = origin.degrees(east_m, north_m)
        frame = LocalFrame(lat_deg, lon_deg, origin.alt_ellipsoid_m, origin.geoid_undulation_m)
        sysid = number + 1
        name, serial = _identity(spec, number)
        setup = VehicleSetup(
            sysid=sysid,
            name=name,
            serial=serial,
            frame=frame,
            boot_at=spec.boot_at,
            seed=spec.seed * 1000 + sysid,
            gps=spec.gps,
            params=(FITTED, *spec.params),
        )
        fleet.append(Autopilot(setup, on_shot))
    return fleet


def _identity(spec: FleetSpec, number: int) -> tuple[str, str]:
    if number < len(spec.roster):
        return spec.roster[number]
    return f"drone-{number + 1:02d}", serial_of(SERIAL_MAKER, number + 1)


class Simulation:
    """All vehicles with their stations, and the time that they share."""

    def __init__(self, fleet: Sequence[Autopilot]) -> None:
        self.stations = [Station(ap) for ap in fleet]
        self.t_s = 0.0

    def advance(self, dt_s: float) -> None:
        """Steps every vehicle up to the new time, each at its own pace."""
        self.t_s += dt_s
        until_s = self.t_s + 1e-9
        for station in self.stations:
            ap = station.ap
            step_s = ap.step_s
            while ap.t_s + step_s <= until_s:
                ap.step(step_s)
                station.poll()
                step_s = ap.step_s
