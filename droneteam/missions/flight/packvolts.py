"""The voltages at which a vehicle's battery failsafes act, from the pack that is in it (pure).

ArduCopter's default (10.5 V) is that of three cells and never acts on six.  The number of cells
follows from the voltage at rest before take-off: a lithium-polymer cell that is charged enough to
fly has 3.70 to 4.25 V, and the ranges of the packs that exist do not overlap there.  A voltage
between two of them is no pack that may fly: nothing is guessed then.
"""

from __future__ import annotations

from droneteam.missions.mavlink.parameters import WantedParam

PACKS = (2, 3, 4, 5, 6, 8, 12, 14)
"""Cells in series of packs that drones carry."""
CELL_MIN_V, CELL_MAX_V = 3.70, 4.25
"""At rest: 20 % left, and full with a percent of the sensor's error."""
CELL_LOW_V, CELL_CRITICAL_V = 3.50, 3.30
"""Under load, 10 s long (BATT_LOW_TIMER): about 15 % and 5 % left; ArduPilot's manual names 3.5."""

NO_PACK = "no pack of the team has that when it is charged; charge it, or name its cells"


def cells_of(voltage_v: float) -> int | None:
    """How many cells a pack at rest has; None where it fits no pack that is charged enough."""
    fitting = [n for n in PACKS if n * CELL_MIN_V <= voltage_v <= n * CELL_MAX_V]
    return fitting[0] if len(fitting) == 1 else None


def thresholds(cells: int) -> tuple[WantedParam, ...]:
    """The parameters for a pack of so many cells."""
    return (
        WantedParam("BATT_LOW_VOLT", round(cells * CELL_LOW_V, 2)),
        WantedParam("BATT_CRT_VOLT", round(cells * CELL_CRITICAL_V, 2)),
    )
