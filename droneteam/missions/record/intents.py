"""What the controller was about to send, in words.

A journal's intent is the message as the program prints it, with its reason after "because: ";
it stays so, as evidence.  People read it as a sentence: `CommandLong(command=<CommandId.LAND:
21>, …)` is "landing commanded".  A message that is not one of these is left as it stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from droneteam.missions.items import MissionType
from droneteam.missions.mavlink.messages import CommandId, mode_name

PRINTED = re.compile(r"(?P<message>[A-Z]\w+\(.*?\))(?P<reason> because: .*)", re.DOTALL)
"""A message as Python prints it, and why it was sent."""
_MEMBER = re.compile(r"<\w+\.\w+: (-?\d+)>")
_MISSING = re.compile(r"\bnan\b")
_LISTS: Mapping[int, str] = {
    MissionType.MISSION: "the mission",
    MissionType.FENCE: "the fence",
    MissionType.RALLY: "the rally points",
}
_PLAIN: Mapping[int, str] = {
    CommandId.RETURN_TO_LAUNCH: "the way home commanded",
    CommandId.LAND: "landing commanded",
    CommandId.MISSION_START: "start of the mission commanded",
    CommandId.DO_GIMBAL_MANAGER_CONFIGURE: "the gimbal taken over",
}
_SWITCHED: Mapping[tuple[int, float], str] = {
    (CommandId.COMPONENT_ARM_DISARM, 1.0): "arming commanded",
    (CommandId.COMPONENT_ARM_DISARM, 0.0): "disarming commanded",
    (CommandId.DO_PAUSE_CONTINUE, 0.0): "a halt of the mission commanded",
    (CommandId.DO_PAUSE_CONTINUE, 1.0): "going on with the mission commanded",
}


def in_words(detail: str) -> str:
    """A line of the journal with its message as a sentence; any other line as it is."""
    found = PRINTED.fullmatch(detail)
    if found is None:
        return detail
    said = _said(found["message"])
    return detail if said is None else said + found["reason"]


def _said(printed: str) -> str | None:
    """The message in words; None for one that is not known."""
    read = _fields(printed)
    if read is None:
        return None
    name, fields = read
    try:
        match name:
            case "ParamSet":
                return f"parameter {fields['name']} set to {_number(fields['value'])}"
            case "MissionClear":
                return f"{_LISTS[fields.get('mission_type', 0)]} on the vehicle deleted"
            case "MissionCount":
                kept = _LISTS[fields.get("mission_type", 0)]
                return f"upload of {kept} begun, {fields['count']} items"
            case "CommandLong":
                return _command(fields["command"], fields["params"], fields.get("confirmation", 0))
    except (KeyError, IndexError, TypeError, ZeroDivisionError):
        return None  # the fields of a message of another release
    return None


def _command(command: int, params: tuple[float, ...], tried: int) -> str | None:
    """The command in words, with the count of the attempt from the second on."""
    said = _PLAIN.get(command)
    match command:
        case CommandId.DO_SET_MODE:
            said = f"mode {mode_name(int(params[1]))} commanded"
        case CommandId.TAKEOFF:
            said = f"climb to {_number(params[6])} m commanded"
        case CommandId.SET_MESSAGE_INTERVAL:
            rate_hz = _number(1e6 / params[1])
            said = f"telemetry message {_number(params[0])} asked for at {rate_hz} Hz"
        case CommandId.REQUEST_MESSAGE:
            said = f"message {_number(params[0])} asked for"
        case CommandId.DO_GIMBAL_MANAGER_PITCHYAW:
            said = f"the camera turned to {_number(params[0])} degrees"
        case CommandId.COMPONENT_ARM_DISARM | CommandId.DO_PAUSE_CONTINUE:
            said = _SWITCHED.get((command, params[0]))
    return f"{said}, attempt {tried + 1}" if said and tried else said


def _fields(printed: str) -> tuple[str, dict[str, Any]] | None:
    """The name and the fields of a printed message; None where it cannot be read."""
    text = _MISSING.sub("None", _MEMBER.sub(r"\1", printed))
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        found = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    except (ValueError, SyntaxError, RecursionError):
        return None
    return call.func.id, found


def _number(value: float) -> str:
    """The value without an empty fraction."""
    return f"{value:.10g}"
