"""A vehicle on the ground is made ready: rally points, fence, parameters, mission, each verified.

Nothing is taken as done because it was sent: every list is read back and compared item by item,
every parameter is read in a message of its own.
"""

from __future__ import annotations

from dataclasses import replace

from droneteam.missions.flight.moves import change_mode, enter, refuse
from droneteam.missions.flight.packvolts import CELL_MIN_V, NO_PACK, cells_of, thresholds
from droneteam.missions.flight.state import Command, Flight, Note, Phase, Send, Step, Task
from droneteam.missions.items import MissionType
from droneteam.missions.mavlink import protocol
from droneteam.missions.mavlink.messages import CopterMode
from droneteam.missions.mavlink.parameters import Profile, start_profile


def no_rally(flight: Flight, now_s: float) -> Step:
    """Empty the list of rally points: RTL would fly to one of an earlier flight instead of home."""
    clear, sends = protocol.start_clear(MissionType.RALLY, flight.timing, now_s)
    flight = replace(enter(flight, Phase.FENCING), task=clear)
    return flight, [Send(send, "the way home leads to the take-off point") for send in sends]


def fence(flight: Flight, now_s: float) -> Step:
    """Upload the fence, and read it back."""
    if not flight.order.fence:
        return profile(flight, now_s)
    task, sends = protocol.start_upload(flight.order.fence, flight.timing, now_s)
    return replace(flight, task=task), [Send(send, "fence") for send in sends]


def profile(flight: Flight, now_s: float) -> Step:
    """Write the parameters; those of the battery follow from the voltage of the pack."""
    flight = flight if flight.phase is Phase.PROFILING else enter(flight, Phase.PROFILING)
    voltage_v = flight.readings.voltage_v
    if voltage_v is None:
        return flight, []
    cells = cells_of(voltage_v) if flight.order.cells is None else flight.order.cells
    if cells is None or voltage_v < cells * CELL_MIN_V:
        return refuse(flight, f"the pack has {voltage_v:.1f} V: {NO_PACK}")
    wanted = (*flight.order.profile, *thresholds(cells))
    task, sends = start_profile(wanted, flight.timing, now_s)
    notes: list[Command] = [Note("check", f"pack: {cells} cells, {voltage_v:.1f} V")]
    return replace(flight, task=task), notes + [Send(one, "parameter profile") for one in sends]


def upload(flight: Flight, profile: Task, now_s: float) -> Step:
    """Upload the mission, and read it back."""
    commands: list[Command] = []
    if isinstance(profile, Profile) and profile.unknown:
        commands.append(Note("profile", f"vehicle does not know {', '.join(profile.unknown)}"))
    task, sends = protocol.start_upload(flight.order.items, flight.timing, now_s)
    flight = replace(enter(flight, Phase.UPLOADING), task=task)
    return flight, commands + [Send(send, "mission upload") for send in sends]


def uploaded(flight: Flight, found_hash: str, now_s: float) -> Step:
    """Compare the hash of what was read back, and go to the mode in which it is armed."""
    if found_hash != flight.order.expected_hash:
        return refuse(flight, "the mission read back does not have the approved hash")
    flight = replace(enter(flight, Phase.READYING), verified=True)
    flight, commands = change_mode(flight, CopterMode.GUIDED, now_s)
    return flight, [Note("mission", f"read back identical, hash {found_hash[:12]}"), *commands]
