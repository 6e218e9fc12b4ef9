"""The map of a day: its requests, who goes to each, and from which base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from droneteam.fleet.lifecycle import FINAL
from droneteam.fleet.terms import Window
from droneteam.fleet.views import AssignmentView, DroneView, RequestView
from droneteam.web.scheduling import Room
from droneteam.web.timefmt import local_short


@dataclass(frozen=True, slots=True)
class DayRow:
    """A request of the day; drone and crew are empty for one without."""

    asked: RequestView
    assignment: AssignmentView | None
    drone: DroneView | None
    crew: str


def day_rows(room: Room) -> list[DayRow]:
    """The open requests whose window, or whose drone, lies in the shown days, by start."""
    drones = {drone.id: drone for drone in room.fleet.drones}
    rows = []
    for asked in sorted(room.requests.values(), key=lambda row: (row.start_at, row.id)):
        if asked.state in FINAL or asked.state == "draft":
            continue
        given = room.assignment(asked.id)
        times = Window(asked.start_at, asked.end_at)
        if given is not None:
            times = Window(given.start_at, given.end_at)
        if not times.overlaps(room.axis.window):
            continue
        drone = None if given is None else drones.get(given.drone_id)
        crew = "" if given is None else room.fleet.crew(given)
        rows.append(DayRow(asked, given, drone, crew))
    return rows


def map_data(room: Room, rows: list[DayRow]) -> dict[str, Any]:
    """What the island draws."""
    bases: dict[tuple[float, float], str] = {}
    for drone in room.fleet.drones:
        bases.setdefault((drone.base_lat_deg, drone.base_lon_deg), drone.base_name)
    return {
        "requests": [_request(row) for row in rows],
        "bases": [_place(lat, lon, name) for (lat, lon), name in bases.items()],
        "texts": {
            "basemap": _("Own basemap, drawn by hand, for orientation only"),
            "zoomIn": _("Zoom in"),
            "zoomOut": _("Zoom out"),
        },
    }


def _request(row: DayRow) -> dict[str, Any]:
    asked, given, drone = row.asked, row.assignment, row.drone
    detail = [asked.priority, asked.organisation_name]
    if given is not None:
        times = f"{local_short(given.start_at)} – {local_short(given.end_at)}"
        detail += [given.drone_name, row.crew, times]
    else:
        times = f"{local_short(asked.start_at)} – {local_short(asked.end_at)}"
        detail += [_("without a drone"), times]
    return {
        **_place(asked.lat_deg, asked.lon_deg, f"{asked.id} {asked.title}"),
        "id": asked.id,
        "url": url_for("requests.show", request_id=asked.id),
        "priority": asked.priority,
        "served": given is not None,
        "detail": " · ".join(detail),
        "base": None
        if drone is None
        else _place(drone.base_lat_deg, drone.base_lon_deg, drone.base_name),
    }


def _place(lat_deg: float, lon_deg: float, name: str) -> dict[str, Any]:
    return {"latDeg": lat_deg, "lonDeg": lon_deg, "name": name}
