"""Mission items as the vehicle keeps them: which commands it knows and what survives storage.

ArduCopter packs an item into a few bytes, so that what is read back differs from what was sent:
parameters that a command does not use read 0, some are whole numbers, altitudes have
centimetres, frame 2 (MISSION) reads 0 and the `_INT` frames read as their plain ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import IntEnum


class Cmd(IntEnum):
    """MAV_CMD values that a mission, fence or rally item may carry."""

    NAV_WAYPOINT = 16
    NAV_LOITER_UNLIM = 17
    NAV_LOITER_TURNS = 18
    NAV_LOITER_TIME = 19
    NAV_RETURN_TO_LAUNCH = 20
    NAV_LAND = 21
    NAV_TAKEOFF = 22
    NAV_SPLINE_WAYPOINT = 82
    NAV_DELAY = 93
    CONDITION_DELAY = 112
    CONDITION_DISTANCE = 114
    CONDITION_YAW = 115
    DO_JUMP = 177
    DO_CHANGE_SPEED = 178
    DO_SET_HOME = 179
    DO_SET_RELAY = 181
    DO_SET_SERVO = 183
    DO_LAND_START = 189
    DO_SET_ROI_LOCATION = 195
    DO_SET_ROI_NONE = 197
    DO_SET_ROI = 201
    DO_DIGICAM_CONTROL = 203
    DO_MOUNT_CONTROL = 205
    DO_SET_CAM_TRIGG_DIST = 206
    DO_FENCE_ENABLE = 207
    DO_GIMBAL_MANAGER_PITCHYAW = 1000
    IMAGE_START_CAPTURE = 2000
    IMAGE_STOP_CAPTURE = 2001
    FENCE_RETURN_POINT = 5000
    FENCE_POLYGON_VERTEX_INCLUSION = 5001
    FENCE_POLYGON_VERTEX_EXCLUSION = 5002
    FENCE_CIRCLE_INCLUSION = 5003
    FENCE_CIRCLE_EXCLUSION = 5004
    RALLY_POINT = 5100


class Frame(IntEnum):
    """MAV_FRAME values that an item may carry."""

    GLOBAL = 0
    MISSION = 2
    GLOBAL_RELATIVE_ALT = 3
    GLOBAL_INT = 5
    GLOBAL_RELATIVE_ALT_INT = 6
    GLOBAL_TERRAIN_ALT = 10
    GLOBAL_TERRAIN_ALT_INT = 11


class Result(IntEnum):
    """MAV_MISSION_RESULT."""

    ACCEPTED = 0
    ERROR = 1
    UNSUPPORTED_FRAME = 2
    UNSUPPORTED = 3
    NO_SPACE = 4
    INVALID_PARAM1 = 6
    INVALID_PARAM2 = 7
    INVALID_PARAM3 = 8
    INVALID_PARAM4 = 9
    INVALID_PARAM5_X = 10
    INVALID_PARAM6_Y = 11
    INVALID_PARAM7_Z = 12
    INVALID_SEQUENCE = 13
    DENIED = 14
    OPERATION_CANCELLED = 15


_PLAIN_FRAME = {
    Frame.GLOBAL: Frame.GLOBAL,
    Frame.MISSION: Frame.GLOBAL,
    Frame.GLOBAL_RELATIVE_ALT: Frame.GLOBAL_RELATIVE_ALT,
    Frame.GLOBAL_INT: Frame.GLOBAL,
    Frame.GLOBAL_RELATIVE_ALT_INT: Frame.GLOBAL_RELATIVE_ALT,
    Frame.GLOBAL_TERRAIN_ALT: Frame.GLOBAL_TERRAIN_ALT,
    Frame.GLOBAL_TERRAIN_ALT_INT: Frame.GLOBAL_TERRAIN_ALT,
}

ALT_LIMIT_M = 83_000.0
INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class MissionItem:
    """One item, in the numbers that travel.

    x, y : degrees times 1e7 where the command has a location, else raw parameters 5 and 6.
    """

    command: int
    frame: int = Frame.GLOBAL
    param1: float = 0.0
    param2: float = 0.0
    param3: float = 0.0
    param4: float = 0.0
    x: int = 0
    y: int = 0
    z: float = 0.0
    autocontinue: int = 1

    @property
    def lat_deg(self) -> float:
        """Latitude, where the command has a location."""
        return self.x * 1e-7

    @property
    def lon_deg(self) -> float:
        """Longitude, where the command has a location."""
        return self.y * 1e-7


@dataclass(frozen=True, slots=True)
class Spec:
    """How a command is stored.

    label : the name that "Mission: 4 WP" tells.
    keeps : per parameter 1..4: "i" a whole number, "f" a float, "n" a float that may be NaN,
        "-" not stored (reads 0; NaN is accepted).
    """

    label: str
    keeps: str
    location: bool = False
    nav: bool = False
    raw_xyz: bool = False
    """Whether parameters 5 to 7 are kept although they are no location."""


MISSION_SPECS: dict[int, Spec] = {
    Cmd.NAV_WAYPOINT: Spec("WP", "i---", location=True, nav=True),
    Cmd.NAV_LOITER_UNLIM: Spec("LoitUnlim", "----", location=True, nav=True),
    Cmd.NAV_LOITER_TURNS: Spec("LoitTurns", "i-f-", location=True, nav=True),
    Cmd.NAV_LOITER_TIME: Spec("LoitTime", "i---", location=True, nav=True),
    Cmd.NAV_RETURN_TO_LAUNCH: Spec("RTL", "----", nav=True),
    Cmd.NAV_LAND: Spec("Land", "i---", location=True, nav=True),
    Cmd.NAV_TAKEOFF: Spec("Takeoff", "i---", location=True, nav=True),
    Cmd.NAV_SPLINE_WAYPOINT: Spec("SplineWP", "i---", location=True, nav=True),
    Cmd.NAV_DELAY: Spec("Delay", "fiii", nav=True),
    Cmd.CONDITION_DELAY: Spec("CondDelay", "f---"),
    Cmd.CONDITION_DISTANCE: Spec("CondDist", "f---"),
    Cmd.CONDITION_YAW: Spec("CondYaw", "ffii"),
    Cmd.DO_JUMP: Spec("Jump", "ii--"),
    Cmd.DO_CHANGE_SPEED: Spec("ChangeSpeed", "fff-"),
    Cmd.DO_SET_HOME: Spec("SetHome", "i---", location=True),
    Cmd.DO_SET_RELAY: Spec("SetRelay", "ii--"),
    Cmd.DO_SET_SERVO: Spec("SetServo", "ii--"),
    Cmd.DO_LAND_START: Spec("LandStart", "----", location=True),
    Cmd.DO_SET_ROI_LOCATION: Spec("SetROILoc", "i---", location=True),
    Cmd.DO_SET_ROI_NONE: Spec("SetROINone", "i---"),
    Cmd.DO_SET_ROI: Spec("SetROI", "i---", location=True),
    Cmd.DO_DIGICAM_CONTROL: Spec("DigiCamCtrl", "iiii", raw_xyz=True),
    Cmd.DO_MOUNT_CONTROL: Spec("MountControl", "fff-", raw_xyz=True),
    Cmd.DO_SET_CAM_TRIGG_DIST: Spec("SetCamTrigDst", "f-i-"),
    Cmd.DO_FENCE_ENABLE: Spec("FenceEnable", "i---"),
    Cmd.DO_GIMBAL_MANAGER_PITCHYAW: Spec("GimbalPitchYaw", "nnnn", raw_xyz=True),
    Cmd.IMAGE_START_CAPTURE: Spec("ImageStartCapture", "ifii"),
    Cmd.IMAGE_STOP_CAPTURE: Spec("ImageStopCapture", "i---"),
}

FENCE_SPECS: dict[int, Spec] = {
    Cmd.FENCE_RETURN_POINT: Spec("FenceReturn", "----", location=True),
    Cmd.FENCE_POLYGON_VERTEX_INCLUSION: Spec("FenceInclusion", "i---", location=True),
    Cmd.FENCE_POLYGON_VERTEX_EXCLUSION: Spec("FenceExclusion", "i---", location=True),
    Cmd.FENCE_CIRCLE_INCLUSION: Spec("FenceCircleIn", "f---", location=True),
    Cmd.FENCE_CIRCLE_EXCLUSION: Spec("FenceCircleOut", "f---", location=True),
}

RALLY_SPECS: dict[int, Spec] = {Cmd.RALLY_POINT: Spec("Rally", "----", location=True)}


def refusal(item: MissionItem, specs: dict[int, Spec]) -> Result | None:
    """Why the vehicle would not take this item; None when it would."""
    spec = specs.get(item.command)
    if spec is None:
        return Result.UNSUPPORTED
    if item.frame not in _PLAIN_FRAME:
        return Result.UNSUPPORTED_FRAME
    for place, kind in enumerate(spec.keeps):
        value = (item.param1, item.param2, item.param3, item.param4)[place]
        if kind in "if" and not math.isfinite(value):
            return Result(Result.INVALID_PARAM1 + place)
    if spec.location:
        if abs(item.x) > 900_000_000:
            return Result.INVALID_PARAM5_X
        if abs(item.y) > 1_800_000_000:
            return Result.INVALID_PARAM6_Y
        if not abs(item.z) < ALT_LIMIT_M:  # also refuses NaN
            return Result.INVALID_PARAM7_Z
    elif spec.raw_xyz and not math.isfinite(item.z):
        return Result.INVALID_PARAM7_Z
    return None


def as_int32(value: float) -> int:
    """The nearest whole number of 32 bits; the largest (no place on earth) for NaN."""
    if math.isnan(value):
        return INT32_MAX
    return round(min(max(value, -INT32_MAX), INT32_MAX))


def as_stored(item: MissionItem, specs: dict[int, Spec]) -> MissionItem:
    """The item as it will be read back; it must have passed `refusal`."""
    spec = specs[item.command]
    kept = replace(
        item,
        param1=_kept(item.param1, spec.keeps[0]),
        param2=_kept(item.param2, spec.keeps[1]),
        param3=_kept(item.param3, spec.keeps[2]),
        param4=_kept(item.param4, spec.keeps[3]),
    )
    if spec.location:
        return replace(kept, frame=int(_PLAIN_FRAME[Frame(item.frame)]), z=round(item.z, 2))
    if spec.raw_xyz:
        return replace(kept, frame=int(Frame.GLOBAL))
    return replace(kept, frame=int(Frame.GLOBAL), x=0, y=0, z=0.0)


def _kept(value: float, kind: str) -> float:
    if kind == "-":
        return 0.0
    return float(int(value)) if kind == "i" else value
