"""The handshake that a sortie is in, one step further, whichever of the machines it is."""

from __future__ import annotations

from droneteam.missions.flight.state import Task
from droneteam.missions.mavlink import protocol
from droneteam.missions.mavlink.calls import Call, call_step
from droneteam.missions.mavlink.gimbals import Look, look_step
from droneteam.missions.mavlink.handshake import Sends
from droneteam.missions.mavlink.messages import Handshake, Inbound
from droneteam.missions.mavlink.parameters import Profile, profile_step
from droneteam.missions.mavlink.protocol import Clear, Download, Upload


def task_step(task: Task, message: Inbound | None, now_s: float) -> tuple[Task, Sends]:
    """The next state of the handshake, and what to send."""
    if isinstance(task, Look):
        return look_step(task, message, now_s)
    if message is not None and not isinstance(message, Handshake):
        return task, ()
    match task:
        case Upload():
            return protocol.upload_step(task, message, now_s)
        case Download():
            return protocol.download_step(task, message, now_s)
        case Clear():
            return protocol.clear_step(task, message, now_s)
        case Profile():
            return profile_step(task, message, now_s)
        case Call():
            return call_step(task, message, now_s)


def was_repeated(task: Task) -> bool:
    """Whether a command went out twice: a vehicle that obeyed the first may refuse the second."""
    return isinstance(task, Call) and task.command.confirmation > 0
