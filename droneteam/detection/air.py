"""What is known of the air: the fleet with its telemetry, and the flights that were registered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.detection.match import OwnDrone, RegisteredFlight
from droneteam.detection.watch import Known
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions


def known_air(session: Session, at: datetime) -> Known:
    """Every own drone, with its last known place, and the flights registered around `at`."""
    seen = {state.drone_id: state for state in missions.live_states(session)}
    own = []
    for drone in fleet.list_drones(session, SYSTEM, at):
        state = seen.get(drone.id)
        own.append(
            OwnDrone(
                name=drone.name,
                remote_id_serial=drone.remote_id_serial,
                at=None if state is None else state.at,
                lat_deg=None if state is None else state.lat_deg,
                lon_deg=None if state is None else state.lon_deg,
                speed_mps=0.0 if state is None else state.speed_mps,
                course_deg=0.0 if state is None else state.yaw_deg,
                flying=state is not None and state.armed,
            )
        )
    flights = tuple(
        RegisteredFlight(
            reference=flight.reference,
            uas_ids=frozenset(flight.uas_ids),
            starts_at=flight.starts_at,
            ends_at=flight.ends_at,
            polygon=tuple(flight.polygon),
            max_height_m=flight.max_height_m,
        )
        for flight in missions.list_registered_flights(session)
    )
    return Known(tuple(own), flights)
