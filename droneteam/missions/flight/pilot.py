"""What the pilot may ask of the controller in flight, and what then follows.

A wish is refused, with a note, where nothing of ours is flying: after the pilot's own transmitter
took the vehicle, the transmitter flies it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from droneteam.missions.flight.moves import call, change_mode, enter, go_home
from droneteam.missions.flight.state import Flight, Note, Phase, Send, Step, Task
from droneteam.missions.mavlink.calls import Call
from droneteam.missions.mavlink.gimbals import Look, start_look
from droneteam.missions.mavlink.handshake import Failed, Outcome
from droneteam.missions.mavlink.messages import CommandId, CommandLong, CopterMode

LOOKS_DEG = {"look_down": -90.0, "look_ahead": 0.0}
"""Where the camera is turned: its pitch above the horizon."""
WISHES = ("rtl", "land", "pause", "resume", "brake", *LOOKS_DEG)
"""Return; land here; hold the mission where it is; go on with it; stop at once and hold; turn the
camera down, or ahead."""
_HOLD, _GO_ON = 0.0, 1.0
"""First parameter of MAV_CMD_DO_PAUSE_CONTINUE."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One of `WISHES` for the drone of a number; by : who asks."""

    drone_id: int
    what: str
    by: str = ""


def obey(flight: Flight, what: str, now_s: float) -> Step:
    """Do what the pilot asks, or say why not."""
    if not flight.armed or flight.phase is Phase.HANDED_OVER:
        return flight, [Note("pilot", f"{what} not sent: nothing of ours is flying")]
    flies = flight.phase in (Phase.FLYING, Phase.PAUSED)
    match what:
        case "rtl":
            return go_home(flight, "the pilot asked to return", now_s)
        case "land":
            flight = enter(flight, Phase.RETURNING, "the pilot asked to land")
            return change_mode(flight, CopterMode.LAND, now_s)
        case "pause" if flight.phase is Phase.FLYING and flight.task is None:
            return _halt(flight, _HOLD, "the pilot asked to pause", now_s)
        case "look_down" | "look_ahead" if flies and flight.task is None:
            look, sends = start_look(LOOKS_DEG[what], flight.timing, now_s)
            why = "the pilot asked for the camera's view"
            return replace(flight, task=look), [Send(send, why) for send in sends]
        case "brake" if flies:
            return change_mode(enter(flight, Phase.PAUSED), CopterMode.BRAKE, now_s)
        case "resume" if flight.phase is Phase.PAUSED and flight.airborne:
            return _resume(flight, now_s)
    return flight, [Note("pilot", f"{what} not sent: it makes no sense while {_where(flight)}")]


def _where(flight: Flight) -> str:
    busy = ", a command is under way" if flight.task is not None else ""
    return f"{flight.phase.value}{busy}" + ("" if flight.airborne else " on the ground")


def _resume(flight: Flight, now_s: float) -> Step:
    """Go on: out of a pause of the mission by a command, out of another mode through AUTO."""
    flight = replace(flight, adopted=False)  # the pilot has taken the flight up again
    if flight.commanded_mode == CopterMode.AUTO:
        return _halt(flight, _GO_ON, "the pilot asked to resume", now_s)
    return change_mode(enter(flight, Phase.STARTING), CopterMode.AUTO, now_s)


def _halt(flight: Flight, way: float, why: str, now_s: float) -> Step:
    """Pause the mission or go on; a late echo of the other's acknowledgement is not believed."""
    command = CommandLong(CommandId.DO_PAUSE_CONTINUE, (way,))
    deaf_until_s = flight.halt_answered_s + flight.timing.overtake_s
    return call(flight, command, why, now_s, deaf_until_s=deaf_until_s)


def pause_ended(flight: Flight, task: Task, outcome: Outcome, now_s: float) -> Step:
    """What follows a command that paused or resumed the mission, or braked."""
    if isinstance(task, Look):
        if isinstance(outcome, Failed):
            text = f"the vehicle did not turn the camera ({outcome.name}: {outcome.detail})"
            return flight, [Note("alarm", text)]
        return flight, [Note("camera", f"looks {task.pitch_deg:.0f}° from the horizon")]
    if not isinstance(task, Call):
        return flight, []
    if task.command.command == CommandId.DO_PAUSE_CONTINUE:
        flight = replace(flight, halt_answered_s=now_s)
    if isinstance(outcome, Failed):
        text = f"the vehicle did not do it ({outcome.name}: {outcome.detail}); it is still "
        return flight, [Note("alarm", f"{text}{flight.phase.value}")]
    if task.command.command != CommandId.DO_PAUSE_CONTINUE:
        return flight, []
    if task.command.params[0] == _HOLD:
        return enter(flight, Phase.PAUSED), [Note("paused", "the mission holds")]
    return enter(flight, Phase.FLYING), [Note("mission", "goes on")]
