"""Where the fleet stands in each world, known without building the world.

A world's geometry takes seconds to build and is only needed to take photos; a test holds these
figures to the worlds' own home points.
"""

from __future__ import annotations

from droneteam.errors import InputError
from sitl.simulation import Place

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
