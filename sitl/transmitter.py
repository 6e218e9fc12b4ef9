"""The pilot's radio control, and how a station may override it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sitl.dynamics import clamp

CHANNELS = 8
SHORTEST_US, LONGEST_US = 800.0, 2200.0
DEFAULT_STICKS_US = (1500.0, 1500.0, 1000.0, 1500.0, 1800.0, 1000.0, 1000.0, 1800.0)
"""Roll, pitch, throttle (low), yaw and four switches, as the real SITL has them."""


@dataclass(slots=True)
class Transmitter:
    """Eight channels in microseconds; a zero override leaves a channel to the pilot."""

    sticks_us: list[float] = field(default_factory=lambda: list(DEFAULT_STICKS_US))
    pulses_us: list[float] = field(default_factory=lambda: list(DEFAULT_STICKS_US))
    """What counts now."""
    failed: bool = False
    _overrides_us: list[float] = field(default_factory=lambda: [0.0] * CHANNELS)
    _override_until_s: float = 0.0

    def override(self, values_us: dict[int, float], until_s: float) -> None:
        """Takes over some channels (numbered from 0) until a time."""
        for channel, value in values_us.items():
            self._overrides_us[channel] = clamp(value, SHORTEST_US, LONGEST_US) if value else 0.0
        self._override_until_s = until_s

    def update(self, t_s: float) -> None:
        """Sets the pulses that count now."""
        overridden = t_s < self._override_until_s
        self.pulses_us = [
            over if overridden and over > 0.0 else own
            for own, over in zip(self.sticks_us, self._overrides_us, strict=True)
        ]
