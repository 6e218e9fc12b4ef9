"""How much of what a vehicle sends arrives: by the gaps in its packets' numbers.

Every component of a vehicle numbers its packets from 0 to 255 and begins again; a number that is
left out is a packet that never came.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from droneteam.missions.mavlink.framing import Frame

WINDOW_S = 10.0
"""Long enough for some 270 packets at the rates that are asked for, short enough to act upon."""
_V2 = 0xFD
_WRAP = 256


@dataclass(slots=True)
class PacketNumbers:
    """The last number of each component."""

    _last: dict[int, int] = field(default_factory=dict)

    def gap_before(self, frame: Frame) -> int:
        """How many packets are missing before this one."""
        number = frame.raw[4] if frame.raw[0] == _V2 else frame.raw[2]
        before = self._last.get(frame.component_id)
        gap = 0 if before is None else (number - before - 1) % _WRAP
        if gap >= _WRAP // 2:  # an overtaken or doubled packet, not 200 lost ones
            return 0
        self._last[frame.component_id] = number
        return gap


@dataclass(slots=True)
class LossMeter:
    """The share of packets that arrived lately over one way."""

    _numbers: PacketNumbers = field(default_factory=PacketNumbers)
    _lately: deque[tuple[float, int]] = field(default_factory=deque)
    _missing: int = 0

    def take(self, frame: Frame, now_s: float) -> None:
        """One packet of the vehicle, at a time that never runs backwards."""
        gap = self._numbers.gap_before(frame)
        self._lately.append((now_s, gap))
        self._missing += gap
        self._forget(now_s)

    def arrived_pct(self, now_s: float) -> float | None:
        """Percent of the last ten seconds' packets; None when nothing came in them."""
        self._forget(now_s)
        count = len(self._lately)
        return 100.0 * count / (count + self._missing) if count else None

    def _forget(self, now_s: float) -> None:
        while self._lately and self._lately[0][0] <= now_s - WINDOW_S:
            self._missing -= self._lately.popleft()[1]
