"""The link to the vehicle as a sortie sees it: heard, silent, and whether it tells what it should.

Our heartbeats go out whatever happens, because their absence would trigger the vehicle's
ground-station failsafe.  A message that a decision rests on and that stays away is asked for
again; one ask needs no handshake, because hearing the message is the answer.
"""

from __future__ import annotations

from dataclasses import replace

from droneteam.missions.flight.moves import refuse
from droneteam.missions.flight.state import (
    BEFORE_ARMING,
    Command,
    Flight,
    Note,
    Phase,
    Send,
    Step,
)
from droneteam.missions.flight.telemetry import NEEDED, RATES_HZ, StreamWatch, asking_for
from droneteam.missions.mavlink.messages import GroundHeartbeat, Inbound, Position

BLIND_WAITS = 3
"""Waits for telemetry without a position after which the pilot is told."""
USELESS_WAITS = 12
"""Waits without a position after which a vehicle on the ground is not waited for."""
_NOT_WATCHED = frozenset({Phase.LISTENING, Phase.STREAMING, Phase.HANDED_OVER, Phase.ENDED})


def contact(flight: Flight, message: Inbound, now_s: float) -> Step:
    """The vehicle spoke."""
    streams = flight.streams.after(message, now_s)
    commands: list[Command] = []
    if flight.link_lost:
        commands.append(Note("link", "heard again"))
        streams = streams.begun(now_s)
    if streams.blind and isinstance(message, Position):
        streams = replace(streams, blind=False)
        commands.append(Note("telemetry", "its position comes again"))
    return replace(flight, heard_at_s=now_s, link_lost=False, streams=streams), commands


def watch_link(flight: Flight, now_s: float) -> Step:
    """Send the heartbeat that is due, notice a lost link and what does not come over a good one."""
    commands: list[Command] = []
    due = flight.heartbeat_at_s is None or (
        now_s - flight.heartbeat_at_s >= flight.timing.heartbeat_s
    )
    if due:
        flight = replace(flight, heartbeat_at_s=now_s)
        commands.append(Send(GroundHeartbeat(), "heartbeat"))
    if flight.heard_at_s is None:
        flight = replace(flight, heard_at_s=now_s)
    silence_s = now_s - (flight.heard_at_s or now_s)
    if silence_s >= flight.timing.link_lost_s and not flight.link_lost:
        flight = replace(flight, link_lost=True, link_losses=flight.link_losses + 1)
        commands.append(Note("link", f"silent for {silence_s:.1f} s"))
    if flight.link_lost or flight.phase in _NOT_WATCHED:
        return flight, commands
    flight, more = _watch_streams(flight, now_s)
    return flight, commands + more


def _watch_streams(flight: Flight, now_s: float) -> Step:
    streams, wait_s = flight.streams, flight.timing.telemetry_s
    if streams.since_s is None:
        return replace(flight, streams=streams.begun(now_s)), []
    blind_s = streams.silence_s(NEEDED[Position], now_s)
    if blind_s >= USELESS_WAITS * wait_s and flight.phase in BEFORE_ARMING:
        return refuse(flight, f"the vehicle has not told its position for {blind_s:.0f} s")
    flight, commands = _told_that_blind(flight, streams, blind_s >= BLIND_WAITS * wait_s)
    silent = streams.silent(now_s, wait_s)
    if not silent or now_s - streams.asked_at_s < wait_s:
        return flight, commands
    why = f"not heard for {wait_s:.0f} s"
    rates_hz = dict(RATES_HZ)
    commands += [Send(asking_for(one, rates_hz[one]), why) for one in silent]
    return replace(flight, streams=replace(flight.streams, asked_at_s=now_s)), commands


def _told_that_blind(flight: Flight, streams: StreamWatch, blind: bool) -> Step:
    if streams.blind or not (blind and flight.armed):
        return flight, []
    text = (
        "the link is up, but the vehicle does not tell its position: what is shown is old; "
        "keep it in sight, or ask for rtl"
    )
    return replace(flight, streams=replace(streams, blind=True)), [Note("alarm", text)]
