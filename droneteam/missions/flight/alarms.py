"""What is watched of a vehicle beside its flight: told to the pilot, never commanded about."""

from __future__ import annotations

from dataclasses import replace

from droneteam.missions.flight.preflight import Readings, remote_id_fault
from droneteam.missions.flight.state import BEFORE_ARMING, Command, Flight, Note, Step
from droneteam.missions.mavlink.messages import EkfStatus, RemoteIdHeartbeat, RemoteIdStatus

UNHEARD_S = 2.0
"""A gap of the vehicle's positions after which its silence is the link's, not its transmitter's."""


def barred(flight: Flight, reasons: tuple[str, ...]) -> Step:
    """Keep the reasons until it comes to arming; the wait is not the vehicle's fault."""
    if reasons == flight.barred or flight.phase not in BEFORE_ARMING:
        return flight, []
    flight = replace(flight, barred=reasons)
    if reasons:
        return flight, [Note("alarm", f"not armed yet: {'; '.join(reasons)}")]
    return replace(flight, phase_since_s=flight.boot_s), [Note("check", "nothing bars any more")]


def remote_id_heard(flight: Flight, message: RemoteIdStatus | RemoteIdHeartbeat) -> Step:
    """The transmitter spoke: of itself, or that it is there."""
    readings = replace(flight.readings, remote_id_wired=True)
    if isinstance(message, RemoteIdStatus):
        readings = replace(readings, remote_id=message, remote_id_at_s=flight.boot_s)
    elif readings.remote_id_at_s is None:
        readings = replace(readings, remote_id_at_s=flight.boot_s)
    return told_of_remote_id(replace(flight, readings=readings))


def remote_id_clock(readings: Readings, before_s: float | None, boot_s: float) -> Readings:
    """The time of the last report, where the vehicle's clock jumped or was not heard in between.

    before_s : the vehicle's clock at its last position; boot_s : now.
    """
    at_s = readings.remote_id_at_s
    if not readings.remote_id_wired:
        return readings
    if at_s is None or at_s > boot_s:
        return replace(readings, remote_id_at_s=boot_s)
    if before_s is not None and boot_s - before_s > UNHEARD_S:
        return replace(readings, remote_id_at_s=at_s + boot_s - before_s)
    return readings


def told_of_remote_id(flight: Flight) -> Step:
    """In flight, once: that the transmitter fell silent or says that it fails, and when it is well.

    Before arming it is one of the checks.
    """
    fault = remote_id_fault(flight.readings)
    if fault == flight.remote_id_fault or not flight.armed:
        return flight, []
    flight = replace(flight, remote_id_fault=fault)
    if not fault:
        return flight, [Note("remote id", "the transmitter reports that it is ready again")]
    return flight, [Note("alarm", f"Remote ID: {fault}; land, or answer for it to the authority")]


def position_known(flight: Flight, message: EkfStatus) -> Step:
    """Whether the vehicle knows where it is; in flight the pilot is told when it does not."""
    known = message.has_absolute_position
    before = flight.readings.absolute_position
    flight = replace(flight, readings=replace(flight.readings, absolute_position=known))
    if known == before or not (flight.armed and flight.airborne):
        return flight, []
    text = (
        "the vehicle knows its position again"
        if known
        else "the vehicle has lost its position (GPS); its failsafe lands it where it is: "
        "take over by hand where it must not land"
    )
    commands: list[Command] = [Note("position" if known else "alarm", text)]
    return flight, commands
