"""One command as a handshake without I/O: repeated until it is acknowledged, never for ever."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from droneteam.missions.mavlink.handshake import Done, Failed, Outcome, Sends, Timing
from droneteam.missions.mavlink.messages import CommandAck, CommandLong, CommandResult, Handshake


@dataclass(frozen=True, slots=True)
class Call:
    """One command, repeated until it is acknowledged.

    deaf_until_s : before it acknowledgements are taken for late echoes of an earlier call of the
    same command, from which nothing in them differs.
    """

    command: CommandLong
    timing: Timing
    started_at_s: float
    sent_at_s: float = 0.0
    heard_at_s: float = 0.0
    in_progress: bool = False
    outcome: Outcome | None = None
    deaf_until_s: float = -math.inf


def start_call(
    command: CommandLong, timing: Timing, now_s: float, *, deaf_until_s: float = -math.inf
) -> tuple[Call, Sends]:
    """A command call and its first message."""
    call = Call(command, timing, now_s, now_s, now_s, deaf_until_s=deaf_until_s)
    return call, (command,)


def call_step(state: Call, message: Handshake | None, now_s: float) -> tuple[Call, Sends]:
    """The next state and what to send.

    While the vehicle reports IN_PROGRESS the command is not repeated, and the deadline counts
    from the last report.
    """
    if state.outcome is not None:
        return state, ()
    match message:
        case CommandAck(command=command) if (
            command == state.command.command and now_s < state.deaf_until_s
        ):
            return state, ()
        case CommandAck(command=command, result=result) if command == state.command.command:
            if result == CommandResult.IN_PROGRESS:
                return replace(state, in_progress=True, heard_at_s=now_s), ()
            if result == CommandResult.ACCEPTED:
                return replace(state, outcome=Done()), ()
            return replace(state, outcome=Failed("command-refused", _command_result(result))), ()
        case None:
            return _call_tick(state, now_s)
    return state, ()


def _call_tick(state: Call, now_s: float) -> tuple[Call, Sends]:
    if now_s - state.heard_at_s >= state.timing.command_deadline_s:
        return replace(state, outcome=Failed("command-timeout", "no answer")), ()
    if state.in_progress or now_s - state.sent_at_s < state.timing.command_retry_s:
        return state, ()
    confirmation = min(255, state.command.confirmation + 1)
    command = replace(state.command, confirmation=confirmation)
    return replace(state, command=command, sent_at_s=now_s), (command,)


def _command_result(result: int) -> str:
    try:
        return f"{CommandResult(result).name} ({result})"
    except ValueError:
        return f"result {result}"
