"""Our own fleet's telemetry as plots: own drones are on the picture although nobody hears them.

A drone's track then holds what its telemetry says beside what is heard of it, so that a second
drone that broadcasts its serial number stands out at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from droneteam.accounts import SYSTEM
from droneteam.db import read_scope
from droneteam.detection.feeds import Outlet
from droneteam.detection.records import Plot
from droneteam.errors import LinkError
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.service import LiveState

POLL_S = 0.5
SIGMA_M = 3.0
"""A flight controller's horizontal position with a good fix; it does not tell its own."""
TRANSPORT = "telemetry"
SAME_NEWS = timedelta(milliseconds=50)
"""A silent vehicle's state is written on and on; when it was heard comes out alike to this."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet's last known states, in the database that flights write them to.

    geoid_m : the geoid above the ellipsoid here; without it telemetry's heights are not handed on.
    """

    engine: Engine
    geoid_m: float | None = None
    kind: str = TRANSPORT

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Read what flying drones say until `stop` is set; LinkError without a database."""
        told: dict[int, datetime] = {}
        outlet.connected()
        while not stop.is_set():
            for serial, state in self._flying():
                before = told.get(state.drone_id)
                if before is None or state.heard_at - before > SAME_NEWS:
                    told[state.drone_id] = state.heard_at
                    outlet.put(self._plot(outlet.name, serial, state))
            outlet.alive()
            stop.wait(POLL_S)

    def _flying(self) -> list[tuple[str, LiveState]]:
        try:
            with read_scope(self.engine) as session:
                states = [one for one in missions.live_states(session) if one.armed]
                if not states:
                    return []
                drones = fleet.list_drones(session, SYSTEM)
        except OperationalError as error:
            raise LinkError(f"the database: {error.orig}") from error
        serials = {drone.id: drone.remote_id_serial for drone in drones}
        return [(serials[one.drone_id], one) for one in states if serials.get(one.drone_id)]

    def _plot(self, sensor: str, serial: str, state: LiveState) -> Plot:
        # No course: telemetry tells where the nose points, and a copter flies sideways.
        return Plot(
            at=state.heard_at,
            sensor=sensor,
            transport=TRANSPORT,
            lat_deg=state.lat_deg,
            lon_deg=state.lon_deg,
            sigma_m=SIGMA_M,
            identity=serial,
            alt_ellipsoid_m=None if self.geoid_m is None else state.alt_amsl_m + self.geoid_m,
        )
