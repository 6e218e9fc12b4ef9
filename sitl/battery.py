"""A battery that empties with the work done and sags under load."""

from __future__ import annotations

from dataclasses import dataclass

from sitl.dynamics import clamp

CELL_CURVE_V = (
    (0.00, 3.00),
    (0.03, 3.35),
    (0.10, 3.60),
    (0.20, 3.70),
    (0.40, 3.78),
    (0.60, 3.88),
    (0.80, 4.02),
    (1.00, 4.20),
)
"""Rest voltage of a lithium-polymer cell over its charge (typical discharge curve at 25 °C)."""
CELLS = 3
FULL_REST_V = CELLS * CELL_CURVE_V[-1][1]

IDLE_A = 0.6
HOVER_A = 20.0
CLIMB_A_PER_MPS = 2.5
SPEED_A_PER_MPS2 = 0.03
"""Extra current per square of airspeed; forward flight at 10 m/s costs 15 % more than hover."""


def rest_voltage_v(charge: float) -> float:
    """Rest voltage of the pack at a charge between 0 and 1."""
    lower = CELL_CURVE_V[0]
    for upper in CELL_CURVE_V[1:]:
        if charge <= upper[0]:
            share = max(0.0, charge - lower[0]) / (upper[0] - lower[0])
            return CELLS * (lower[1] + share * (upper[1] - lower[1]))
        lower = upper
    return FULL_REST_V


def flight_current_a(airspeed_mps: float, climb_mps: float) -> float:
    """Current drawn in flight; a descent saves a little."""
    climbing = CLIMB_A_PER_MPS * climb_mps if climb_mps > 0.0 else 0.8 * climb_mps
    return max(5.0, HOVER_A + SPEED_A_PER_MPS2 * airspeed_mps**2 + climbing)


@dataclass(slots=True)
class Battery:
    """State of one pack.

    full_v : rest voltage when full; lowering it (SIM_BATT_VOLTAGE) makes a weak pack.
    """

    capacity_mah: float
    full_v: float = FULL_REST_V
    resistance_ohm: float = 0.012
    used_mah: float = 0.0
    used_wh: float = 0.0
    current_a: float = 0.0
    voltage_v: float = FULL_REST_V

    @property
    def charge(self) -> float:
        """What is left, between 0 and 1."""
        return max(0.0, 1.0 - self.used_mah / self.capacity_mah)

    def draw(self, current_a: float, dt_s: float) -> None:
        """Takes a current for an interval and sets the voltage under it."""
        self.current_a = current_a
        self.used_mah += current_a * dt_s / 3.6
        self.used_wh += current_a * self.voltage_v * dt_s / 3600.0
        rest_v = rest_voltage_v(self.charge) * self.full_v / FULL_REST_V
        self.voltage_v = clamp(rest_v - current_a * self.resistance_ohm, 0.0, 60.0)
