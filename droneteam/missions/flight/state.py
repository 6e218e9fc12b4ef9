"""The state of a sortie, and what goes into and comes out of its machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from droneteam.missions.flight import reserve
from droneteam.missions.flight.preflight import FlightOrder, Readings
from droneteam.missions.flight.telemetry import RATES_HZ, StreamWatch
from droneteam.missions.mavlink.calls import Call
from droneteam.missions.mavlink.gimbals import Look
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import CopterMode, Inbound, Outbound
from droneteam.missions.mavlink.parameters import Profile
from droneteam.missions.mavlink.protocol import Clear, Download, Upload
from droneteam.missions.mavlink.twins import TwinWatch

AIRBORNE_M = 1.0
CHARGE_HOLDS_S = 10.0
"""SYS_STATUS comes twice a second, and is asked for again when it does not."""
GOING_HOME = frozenset({CopterMode.RTL, CopterMode.LAND, CopterMode.SMART_RTL})


class Phase(StrEnum):
    """Where a sortie stands."""

    LISTENING = "listening"
    STREAMING = "streaming"
    FENCING = "fencing"
    PROFILING = "profiling"
    UPLOADING = "uploading"
    READYING = "readying"
    ARMING = "arming"
    CLIMBING = "climbing"
    STARTING = "starting"
    ADOPTING = "adopting"
    FLYING = "flying"
    PAUSED = "paused"
    RETURNING = "returning"
    HANDED_OVER = "handed over"
    ENDED = "ended"


BEFORE_ARMING = frozenset(
    {
        Phase.LISTENING,
        Phase.STREAMING,
        Phase.FENCING,
        Phase.PROFILING,
        Phase.UPLOADING,
        Phase.READYING,
    }
)


class Ending(StrEnum):
    """How a sortie ended."""

    COMPLETED = "completed"
    RETURNED = "returned"
    REFUSED = "refused"
    HANDED_OVER = "handed over"
    LINK_GONE = "link gone"


@dataclass(frozen=True, slots=True)
class Heard:
    """The vehicle said something."""

    message: Inbound
    now_s: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""

    now_s: float


@dataclass(frozen=True, slots=True)
class PilotWants:
    """The pilot asks the controller for one of `pilot.WISHES`; by : who."""

    what: str
    now_s: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Barred:
    """What keeps the vehicle from being armed just now; no reasons: nothing does any more."""

    reasons: tuple[str, ...]
    now_s: float


Event = Heard | Tick | PilotWants | Barred


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message; ``why`` goes into the journal before it leaves.

    by : the person who asked for it, empty where the controller decided by itself.
    """

    message: Outbound
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line in the sortie's record; by : as for `Send`."""

    kind: str
    detail: str
    by: str = ""


Command = Send | Note
Task = Upload | Download | Clear | Profile | Call | Look


@dataclass(frozen=True, slots=True)
class Flight:
    """A sortie in progress.

    heard_at_s : when the vehicle last spoke, on the link's clock; boot_s : its own clock;
    phase_since_s : of the phase, on the vehicle's clock; commanded_mode, mode_confirmed : the
    mode that we asked for and whether it was seen; strange_heartbeats : in a row, in a mode that
    we did not ask for; flying_since : the vehicle's clock and battery_pct when the mission began,
    once known; battery_told : the same when it was told last; verified : whether the approved
    mission was read back from the vehicle; proposed : whether an adopted flight's pilot was told
    that it is time to come home; barred :
    why it must not be armed just now, beside the vehicle's own checks; asked_by : the person whose
    wish is being carried out, empty while the controller acts by itself; remote_id_fault : what
    the pilot was told of the Remote ID transmitter in flight; disarmed_at_s : the first of the
    heartbeats, none in between contradicting it, that say that it is disarmed; halt_answered_s :
    when a pause of the mission, or going on, was last answered or given up; streams_left : the
    messages still to be asked for at first contact, and their rates.
    """

    order: FlightOrder
    timing: Timing
    phase: Phase = Phase.LISTENING
    task: Task | None = None
    streams_left: tuple[tuple[int, float], ...] = RATES_HZ
    streams: StreamWatch = field(default_factory=StreamWatch)
    readings: Readings = field(default_factory=Readings)
    armed: bool | None = None
    heartbeats: int = 0
    heard_at_s: float | None = None
    boot_s: float | None = None
    phase_since_s: float | None = None
    heartbeat_at_s: float | None = None
    link_lost: bool = False
    link_losses: int = 0
    commanded_mode: int | None = None
    mode_before: int | None = None
    mode_confirmed: bool = False
    strange_heartbeats: int = 0
    flying_since: tuple[float, float] | None = None
    battery_told: tuple[float, float] | None = None
    twins: TwinWatch = field(default_factory=TwinWatch)
    verified: bool = False
    adopted: bool = False
    proposed: bool = False
    barred: tuple[str, ...] = ()
    asked_by: str = ""
    disarmed_at_s: float | None = None
    halt_answered_s: float = -math.inf
    remote_id_fault: str = ""
    mission_seq: int = 0
    reached_seq: int = 0
    failsafe_text: str = ""
    last_text: str = ""
    reason: str = ""
    ending: Ending | None = None

    @property
    def airborne(self) -> bool:
        """Whether the vehicle is clearly off the ground."""
        position = self.readings.position
        return position is not None and position.alt_home_m > AIRBORNE_M

    @property
    def progress(self) -> float:
        """Share of the mission's items that lie behind, 0 to 1."""
        return min(1.0, self.mission_seq / max(1, len(self.order.items) - 1))

    @property
    def why_home(self) -> str:
        """Why the vehicle turned back on its own, as far as it said so."""
        if self.failsafe_text:
            return self.failsafe_text
        if self.link_losses:
            return "the link had been lost"
        return "no failsafe was announced; the pilot may have chosen it"

    @property
    def charge_is_told(self) -> bool:
        """Whether the vehicle tells its charge: not "unknown", and not long ago."""
        last, boot_s = self.battery_told, self.boot_s
        stale = last is not None and boot_s is not None and boot_s - last[0] > CHARGE_HOLDS_S
        return self.readings.battery_pct is not None and not stale

    def battery_left_pct(self) -> float | None:
        """The charge that the vehicle tells; reckoned on where it no longer does.

        A monitor that fails in flight says "unknown" for ever, or nothing more, and the pack
        empties all the same.
        """
        told, since, last = self.readings.battery_pct, self.flying_since, self.battery_told
        if self.charge_is_told or since is None or last is None or self.boot_s is None:
            return told
        drain = reserve.drain_pct_s(since[1] - last[1], last[0] - since[0])
        return max(0.0, last[1] - drain * (self.boot_s - last[0]))

    def battery_needed_pct(self, left_pct: float) -> float:
        """The charge at which the way home begins from here, and never below the order's own."""
        position, since, order = self.readings.position, self.flying_since, self.order
        if position is None or since is None:
            return order.rtl_battery_pct
        drain = reserve.drain_pct_s(since[1] - left_pct, position.boot_s - since[0])
        needed = reserve.needed_pct(
            position, order.home, order.rtl_alt_m, drain, order.headwind_mps
        )
        return max(order.rtl_battery_pct, needed)


Step = tuple[Flight, list[Command]]
