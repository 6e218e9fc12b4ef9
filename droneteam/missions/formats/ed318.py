"""A flight's volumes as an ED-318 GeoJSON data set, for those who keep others away (pure).

Flight geography and contingency volume are zones that need an authorisation of ours, the
ground-risk buffer one of information; limits are above the ground, times those of the mission.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from droneteam.missions.airspace.volumes import Volumes
from droneteam.missions.planner.plan import GeoPolygon

_ZONES = (
    ("FG", "flight_geography", "REQ_AUTHORIZATION"),
    ("CV", "contingency_volume", "REQ_AUTHORIZATION"),
    ("GRB", "ground_risk_buffer", "NO_RESTRICTION"),
)


def volumes_to_ed318(
    volumes: Volumes, reference: str, start: datetime, end: datetime
) -> dict[str, Any]:
    """The FeatureCollection; ``reference`` begins the zones' identifiers.

    Limits are whole metres, rounded up.
    """
    rings = dict(volumes.named)
    tops = (volumes.geography_top_m, volumes.contingency_top_m, volumes.contingency_top_m)
    return {
        "type": "FeatureCollection",
        "name": f"UAS flight {reference}",
        "features": [
            _feature(f"{reference}-{suffix}", role, restriction, rings[role], top_m, start, end)
            for (suffix, role, restriction), top_m in zip(_ZONES, tops, strict=True)
        ],
    }


def _feature(
    identifier: str,
    role: str,
    restriction: str,
    ring: GeoPolygon,
    top_m: float,
    start: datetime,
    end: datetime,
) -> dict[str, Any]:
    closed = [[lon, lat] for lat, lon in (*ring, ring[0])]
    limits = {
        "lower": 0,
        "lowerReference": "AGL",
        "upper": math.ceil(top_m),
        "upperReference": "AGL",
        "uom": "m",
    }
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [closed], "layer": limits},
        "properties": {
            "identifier": identifier,
            "country": "BEL",
            "name": [{"text": f"{role.replace('_', ' ')} {identifier}", "lang": "en-GB"}],
            "type": restriction,
            "variant": "COMMON",
            "limitedApplicability": [
                {"startDateTime": start.isoformat(), "endDateTime": end.isoformat()}
            ],
        },
    }
