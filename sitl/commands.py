"""COMMAND_LONG and COMMAND_INT: what each command does and how it is answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.actions import do_command
from sitl.arming import FORCE_MAGIC, prearm_failures, readiness_of
from sitl.autopilot import Autopilot
from sitl.channel import Channel
from sitl.items import (
    ALT_LIMIT_M,
    MISSION_SPECS,
    Cmd,
    Frame,
    MissionItem,
    as_int32,
    refusal,
)
from sitl.modes import Guided, Mode
from sitl.navigation import Point3
from sitl.streams import BUILDERS, NEEDS_HOME
from sitl.telemetry import Message


class Result(IntEnum):
    """MAV_RESULT."""

    ACCEPTED = 0
    TEMPORARILY_REJECTED = 1
    DENIED = 2
    UNSUPPORTED = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Order:
    """One command with its parameters, whichever message brought it.

    x, y : degrees times 1e7 for commands with a location, else parameters 5 and 6.
    """

    command: int
    params: tuple[float, float, float, float]
    x: int
    y: int
    z: float
    frame: int = Frame.GLOBAL_RELATIVE_ALT

    @property
    def as_item(self) -> MissionItem:
        """The same as a mission item."""
        return MissionItem(self.command, self.frame, *self.params, x=self.x, y=self.y, z=self.z)

    def whole(self, place: int) -> int:
        """A parameter (numbered from 0) as a whole number; -1 when it is none."""
        value = self.params[place]
        return int(value) if math.isfinite(value) else -1

    def place(self, ap: Autopilot) -> Point3 | None:
        """Where the order points to in the vehicle's frame; None when that is nowhere."""
        if self.frame not in set(Frame) or not abs(self.z) < ALT_LIMIT_M:
            return None
        if abs(self.x) > 900_000_000 or abs(self.y) > 1_800_000_000:
            return None
        east, north = ap.frame.metres(self.x * 1e-7, self.y * 1e-7)
        return (east, north, ap.up_of(self.z, Frame(self.frame)))


LOCATED = frozenset(
    {
        mav.MAV_CMD_DO_REPOSITION,
        Cmd.DO_SET_HOME,
        Cmd.DO_SET_ROI,
        Cmd.DO_SET_ROI_LOCATION,
    }
)
"""Commands whose parameters 5 and 6 are degrees in COMMAND_LONG."""

REPOSITION_CHANGES_MODE = 1


def order_of(message: Message) -> Order:
    """The order in a COMMAND_LONG or COMMAND_INT."""
    params = (message.param1, message.param2, message.param3, message.param4)
    if message.get_type() == "COMMAND_INT":
        return Order(message.command, params, message.x, message.y, message.z, message.frame)
    scale = 1e7 if message.command in LOCATED else 1.0
    x, y = as_int32(message.param5 * scale), as_int32(message.param6 * scale)
    frame = Frame.GLOBAL if message.command == Cmd.DO_SET_HOME else Frame.GLOBAL_RELATIVE_ALT
    return Order(message.command, params, x, y, message.param7, frame)


Handler = Callable[[Autopilot, Channel, Order], Result]


def execute(ap: Autopilot, channel: Channel, order: Order) -> Result:
    """Carries out an order; the result goes into COMMAND_ACK."""
    handler = HANDLERS.get(order.command)
    if handler is not None:
        return handler(ap, channel, order)
    spec = MISSION_SPECS.get(order.command)
    if spec is None or spec.nav:
        return Result.UNSUPPORTED
    item = order.as_item
    if refusal(item, MISSION_SPECS) is not None or not do_command(ap, item):
        return Result.DENIED
    return Result.ACCEPTED


def _ok(done: bool) -> Result:
    return Result.ACCEPTED if done else Result.FAILED


def set_mode(ap: Autopilot, number: int) -> Result:
    """A mode by its number."""
    try:
        mode = Mode(number)
    except ValueError:
        ap.say(4, f"No such mode {number}")
        return Result.FAILED
    return _ok(ap.change_mode(mode))


def _do_set_mode(ap: Autopilot, channel: Channel, order: Order) -> Result:
    if not order.whole(0) & mav.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED:
        return Result.DENIED
    return set_mode(ap, order.whole(1))


def _arm_disarm(ap: Autopilot, channel: Channel, order: Order) -> Result:
    force = order.params[1] == FORCE_MAGIC
    if order.params[0] == 1.0:
        return _ok(ap.arm(force=force))
    if order.params[0] == 0.0:
        return _ok(ap.disarm(force=force))
    return Result.UNSUPPORTED


def _take_off(ap: Autopilot, channel: Channel, order: Order) -> Result:
    return _ok(ap.take_off(order.z))


def _mode_command(mode: Mode) -> Handler:
    def handler(ap: Autopilot, channel: Channel, order: Order) -> Result:
        return _ok(ap.change_mode(mode))

    return handler


def _mission_start(ap: Autopilot, channel: Channel, order: Order) -> Result:
    return _ok(ap.start_mission())


def _pause_continue(ap: Autopilot, channel: Channel, order: Order) -> Result:
    go_on = order.params[0] == 1.0
    controller = ap.controller
    if ap.mode is Mode.AUTO:
        if go_on:
            ap.mission_run.resume(ap)
        else:
            ap.mission_run.pause()
        return Result.ACCEPTED
    if isinstance(controller, Guided):
        if go_on:
            controller.resume()
        else:
            controller.pause()
        return Result.ACCEPTED
    return Result.FAILED


def _set_mission_current(ap: Autopilot, channel: Channel, order: Order) -> Result:
    seq = order.whole(0)
    if seq < 0 or not ap.mission_run.set_current(ap, seq):
        return Result.DENIED
    channel.send(BUILDERS[mav.MAVLINK_MSG_ID_MISSION_CURRENT](ap))
    return Result.ACCEPTED


def _reposition(ap: Autopilot, channel: Channel, order: Order) -> Result:
    where = order.place(ap)
    if where is None:
        return Result.DENIED
    if ap.mode is not Mode.GUIDED:
        if not max(0, order.whole(1)) & REPOSITION_CHANGES_MODE:
            return Result.DENIED
        if not ap.change_mode(Mode.GUIDED):
            return Result.FAILED
    if not ap.go_to(*where):
        return Result.FAILED
    if order.params[0] > 0.0:
        ap.speeds.change(horizontal_mps=order.params[0])
    return Result.ACCEPTED


def _set_message_interval(ap: Autopilot, channel: Channel, order: Order) -> Result:
    message_id, interval_us = order.whole(0), order.whole(1)
    if message_id not in BUILDERS:
        ap.say(6, f"No ap_message for mavlink id ({message_id})")
        return Result.DENIED
    channel.set_interval(message_id, interval_us * 1e-6, ap.t_s)
    return Result.ACCEPTED


def _get_message_interval(ap: Autopilot, channel: Channel, order: Order) -> Result:
    message_id = max(0, order.whole(0)) & 0xFFFF
    interval_s = channel.interval_s(message_id)
    known = message_id in BUILDERS
    interval_us = -1 if known else 0
    if interval_s is not None:
        interval_us = round(interval_s * 1e6)
    channel.send(mav.MAVLink_message_interval_message(message_id, interval_us))
    return Result.ACCEPTED if known else Result.FAILED


def _request_message(ap: Autopilot, channel: Channel, order: Order) -> Result:
    message_id = order.whole(0)
    if message_id == mav.MAVLINK_MSG_ID_CAMERA_IMAGE_CAPTURED:
        report = ap.shutter.reports.get(order.whole(1))
        if report is None:
            return Result.FAILED
        channel.send(report, component=mav.MAV_COMP_ID_CAMERA)
        return Result.ACCEPTED
    if message_id not in BUILDERS or (message_id in NEEDS_HOME and ap.home is None):
        return Result.FAILED
    channel.send(BUILDERS[message_id](ap))
    return Result.ACCEPTED


def _capabilities(ap: Autopilot, channel: Channel, order: Order) -> Result:
    channel.send(BUILDERS[mav.MAVLINK_MSG_ID_AUTOPILOT_VERSION](ap))
    return Result.ACCEPTED


def _get_home(ap: Autopilot, channel: Channel, order: Order) -> Result:
    if ap.home is None:
        return Result.FAILED
    channel.send(BUILDERS[mav.MAVLINK_MSG_ID_HOME_POSITION](ap))
    return Result.ACCEPTED


def _prearm_checks(ap: Autopilot, channel: Channel, order: Order) -> Result:
    if ap.armed:
        return Result.TEMPORARILY_REJECTED
    for why in prearm_failures(readiness_of(ap)):
        ap.say(2, f"PreArm: {why}")
    return Result.ACCEPTED


def _terminate(ap: Autopilot, channel: Channel, order: Order) -> Result:
    if order.params[0] > 0.5:
        return _ok(ap.disarm(force=True))
    return Result.FAILED


def _on_the_ground_only(ap: Autopilot, channel: Channel, order: Order) -> Result:
    """Calibration and parameter storage: nothing to do in simulation, refused in flight."""
    return Result.FAILED if ap.armed else Result.ACCEPTED


def _configure_gimbal(ap: Autopilot, channel: Channel, order: Order) -> Result:
    """Primary control for whoever is named; -1 leaves it, -3 gives it up (-2, oneself, is none)."""
    system, component = order.whole(0), order.params[1]
    if system == -3:
        ap.gimbal.holder = (0, 0)
    elif system >= 0 and math.isfinite(component):
        ap.gimbal.holder = (system, max(0, int(component)))
    elif order.params[0] != -1.0:
        return Result.DENIED
    return Result.ACCEPTED


def _no_reboot(ap: Autopilot, channel: Channel, order: Order) -> Result:
    """A simulated vehicle boots with its process; a reboot is refused, in flight as on ground."""
    return Result.FAILED


HANDLERS: dict[int, Handler] = {
    mav.MAV_CMD_DO_SET_MODE: _do_set_mode,
    mav.MAV_CMD_COMPONENT_ARM_DISARM: _arm_disarm,
    mav.MAV_CMD_NAV_TAKEOFF: _take_off,
    mav.MAV_CMD_NAV_RETURN_TO_LAUNCH: _mode_command(Mode.RTL),
    mav.MAV_CMD_NAV_LAND: _mode_command(Mode.LAND),
    mav.MAV_CMD_NAV_LOITER_UNLIM: _mode_command(Mode.LOITER),
    mav.MAV_CMD_MISSION_START: _mission_start,
    mav.MAV_CMD_DO_PAUSE_CONTINUE: _pause_continue,
    mav.MAV_CMD_DO_SET_MISSION_CURRENT: _set_mission_current,
    mav.MAV_CMD_DO_REPOSITION: _reposition,
    mav.MAV_CMD_SET_MESSAGE_INTERVAL: _set_message_interval,
    mav.MAV_CMD_GET_MESSAGE_INTERVAL: _get_message_interval,
    mav.MAV_CMD_REQUEST_MESSAGE: _request_message,
    mav.MAV_CMD_REQUEST_AUTOPILOT_CAPABILITIES: _capabilities,
    mav.MAV_CMD_GET_HOME_POSITION: _get_home,
    mav.MAV_CMD_RUN_PREARM_CHECKS: _prearm_checks,
    mav.MAV_CMD_DO_FLIGHTTERMINATION: _terminate,
    mav.MAV_CMD_PREFLIGHT_CALIBRATION: _on_the_ground_only,
    mav.MAV_CMD_PREFLIGHT_STORAGE: _on_the_ground_only,
    mav.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN: _no_reboot,
    mav.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE: _configure_gimbal,
}
