"""What a packet log holds beside the track: attitude, battery and the link itself, as arrays.

All times are ``t_s``, the vehicle's time since take-off as in the track.  What carries only our
time of receipt is placed on it by the positions around it, so that a simulator that runs faster
than we do is told right too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.mavlink.framing import Frame
from droneteam.missions.mavlink.lossmeter import PacketNumbers
from droneteam.missions.mavlink.messages import Attitude

LINK_BIN_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Series of one sortie; arrays of float64, each series with its own times.

    received_s : (n,) time of receipt (seconds since 1970) of each sample of the track; battery :
    percent and volts, NaN where unknown; link_received : packets of the vehicle per second,
    link_lost : share of its packets that never came, by the gaps in their numbers.
    """

    received_s: FloatArray
    attitude_t_s: FloatArray
    roll_deg: FloatArray
    pitch_deg: FloatArray
    yaw_deg: FloatArray
    battery_t_s: FloatArray
    battery_pct: FloatArray
    battery_v: FloatArray
    link_t_s: FloatArray
    link_received: FloatArray
    link_lost: FloatArray

    @property
    def lost_share(self) -> float | None:
        """Share of the vehicle's packets that never came, None without any."""
        received = self.link_received.sum() * LINK_BIN_S
        lost = float(np.sum(self.link_lost * self.link_received / (1.0 - self.link_lost)))
        return lost / (received + lost) if received else None


@dataclass(slots=True)
class LinkCount:
    """Counts packets and the gaps in their numbers, by component."""

    received_s: list[float] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    _numbers: PacketNumbers = field(default_factory=PacketNumbers)

    def take(self, frame: Frame, received_s: float) -> None:
        """One packet of the vehicle."""
        self.received_s.append(received_s)
        self.gaps.append(self._numbers.gap_before(frame))


@dataclass(slots=True)
class Samples:
    """What is collected while a log is read; battery : (received_s, percent, volts)."""

    attitudes: list[Attitude] = field(default_factory=list)
    battery: list[tuple[float, float, float]] = field(default_factory=list)
    link: LinkCount = field(default_factory=LinkCount)


def channels_of(
    samples: Samples, received_s: Sequence[float], boot_s: Sequence[float], zero_s: float
) -> Channels:
    """The series; received_s, boot_s : of the track's samples; zero_s : the clock at take-off."""
    received = np.array(received_s, dtype=np.float64)
    t_s = np.array(boot_s, dtype=np.float64) - zero_s
    angles = [(one.boot_s, one.roll_deg, one.pitch_deg, one.yaw_deg) for one in samples.attitudes]
    attitude = np.array(angles, dtype=np.float64).reshape(-1, 4)
    battery = np.array(samples.battery, dtype=np.float64).reshape(-1, 3)
    link = _link(samples.link)
    return Channels(
        received_s=received,
        attitude_t_s=attitude[:, 0] - zero_s,
        roll_deg=attitude[:, 1],
        pitch_deg=attitude[:, 2],
        yaw_deg=attitude[:, 3],
        battery_t_s=vehicle_time(battery[:, 0], received, t_s),
        battery_pct=battery[:, 1],
        battery_v=battery[:, 2],
        link_t_s=vehicle_time(link[0], received, t_s),
        link_received=link[1],
        link_lost=link[2],
    )


def vehicle_time(at_s: FloatArray, received_s: FloatArray, t_s: FloatArray) -> FloatArray:
    """Times of receipt as vehicle time; beyond the track at the real clock's pace.

    at_s : (m,) seconds since 1970; received_s, t_s : (n,) of the track.
    Returns (m,); without a track, seconds since the first.
    """
    if not len(received_s):
        return at_s - at_s[0] if len(at_s) else at_s
    order = np.argsort(received_s, kind="stable")
    received, known = received_s[order], np.maximum.accumulate(t_s[order])
    inside = np.interp(at_s, received, known)
    before = np.minimum(at_s - received[0], 0.0)
    after = np.maximum(at_s - received[-1], 0.0)
    return np.asarray(inside + before + after)


def _link(count: LinkCount) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bins of one second of receipt: their middles, packets per second, share lost."""
    received = np.array(count.received_s, dtype=np.float64)
    if not len(received):
        return received, received, received
    places = np.floor((received - received.min()) / LINK_BIN_S).astype(np.int64)
    size = int(places.max()) + 1
    came = np.bincount(places, minlength=size).astype(np.float64)
    lost = np.bincount(places, weights=np.array(count.gaps, dtype=np.float64), minlength=size)
    share = np.divide(lost, came + lost, out=np.zeros(size), where=came > 0)
    middles = received.min() + (np.arange(size) + 0.5) * LINK_BIN_S
    return middles, came / LINK_BIN_S, share
