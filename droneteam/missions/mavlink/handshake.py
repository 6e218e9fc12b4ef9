"""What every handshake with a vehicle shares: how long it waits, and how it ends.

Every handshake is an immutable state; ``step(state, message, now_s)`` returns the next state and
what to send.  ``message`` is what came in, or None for the passing of time; ``now_s`` is the
link's clock, in seconds, and may start anywhere.  A machine ends with ``outcome`` set: ``Done``
or ``Failed`` with a named reason.  Each has a deadline, so none can hang.
"""

from __future__ import annotations

from dataclasses import dataclass

from droneteam.errors import InputError
from droneteam.missions.items import WireItem
from droneteam.missions.mavlink.messages import Outbound

Sends = tuple[Outbound, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds of the link's clock.

    Waits that mirror the vehicle's own timers shrink with ``time_scale`` (a simulator faster
    than real time); waits that mirror this machine's scheduling do not.

    announce_s, list_s, resend_s : between repeats of an upload's announcement, of the request for
    a list, and of an item or a request for one (never less than two round trips); overtake_s : by
    how much packets may overtake each other: what a heartbeat says is believed when no other
    said otherwise for so long; telemetry_s : after which a message that should come by itself is
    asked for again.
    """

    announce_s: float = 1.5
    list_s: float = 0.5
    resend_s: float = 0.2
    silence_s: float = 10.0
    deadline_s: float = 120.0
    command_retry_s: float = 1.0
    command_deadline_s: float = 10.0
    param_retry_s: float = 0.4
    heartbeat_s: float = 0.5
    link_lost_s: float = 5.0
    link_gone_s: float = 900.0
    overtake_s: float = 2.0
    telemetry_s: float = 5.0

    @classmethod
    def scaled(cls, time_scale: float) -> Timing:
        """The timing for a vehicle whose clock runs ``time_scale`` times faster."""
        if not 0.1 <= time_scale <= 1000.0:
            raise InputError(f"time_scale {time_scale} outside [0.1, 1000]", field="time_scale")
        return cls(
            announce_s=max(0.05, 1.5 / time_scale),
            list_s=max(0.03, 0.5 / time_scale),
            resend_s=max(0.01, 0.2 / time_scale),
            silence_s=max(1.0, 10.0 / time_scale),
            command_retry_s=max(0.1, 1.0 / time_scale),
            command_deadline_s=max(5.0, 10.0 / time_scale),
            param_retry_s=max(0.12, 0.4 / time_scale),
            heartbeat_s=max(0.02, 0.5 / time_scale),
            link_lost_s=max(2.0, 5.0 / time_scale),
            link_gone_s=max(30.0, 900.0 / time_scale),
            overtake_s=max(0.2, 2.0 / time_scale),
            telemetry_s=max(2.0, 5.0 / time_scale),
        )


@dataclass(frozen=True, slots=True)
class Done:
    """The handshake succeeded; ``items`` is what was read, for a download."""

    items: tuple[WireItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The handshake failed; ``name`` is stable, ``detail`` says what and where."""

    name: str
    detail: str


Outcome = Done | Failed
