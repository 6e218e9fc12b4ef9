"""One sortie as a state machine: ``step(flight, event)`` gives the next state and what to send.

No sockets and no clock.  Two clocks appear and are never mixed: ``now_s`` is the link's clock
of this machine, used for handshakes and for noticing silence; ``boot_s`` is the vehicle's own,
used for how long a flight phase may take, so that a simulator may run faster than real time.

Phases, in order::

    listening → streaming → fencing → profiling → uploading → readying → arming → climbing
              → starting → flying → returning → ended
    listening → adopting → flying, returning or paused   (armed at first contact, the approved
                                                          mission on board: `adoption`)
    flying    → paused → starting → flying   (the pilot asked: `pilot`)
    any       → handed over → ended          (somebody else took the vehicle)

Rules that no phase may break:

- A vehicle that is armed at first contact is adopted, never armed, re-uploaded or sent into
  another mode.  A sortie that was armed before a restart (``may_arm`` False) is not armed again.
- AUTO is barred until the mission has been read back identical to the approved one.
- A mode that we did not command means that somebody else flies: from then on only heartbeats
  are sent, because their absence would trigger the vehicle's ground-station failsafe.
- A lost link is not answered with commands: the vehicle's own failsafe brings it home, and
  stays in RTL when the link comes back.
"""

from __future__ import annotations

import math
from dataclasses import replace

from droneteam.missions.flight.adoption import adopt, adopting_ended
from droneteam.missions.flight.alarms import (
    barred,
    position_known,
    remote_id_clock,
    remote_id_heard,
    told_of_remote_id,
)
from droneteam.missions.flight.handshakes import task_step, was_repeated
from droneteam.missions.flight.linkwatch import contact, watch_link
from droneteam.missions.flight.moves import (
    armed_or_not,
    call,
    change_mode,
    end,
    enter,
    go_home,
    hand_over,
    refuse,
    signed,
)
from droneteam.missions.flight.pilot import obey, pause_ended
from droneteam.missions.flight.preflight import checks
from droneteam.missions.flight.preparing import fence, no_rally, profile, upload, uploaded
from droneteam.missions.flight.state import (
    GOING_HOME,
    Barred,
    Command,
    Ending,
    Event,
    Flight,
    Heard,
    Note,
    Phase,
    PilotWants,
    Send,
    Step,
    Task,
    Tick,
)
from droneteam.missions.flight.telemetry import asking_for
from droneteam.missions.items import mission_hash
from droneteam.missions.mavlink.calls import Call, start_call
from droneteam.missions.mavlink.gimbals import Look
from droneteam.missions.mavlink.handshake import Done, Failed
from droneteam.missions.mavlink.messages import (
    Attitude,
    CommandId,
    CommandLong,
    CopterMode,
    EkfStatus,
    GpsFix,
    Handshake,
    Heartbeat,
    HomePosition,
    Inbound,
    ItemReached,
    MissionCurrent,
    Position,
    RemoteIdHeartbeat,
    RemoteIdStatus,
    StatusText,
    SystemStatus,
    mode_name,
)
from droneteam.missions.mavlink.protocol import Clear, Upload
from droneteam.missions.mavlink.twins import CLOCK_BACK_S

LISTEN_HEARTBEATS = 3
"""Heard, at one per second, before anything but our own heartbeats is sent."""
READY_LIMIT_S = 180.0
"""Measured: GUIDED arming becomes possible 41 s after boot; GPS may take longer outdoors."""
CLIMB_LIMIT_S = 90.0
VOLTAGE_LIMIT_S = 30.0
"""SYS_STATUS comes twice a second once it was asked for."""
TWINS = (
    "two vehicles answer under one system id on this link, and a command would reach both: "
    "give each its own id (MAV_SYSID)"
)
NO_LEAVE = (
    "this sortie was armed before the restart, or its signatures have run out: "
    "it needs a new approval to fly again"
)
_FAILSAFE_WORDS = ("failsafe", "breached", "ekf variance")


def step(flight: Flight, event: Event) -> Step:
    """The next state and what to send."""
    if flight.phase is Phase.ENDED:
        return flight, []
    match event:
        case Heard(message=message, now_s=now_s):
            flight, commands = contact(flight, message, now_s)
            flight, more = _heard(flight, message, now_s)
        case Tick(now_s=now_s):
            flight, commands = watch_link(flight, now_s)
            flight, more = _tick(flight, now_s)
        case PilotWants(what=what, now_s=now_s, by=by):
            commands = [Note("pilot", f"asks for {what}", by)]
            before = flight.task
            flight, more = obey(flight, what, now_s)
            if flight.task is not before:
                flight = replace(flight, asked_by=by)
        case Barred(reasons=reasons):
            commands = []
            flight, more = barred(flight, reasons)
    return flight, [signed(one, flight.asked_by) for one in commands + more]


# What comes in


def _heard(flight: Flight, message: Inbound, now_s: float) -> Step:
    readings = flight.readings
    match message:
        case Heartbeat():
            return _heartbeat(flight, message, now_s)
        case Position():
            return _position(flight, message, now_s)
        case Attitude() if math.isfinite(message.roll_deg + message.pitch_deg):
            return replace(flight, readings=replace(readings, attitude=message)), []
        case SystemStatus():
            return _system_status(flight, message, now_s)
        case EkfStatus():
            return position_known(flight, message)
        case GpsFix(fix_type=fix, satellites=count):
            readings = replace(readings, fix_type=fix, satellites=count)
            return replace(flight, readings=readings), []
        case RemoteIdStatus() | RemoteIdHeartbeat():
            return remote_id_heard(flight, message)
        case HomePosition():
            return replace(flight, readings=replace(readings, home=message)), []
        case MissionCurrent(seq=seq):
            return replace(flight, mission_seq=seq), []
        case ItemReached(seq=seq):
            reached = max(seq, flight.reached_seq)
            return replace(flight, reached_seq=reached), [Note("item", f"reached {seq}")]
        case StatusText(text=text):
            return _text(flight, text)
    if isinstance(message, Handshake) or isinstance(flight.task, Look):
        return _advance_task(flight, message, now_s)
    return flight, []


def _position(flight: Flight, position: Position, now_s: float) -> Step:
    flight = replace(flight, twins=flight.twins.after(position))
    if flight.twins.found and flight.phase is not Phase.HANDED_OVER:
        return hand_over(flight, TWINS)
    if flight.boot_s is not None and 0.0 < flight.boot_s - position.boot_s <= CLOCK_BACK_S:
        return flight, []  # overtaken on the way: it tells nothing that is not known better
    readings = remote_id_clock(flight.readings, flight.boot_s, position.boot_s)
    flight = replace(flight, readings=replace(readings, position=position))
    flight, commands = _vehicle_time(flight, position.boot_s, now_s)
    flight, more = told_of_remote_id(flight)
    if flight.battery_told is not None and not flight.charge_is_told:
        flight, still_more = _battery(flight, now_s)
        more = more + still_more
    return flight, commands + more


def _system_status(flight: Flight, status: SystemStatus, now_s: float) -> Step:
    readings = replace(
        flight.readings,
        battery_pct=status.battery_pct,
        voltage_v=status.voltage_v,
        prearm_ok=status.prearm_ok,
    )
    flight = replace(flight, readings=readings)
    if status.battery_pct is not None and flight.boot_s is not None:
        flight = replace(flight, battery_told=(flight.boot_s, status.battery_pct))
    if flight.phase is Phase.PROFILING and flight.task is None:
        return profile(flight, now_s)
    return _battery(flight, now_s)


def _text(flight: Flight, text: str) -> Step:
    lowered = text.lower()
    failsafe = any(word in lowered for word in _FAILSAFE_WORDS) and "cleared" not in lowered
    flight = replace(
        flight, last_text=text, failsafe_text=text if failsafe else flight.failsafe_text
    )
    return flight, [Note("text", text)]


def _vehicle_time(flight: Flight, boot_s: float, now_s: float) -> Step:
    """Take over the vehicle's clock and end phases that took too long on it."""
    if flight.boot_s is not None and boot_s < flight.boot_s:
        flight = replace(flight, phase_since_s=boot_s)  # it rebooted
    since = flight.phase_since_s if flight.phase_since_s is not None else boot_s
    flight = replace(flight, boot_s=boot_s, phase_since_s=since)
    waited_s = boot_s - since
    if flight.phase is Phase.READYING:
        return _ready_or_refuse(flight, waited_s, now_s)
    if flight.phase is Phase.PROFILING and flight.task is None and waited_s >= VOLTAGE_LIMIT_S:
        return refuse(flight, "the vehicle does not tell its battery's voltage")
    if flight.phase is Phase.CLIMBING and flight.task is None:
        return _climbed(flight, waited_s, now_s)
    return flight, []


def _heartbeat(flight: Flight, heartbeat: Heartbeat, now_s: float) -> Step:
    readings = replace(flight.readings, mode=heartbeat.mode)
    count = flight.heartbeats + 1
    flight = replace(flight, readings=readings, heartbeats=count)
    if flight.phase is Phase.LISTENING:
        # One armed heartbeat of the three is enough: the others may be older than it.
        flight = replace(flight, armed=bool(flight.armed) or heartbeat.armed)
        return _listened(flight, now_s) if count >= LISTEN_HEARTBEATS else (flight, [])
    flight, changed = armed_or_not(flight, heartbeat.armed, now_s)
    commands: list[Command] = []
    if changed:
        commands.append(Note("vehicle", "armed" if flight.armed else "disarmed"))
    if changed and not flight.armed:
        flight, more = _disarmed(flight)
        return flight, commands + more
    if flight.disarmed_at_s is not None:
        return flight, commands
    flight, more = _compare_mode(flight, heartbeat.mode, now_s)
    return flight, commands + more


def _compare_mode(flight: Flight, mode: int, now_s: float) -> Step:
    """Notice a mode that somebody or something else chose."""
    wanted = flight.commanded_mode
    if wanted is None or flight.phase is Phase.HANDED_OVER:
        return flight, []
    if mode == wanted:
        flight = replace(flight, mode_confirmed=True, strange_heartbeats=0)
        return _in_mode(flight, now_s)
    if not flight.mode_confirmed and mode == flight.mode_before:
        # An acknowledgement may be a late echo of an earlier mode change: ask again.
        if flight.task is None and not flight.link_lost:
            return change_mode(flight, CopterMode(wanted), now_s)
        return flight, []
    if flight.phase is Phase.RETURNING and mode in GOING_HOME:
        return replace(flight, strange_heartbeats=0), []
    # Heartbeats may overtake each other on UDP: one alone may be an old one.
    if flight.strange_heartbeats == 0:
        return replace(flight, strange_heartbeats=1), []
    if mode in GOING_HOME and flight.armed:
        flight = enter(flight, Phase.RETURNING, f"{mode_name(mode)}: {flight.why_home}")
        flight = replace(flight, task=None, commanded_mode=mode, mode_confirmed=True)
        return replace(flight, strange_heartbeats=0), [Note("returning", flight.reason)]
    return hand_over(flight, f"the mode was changed to {mode_name(mode)} by somebody else")


def _disarmed(flight: Flight) -> Step:
    match flight.phase:
        case Phase.FLYING | Phase.RETURNING | Phase.PAUSED:
            waypoints = [item.seq for item in flight.order.items if item.command == 16]
            # The report of the last waypoint may be lost; the item after it tells the same.
            reached = max(flight.reached_seq, flight.mission_seq - 1)
            if reached >= max(waypoints, default=0):
                return end(flight, Ending.COMPLETED, [])
            reason = flight.reason or f"landed early: {flight.why_home}"
            return end(replace(flight, reason=reason), Ending.RETURNED, [])
        case Phase.HANDED_OVER:
            return end(flight, Ending.HANDED_OVER, [])
        case Phase.ADOPTING:
            return end(replace(flight, reason="it had landed"), Ending.RETURNED, [])
        case Phase.ARMING | Phase.CLIMBING | Phase.STARTING:
            return refuse(flight, f"the vehicle disarmed while {flight.phase.value}")
    return flight, []


def _battery(flight: Flight, now_s: float) -> Step:
    """Come home while there is enough left to do so against the wind."""
    left = flight.battery_left_pct()
    if left is None or flight.phase not in (Phase.FLYING, Phase.PAUSED):
        return flight, []
    if flight.flying_since is None and flight.boot_s is not None:
        flight = replace(flight, flying_since=(flight.boot_s, left))
    needed = flight.battery_needed_pct(left)
    if left > needed or flight.strange_heartbeats:
        return flight, []
    reckoned = "" if flight.charge_is_told else ", reckoned: it is not told any more"
    reason = f"battery at {left:.0f} %{reckoned}, the way home needs {needed:.0f} %"
    if not flight.adopted:
        return go_home(flight, reason, now_s)
    if flight.proposed:
        return flight, []
    text = f"{reason}: this flight was adopted after a restart, ask for rtl or fly it home"
    return replace(flight, proposed=True), [Note("alarm", text)]


# The passing of time


def _tick(flight: Flight, now_s: float) -> Step:
    silence_s = now_s - (flight.heard_at_s or now_s)
    if silence_s >= flight.timing.link_gone_s:
        reason = f"nothing heard for {silence_s:.0f} s"
        if flight.armed:
            reason += "; the vehicle's own failsafe is bringing it home"
        return end(replace(flight, reason=reason), Ending.LINK_GONE, [])
    return _advance_task(flight, None, now_s)


# Handshakes


def _advance_task(flight: Flight, message: Inbound | None, now_s: float) -> Step:
    if flight.task is None:
        return flight, []
    task, sends = task_step(flight.task, message, now_s)
    flight = replace(flight, task=task)
    commands: list[Command] = [Send(send, flight.phase.value) for send in sends]
    if task.outcome is None:
        return flight, commands
    flight, more = _task_ended(replace(flight, task=None), task, now_s)
    return flight, commands + more


def _task_ended(flight: Flight, task: Task, now_s: float) -> Step:
    """What follows a handshake, by phase."""
    outcome = task.outcome
    match flight.phase, outcome:
        case Phase.STREAMING, Failed(name="command-timeout"):
            return refuse(flight, "the vehicle does not answer commands")
        case Phase.STREAMING, _:
            return _next_stream(flight, now_s)
        case Phase.ADOPTING, (Done() | Failed()) as found:
            return adopting_ended(flight, task, found, now_s)
        case ((Phase.FLYING | Phase.PAUSED), (Done() | Failed()) as found):
            return pause_ended(flight, task, found, now_s)
        case Phase.FENCING, Done() if isinstance(task, Clear):
            return fence(flight, now_s)
        case Phase.FENCING, Done():
            return profile(flight, now_s)
        case Phase.PROFILING, Done():
            return upload(flight, task, now_s)
        case Phase.UPLOADING, Done(items=items):
            return uploaded(flight, mission_hash(items), now_s)
        case Phase.READYING, Done():
            return flight, []
        case Phase.ARMING, Done():
            return _take_off(flight, now_s)
        case Phase.CLIMBING, Done():
            return flight, []
        case Phase.STARTING, Done():
            return _started(flight, task, now_s)
        case Phase.CLIMBING, Failed(name="command-refused") if was_repeated(task):
            text = (
                "a repeated take-off was refused, so the first may have begun: the height decides"
            )
            return flight, [Note("climbing", text)]
        case Phase.RETURNING, Failed(name=name, detail=detail):
            text = f"the vehicle did not take the mode ({name}: {detail}); the pilot must fly"
            return flight, [Note("alarm", text)]
        case _, Failed(name=name, detail=detail):
            return _task_failed(flight, task, f"{flight.phase.value}: {name}, {detail}", now_s)
    return flight, []


def _task_failed(flight: Flight, task: Task, reason: str, now_s: float) -> Step:
    if isinstance(task, Upload) and task.corrupt:
        reason += "; the list on the vehicle is corrupt, AUTO is barred"
    if flight.last_text:
        reason += f" ({flight.last_text})"
    if not flight.armed:
        return refuse(flight, reason)
    if flight.airborne:
        return go_home(flight, reason, now_s)
    disarm = CommandLong(CommandId.COMPONENT_ARM_DISARM, (0.0,))
    call, sends = start_call(disarm, flight.timing, now_s)
    flight = replace(enter(flight, Phase.RETURNING, reason), task=call)
    return flight, [Note("aborted", reason), *(Send(send, reason) for send in sends)]


# The phases in order


def _listened(flight: Flight, now_s: float) -> Step:
    """Decide what the first contact means, then ask for telemetry."""
    note = Note("contact", f"{mode_name(flight.readings.mode or 0)}, armed {flight.armed}")
    if not flight.armed and not flight.order.may_arm:
        flight, commands = refuse(flight, NO_LEAVE)
        return flight, [note, *commands]
    flight, commands = _next_stream(enter(flight, Phase.STREAMING), now_s)
    return flight, [note, *commands]


def _next_stream(flight: Flight, now_s: float) -> Step:
    if not flight.streams_left:
        return adopt(flight, now_s) if flight.armed else no_rally(flight, now_s)
    (message_id, rate_hz), *rest = flight.streams_left
    command = asking_for(message_id, rate_hz)
    return call(replace(flight, streams_left=tuple(rest)), command, "telemetry", now_s)


def _ready_or_refuse(flight: Flight, waited_s: float, now_s: float) -> Step:
    if not flight.order.may_arm:
        return refuse(flight, NO_LEAVE)
    found = checks(flight.order, flight.readings)
    missing = [f"{check.name} ({check.detail})" for check in found if not check.passed]
    if missing and waited_s >= READY_LIMIT_S and not flight.barred:
        text = f"; the vehicle says: {flight.last_text}" if flight.last_text else ""
        return refuse(flight, f"not ready after {waited_s:.0f} s: {', '.join(missing)}{text}")
    if missing or flight.barred or flight.task is not None:
        return flight, []
    notes: list[Command] = [Note("check", f"{check.name}: {check.detail}") for check in found]
    arm = CommandLong(CommandId.COMPONENT_ARM_DISARM, (1.0,))
    flight, commands = call(enter(flight, Phase.ARMING), arm, "every check passed", now_s)
    return flight, notes + commands


def _take_off(flight: Flight, now_s: float) -> Step:
    height_m = flight.order.takeoff_alt_home_m
    command = CommandLong(CommandId.TAKEOFF, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, height_m))
    return call(enter(flight, Phase.CLIMBING), command, "armed", now_s)


def _climbed(flight: Flight, waited_s: float, now_s: float) -> Step:
    position = flight.readings.position
    height_m = position.alt_home_m if position is not None else 0.0
    wanted_m = flight.order.takeoff_alt_home_m
    if height_m >= min(0.95 * wanted_m, wanted_m - 0.3):
        flight = enter(flight, Phase.STARTING)
        return change_mode(flight, CopterMode.AUTO, now_s)
    if waited_s >= CLIMB_LIMIT_S and not flight.armed and not flight.airborne:
        # It armed and disarmed behind a cut of the link: no heartbeat will tell a change.
        return refuse(flight, f"the vehicle disarmed while {flight.phase.value}")
    if waited_s >= CLIMB_LIMIT_S:
        return go_home(flight, f"at {height_m:.1f} of {wanted_m:.1f} m after the climb", now_s)
    return flight, []


def _in_mode(flight: Flight, now_s: float) -> Step:
    """Start the mission once AUTO was commanded, acknowledged and seen."""
    if flight.phase is not Phase.STARTING or flight.task is not None:
        return flight, []
    return call(flight, CommandLong(CommandId.MISSION_START), "in AUTO", now_s)


def _started(flight: Flight, task: Task, now_s: float) -> Step:
    if isinstance(task, Call) and task.command.command == CommandId.DO_SET_MODE:
        return _in_mode(flight, now_s) if flight.mode_confirmed else (flight, [])
    return enter(flight, Phase.FLYING), [Note("mission", "started")]
