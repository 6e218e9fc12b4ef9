"""Where the fleet stands in each world.

A world's geometry takes seconds to build and is only needed to take photos.  When it is built,
its own home point counts; otherwise the figures here do, which a test holds to the worlds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from droneteam.errors import InputError
from sitl.simulation import Place

if TYPE_CHECKING:
    from sitl.world import World

PLACES = {
    "accident": Place(50.81964215, 4.39053806, 100.028, 43.6),
    "crossing": Place(50.84118949, 4.35319121, 62.052, 43.6),
}


def place_named(world: str) -> Place:
    """Where the fleet stands in a world.

    Raises
    ------
    InputError
        There is no such world.
    """
    if world not in PLACES:
        raise InputError(f"world {world!r} is none of {', '.join(sorted(PLACES))}", field="world")
    return PLACES[world]


def place_in(world: World) -> Place:
    """Where the fleet stands in a world that has been built."""
    lat_deg, lon_deg, alt_m = world.frame.geodetic_from_enu(np.array(world.home_enu_m))
    return Place(float(lat_deg), float(lon_deg), float(alt_m), world.geoid_undulation_m)
