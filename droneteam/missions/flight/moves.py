"""The small steps that a sortie's phases are made of: a command, a mode, an end."""

from __future__ import annotations

import math
from dataclasses import replace

from droneteam.missions.flight.state import Command, Ending, Flight, Note, Phase, Send, Step
from droneteam.missions.mavlink.calls import start_call
from droneteam.missions.mavlink.messages import CommandId, CommandLong, CopterMode, GroundHeartbeat


def change_mode(flight: Flight, mode: CopterMode, now_s: float) -> Step:
    """Command a mode; AUTO only with a verified mission on board."""
    if mode is CopterMode.AUTO and not flight.verified:
        return refuse(flight, "AUTO is barred: the mission on board is not verified")
    flight = replace(
        flight,
        commanded_mode=int(mode),
        mode_before=flight.readings.mode,
        mode_confirmed=False,
        strange_heartbeats=0,
    )
    command = CommandLong(CommandId.DO_SET_MODE, (1.0, float(mode)))
    return call(flight, command, flight.reason or flight.phase.value, now_s)


def call(
    flight: Flight,
    command: CommandLong,
    why: str,
    now_s: float,
    *,
    deaf_until_s: float = -math.inf,
) -> Step:
    """Start a command call as the flight's task; deaf_until_s : as for `Call`."""
    task, sends = start_call(command, flight.timing, now_s, deaf_until_s=deaf_until_s)
    return replace(flight, task=task), [Send(send, why) for send in sends]


def enter(flight: Flight, phase: Phase, reason: str = "") -> Flight:
    """The flight in another phase, since now on the vehicle's clock."""
    return replace(flight, phase=phase, phase_since_s=flight.boot_s, reason=reason or flight.reason)


def refuse(flight: Flight, reason: str) -> Step:
    """End a sortie that never flew, and say why."""
    return end(replace(flight, reason=reason), Ending.REFUSED, [])


def end(flight: Flight, ending: Ending, commands: list[Command]) -> Step:
    """End the sortie."""
    flight = replace(flight, phase=Phase.ENDED, ending=ending, task=None)
    return flight, [*commands, Note("ended", f"{ending.value}: {flight.reason or 'as planned'}")]


def go_home(flight: Flight, reason: str, now_s: float) -> Step:
    """Command the way home; by the controller itself unless a pilot's wish led here."""
    flight = replace(flight, asked_by="")
    flight, commands = change_mode(enter(flight, Phase.RETURNING, reason), CopterMode.RTL, now_s)
    return flight, [Note("returning", reason), *commands]


def hand_over(flight: Flight, reason: str) -> Step:
    """Stop commanding: from now on only heartbeats are sent."""
    flight = replace(enter(flight, Phase.HANDED_OVER, reason), task=None, asked_by="")
    commands: list[Command] = [Note("handed over", reason)]
    if not flight.armed:
        return end(flight, Ending.REFUSED, commands)
    return flight, commands


def armed_or_not(flight: Flight, armed: bool, now_s: float) -> tuple[Flight, bool]:
    """Whether it is armed, and whether that has changed.

    A disarmed heartbeat that was overtaken by an armed one must not end a sortie whose motors are
    turning: it is believed when no other has contradicted it for longer than packets may be late.
    """
    if armed or not flight.armed:
        changed = armed and not flight.armed
        return replace(flight, armed=armed, disarmed_at_s=None), changed
    if flight.disarmed_at_s is None:
        return replace(flight, disarmed_at_s=now_s), False
    if now_s - flight.disarmed_at_s < flight.timing.overtake_s:
        return flight, False
    return replace(flight, armed=False, disarmed_at_s=None), True


def signed(command: Command, by: str) -> Command:
    """What is sent in the course of a person's wish, with that person's name."""
    if not isinstance(command, Send) or isinstance(command.message, GroundHeartbeat):
        return command
    return replace(command, by=command.by or by)
