"""Taking up a vehicle that was armed at first contact: what a restarted controller does.

It has listened, knows mode and armed state, and now downloads the mission and the fence.  It
adopts the flight when the mission is the approved one, and tells the pilot what it found.  It
never arms, uploads or changes a mode by itself; what the pilot asks for then, it does.

===================  =====================================================================
found                then
===================  =====================================================================
another mission      handed over
AUTO                 flying
RTL, LAND            returning
GUIDED, and this     paused: the controller died between arming and the mission's start.
sortie had come to   The vehicle hovers, or stands and disarms by itself, until the pilot
arming               asks to resume, return or land
any other mode       handed over: somebody flies it
another fence        an alarm besides
===================  =====================================================================
"""

from __future__ import annotations

from dataclasses import replace

from droneteam.missions.flight.moves import enter, hand_over
from droneteam.missions.flight.state import GOING_HOME, Flight, Note, Phase, Send, Step, Task
from droneteam.missions.items import MissionType, WireItem, differences, mission_hash
from droneteam.missions.mavlink import protocol
from droneteam.missions.mavlink.handshake import Done, Failed, Outcome
from droneteam.missions.mavlink.messages import CopterMode, mode_name
from droneteam.missions.mavlink.protocol import Download


def adopt(flight: Flight, now_s: float) -> Step:
    """Begin to find out what the vehicle is flying."""
    flight = replace(enter(flight, Phase.ADOPTING), adopted=True)
    return _download(flight, MissionType.MISSION, now_s)


def _download(flight: Flight, kind: MissionType, now_s: float) -> Step:
    download, sends = protocol.start_download(kind, flight.timing, now_s)
    why = "adopting a flying vehicle"
    return replace(flight, task=download), [Send(send, why) for send in sends]


def adopting_ended(flight: Flight, task: Task, outcome: Outcome, now_s: float) -> Step:
    """What follows one of the two downloads."""
    fence = isinstance(task, Download) and task.mission_type is MissionType.FENCE
    match outcome:
        case Failed(detail=detail) if fence:
            return _adopted(flight, f"its fence could not be read: {detail}")
        case Failed(detail=detail):
            return hand_over(flight, f"cannot read the mission of an armed vehicle: {detail}")
        case Done(items=items) if fence:
            return _adopted(flight, _fence_fault(flight, items))
        case Done(items=items) if mission_hash(items) != flight.order.expected_hash:
            return hand_over(flight, "it flies a mission that is not the approved one")
    return _download(flight, MissionType.FENCE, now_s)


def _fence_fault(flight: Flight, found: tuple[WireItem, ...]) -> str:
    """What is wrong with the fence on board; empty when it is the approved one."""
    different = differences(flight.order.fence, found)
    return f"its fence is not the approved one: {different[0]}" if different else ""


def _adopted(flight: Flight, fault: str) -> Step:
    mode = flight.readings.mode
    phase = _phase_of(flight, mode)
    if phase is None:
        return hand_over(flight, f"it flies in {mode_name(mode or 0)}, which we did not command")
    flight = enter(flight, phase, "adopted after a restart")
    flight = replace(flight, verified=True, commanded_mode=mode, mode_confirmed=True)
    notes = [Note("adopted", f"in {mode_name(mode or 0)}, mission identical")]
    items = len(flight.order.items) - 1
    fence = fault or "the fence on board is the approved one"
    notes.append(Note("found", f"item {flight.mission_seq} of {items}; {fence}"))
    if fault:
        notes.append(Note("alarm", fault))
    if phase is Phase.PAUSED:
        notes.append(Note("alarm", "it waits for the pilot: ask for resume, rtl or land"))
    return flight, list(notes)


def _phase_of(flight: Flight, mode: int | None) -> Phase | None:
    """The phase in which the flight is taken up; None where somebody else flies it."""
    if mode == CopterMode.AUTO:
        return Phase.FLYING
    if mode in GOING_HOME:
        return Phase.RETURNING
    if mode == CopterMode.GUIDED and not flight.order.may_arm:
        return Phase.PAUSED
    return None
