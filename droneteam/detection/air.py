"""What is known of the air: the fleet with its telemetry, registered flights, zones."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.detection.heights import Heights
from droneteam.detection.match import OwnDrone, RegisteredFlight
from droneteam.detection.watch import Known
from droneteam.detection.zones import ZoneIndex
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.service import LiveState

ZONES_FOR = timedelta(seconds=60)
"""How long zones are used before they are read again: they change by the day, and are large."""


class Air:
    """Asked for what is known at a moment.

    geoid_m : the geoid above the ellipsoid in the installation's region, None where it has not
    been stated; heights above the two are then never compared.
    """

    def __init__(self, geoid_m: float | None = None) -> None:
        self._geoid_m = geoid_m
        self._zones: tuple[datetime, ZoneIndex] | None = None

    def __call__(self, session: Session, at: datetime) -> Known:
        """Every own drone with its last known place, and the flights that were registered."""
        seen = {state.drone_id: state for state in missions.live_states(session)}
        own = tuple(
            _own(drone.name, drone.remote_id_serial, seen.get(drone.id))
            for drone in fleet.list_drones(session, SYSTEM, at)
        )
        flights = tuple(
            RegisteredFlight(
                reference=flight.reference,
                uas_ids=frozenset(flight.uas_ids),
                starts_at=flight.starts_at,
                ends_at=flight.ends_at,
                polygon=tuple(flight.polygon),
                max_height_m=flight.max_height_m,
                operator_id=flight.operator_id,
            )
            for flight in missions.list_registered_flights(session)
        )
        return Known(own, flights, zones=self._zones_at(session, at), geoid_m=self._geoid_m)

    def _zones_at(self, session: Session, at: datetime) -> ZoneIndex:
        if self._zones is None or abs(at - self._zones[0]) >= ZONES_FOR:
            self._zones = (at, ZoneIndex(missions.stored_geozones(session)))
        return self._zones[1]


def _own(name: str, serial: str, state: LiveState | None) -> OwnDrone:
    if state is None:
        return OwnDrone(name, serial, None, None, None, flying=False)
    return OwnDrone(
        name=name,
        remote_id_serial=serial,
        at=state.heard_at,
        lat_deg=state.lat_deg,
        lon_deg=state.lon_deg,
        speed_mps=state.speed_mps,
        course_deg=state.yaw_deg,
        flying=state.armed,
        heights=Heights(alt_amsl_m=state.alt_amsl_m, alt_home_m=state.alt_home_m),
    )
