"""What receivers hand over and what trackers give back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from droneteam.detection import rid
from droneteam.errors import InputError

MAX_RECEIVERS = 500
"""Names come over a network: made-up ones must not fill the memory."""
RAYLEIGH_95 = 2.4477
"""Radius that holds 95 % of a circular normal, in sigma."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver hands over: one payload, when and from whom.

    counter : the message counter of the radio frame, None where the receiver does not tell.
    """

    at: datetime
    receiver: str
    transport: str
    transmitter: str
    payload: bytes
    rssi_dbm: int | None = None
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A place where a sensor saw something: radar, camera, RF direction finding, ADS-B.

    identity : who it says it is ("icao:44ce6f"), None when the sensor cannot know.
    manned : an aircraft with people on board, by its transponder. sigma_m : per axis.
    """

    at: datetime
    sensor: str
    transport: str
    lat_deg: float
    lon_deg: float
    sigma_m: float
    identity: str | None = None
    manned: bool = False
    callsign: str | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    vertical_speed_mps: float | None = None
    alt_ellipsoid_m: float | None = None
    alt_pressure_m: float | None = None

    def __post_init__(self) -> None:
        if not (-90.0 <= self.lat_deg <= 90.0 and -180.0 <= self.lon_deg <= 180.0):
            raise InputError(f"position {self.lat_deg}, {self.lon_deg} is not on the globe")
        if not 0.0 < self.sigma_m < 1e6:
            raise InputError(f"sigma_m {self.sigma_m} outside (0, 1e6)", field="sigma_m")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a receiver has counted since it was started.

    connections : how often it was (re)connected. lost : what was heard and could not be taken,
    by the kernel or by us. refused : what was heard and could not be read.
    """

    connections: int = 0
    lost: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Alive:
    """A receiver says that it works, whether or not it hears anything.

    kind : what kind of receiver it is, "" where it does not tell.
    """

    at: datetime
    receiver: str
    kind: str = ""
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A receiver says what keeps it from working; it is no sign of life."""

    at: datetime
    receiver: str
    problem: str
    kind: str = ""
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A receiver says where it stands, and how far it hears."""

    at: datetime
    receiver: str
    lat_deg: float
    lon_deg: float
    range_m: float


@dataclass(frozen=True, slots=True)
class Leave:
    """A receiver says that it will not be heard any more, and rightly so."""

    at: datetime
    receiver: str


Record: TypeAlias = Received | Plot | Alive | Trouble | Placed | Leave
"""Whatever a receiver can hand over."""


@dataclass(frozen=True, slots=True)
class Track:
    """An aircraft that is followed, as of its last message.

    sigma_m : 1-sigma of the position, per axis. covariance : of east, north (m) and their rates
    (m/s), the ten elements of `motion.PAIRS`; None while unknown. flags : "duplicate_identity",
    "clock_off", "impossible_jump". Heights above different references stay apart: nothing here
    converts one into another.
    """

    id: int
    uas_id: str | None
    registration: str | None
    operator_id: str | None
    transmitters: tuple[str, ...]
    receivers: tuple[str, ...]
    status: rid.Status
    lat_deg: float
    lon_deg: float
    speed_mps: float
    course_deg: float
    sigma_m: float
    alt_ellipsoid_m: float | None
    alt_pressure_m: float | None
    height_m: float | None
    height_reference: rid.HeightReference
    operator_lat_deg: float | None
    operator_lon_deg: float | None
    started_at: datetime
    last_at: datetime
    n_fixes: int
    flags: frozenset[str]
    covariance: tuple[float, ...] | None = None
    vertical_accuracy_m: float | None = None
    manned: bool = False

    @property
    def identities(self) -> frozenset[str]:
        """Every identity that the aircraft has sent."""
        return frozenset(name for name in (self.uas_id, self.registration) if name)


class Signal(NamedTuple):
    """How strong one location message was, and where it claimed to be sent from."""

    receiver: str
    rssi_dbm: int
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class Transmissions:
    """How a track's radio behaved.

    signals : the newest ones; n_jumps : fixes that no aircraft could have flown to; n_repeats :
    positions sent again long after they held; n_counter_backsteps : radio counters that ran
    back; serials : every serial number its radio has claimed.
    """

    signals: tuple[Signal, ...] = ()
    n_jumps: int = 0
    n_repeats: int = 0
    n_counter_backsteps: int = 0
    serials: frozenset[str] = frozenset()
