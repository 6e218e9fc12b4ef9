"""Turning a camera's gimbal by the gimbal protocol, version 2, as a state machine without I/O.

The manager is asked what it can do, control is claimed and the claim is read back, the angles are
commanded, and the gimbal's own attitude decides whether it obeyed.  Others may hold the gimbal, and
a manager accepts angles that its motors never reach: each is a failure with a name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from droneteam.missions.mavlink.handshake import Done, Failed, Outcome, Sends, Timing
from droneteam.missions.mavlink.messages import (
    CommandAck,
    CommandId,
    CommandLong,
    CommandResult,
    GimbalAttitude,
    GimbalManagerInformation,
    GimbalManagerStatus,
    Inbound,
)

GROUND = (255, 190)
"""System and component of this ground station, as in its packets."""
WITHIN_DEG = 2.0
"""Of the wanted pitch: a stabilised mount holds a tenth of it, a stopped one none."""
TRIES = 10
"""Sends per step: at 30 % loss each way all fail once in 800 times."""
TURN_S = 10.0
"""A slow mount turns 90° in 3 s; on the vehicle's clock as the commands' deadlines are."""
_LEAVE = -1.0
"""DO_GIMBAL_MANAGER_CONFIGURE: leave the secondary control as it is."""
_INFORMATION, _STATUS = 280, 281


@dataclass(frozen=True, slots=True)
class Look:
    """A gimbal on its way to a pitch above (negative: below) the horizon, along the nose.

    step : asking, claiming, checking, commanding or turning; sent_at_s, tries : of the step.
    """

    pitch_deg: float
    timing: Timing
    step: str = "asking"
    device_id: int = 0
    sent_at_s: float = 0.0
    began_at_s: float = 0.0
    tries: int = 1
    seen_deg: float | None = None
    outcome: Outcome | None = None


def start_look(pitch_deg: float, timing: Timing, now_s: float) -> tuple[Look, Sends]:
    """A look and its first message."""
    state = Look(pitch_deg, timing, sent_at_s=now_s, began_at_s=now_s)
    return state, _sends(state)


def look_step(state: Look, message: Inbound | None, now_s: float) -> tuple[Look, Sends]:
    """The next state and what to send."""
    if state.outcome is not None:
        return state, ()
    match state.step, message:
        case "asking", GimbalManagerInformation():
            return _offered(state, message, now_s)
        case "claiming", CommandAck(command=CommandId.DO_GIMBAL_MANAGER_CONFIGURE):
            return _acknowledged(state, message, "checking", now_s)
        case "checking", GimbalManagerStatus():
            return _claimed(state, message, now_s)
        case "commanding", CommandAck(command=CommandId.DO_GIMBAL_MANAGER_PITCHYAW):
            return _acknowledged(state, message, "turning", now_s)
        case _, GimbalAttitude(pitch_deg=seen_deg):
            return _turned(state, seen_deg), ()
        case "asking", CommandAck(command=CommandId.REQUEST_MESSAGE, result=result) if (
            result not in (CommandResult.ACCEPTED, CommandResult.IN_PROGRESS)
        ):
            return _failed(state, "gimbal-absent", "the vehicle has no gimbal manager"), ()
        case _, None:
            return _tick(state, now_s)
    return state, ()


def _offered(state: Look, found: GimbalManagerInformation, now_s: float) -> tuple[Look, Sends]:
    low, high = found.pitch_min_deg, found.pitch_max_deg
    if not low - WITHIN_DEG <= state.pitch_deg <= high + WITHIN_DEG:
        detail = f"{state.pitch_deg:.0f}° is outside its {low:.0f}° to {high:.0f}°"
        return _failed(state, "gimbal-limits", detail), ()
    return _next(replace(state, device_id=found.device_id), "claiming", now_s)


def _claimed(state: Look, found: GimbalManagerStatus, now_s: float) -> tuple[Look, Sends]:
    if found.device_id != state.device_id:
        return state, ()
    if (found.system_id, found.component_id) == GROUND:
        return _next(state, "commanding", now_s)
    holder = f"system {found.system_id}, component {found.component_id} controls it"
    return replace(state, outcome=Failed("gimbal-held", holder)), ()


def _acknowledged(state: Look, ack: CommandAck, following: str, now_s: float) -> tuple[Look, Sends]:
    if ack.result == CommandResult.IN_PROGRESS:
        return state, ()
    if ack.result != CommandResult.ACCEPTED:
        return _failed(state, "gimbal-refused", f"{state.step}: result {ack.result}"), ()
    return _next(state, following, now_s)


def _turned(state: Look, seen_deg: float) -> Look:
    state = replace(state, seen_deg=seen_deg)
    if state.step != "turning" or abs(seen_deg - state.pitch_deg) > WITHIN_DEG:
        return state
    return replace(state, outcome=Done())


def _tick(state: Look, now_s: float) -> tuple[Look, Sends]:
    if state.step == "turning":
        limit_s = max(state.timing.command_deadline_s, TURN_S * state.timing.command_retry_s)
        if now_s - state.began_at_s < limit_s:
            return state, ()
        seen = "nothing tells where" if state.seen_deg is None else f"at {state.seen_deg:.0f}°"
        return _failed(state, "gimbal-off", f"{state.pitch_deg:.0f}° wanted, {seen}"), ()
    if now_s - state.sent_at_s < state.timing.command_retry_s:
        return state, ()
    if state.tries >= TRIES:
        return _failed(state, "gimbal-silent", f"no answer while {state.step}"), ()
    state = replace(state, tries=state.tries + 1, sent_at_s=now_s)
    return state, _sends(state)


def _next(state: Look, step: str, now_s: float) -> tuple[Look, Sends]:
    state = replace(state, step=step, tries=1, sent_at_s=now_s, began_at_s=now_s)
    return state, _sends(state)


def _failed(state: Look, name: str, detail: str) -> Look:
    return replace(state, outcome=Failed(name, detail))


def _sends(state: Look) -> Sends:
    """The message of the state's step."""
    device = float(state.device_id)
    match state.step:
        case "asking":
            return (CommandLong(CommandId.REQUEST_MESSAGE, (_INFORMATION,)),)
        case "claiming":
            params = (*map(float, GROUND), _LEAVE, _LEAVE, 0.0, 0.0, device)
            return (CommandLong(CommandId.DO_GIMBAL_MANAGER_CONFIGURE, params),)
        case "checking":
            return (CommandLong(CommandId.REQUEST_MESSAGE, (_STATUS,)),)
        case "commanding":
            params = (state.pitch_deg, 0.0, math.nan, math.nan, 0.0, 0.0, device)
            return (CommandLong(CommandId.DO_GIMBAL_MANAGER_PITCHYAW, params),)
    return ()
