"""What a vehicle and its controller say to each other, in the units of this project.

``link.py`` turns these into MAVLink packets and back; nothing above it sees scaled integers.
Each dataclass is one MAVLink message (named in its docstring) with the fields that matter here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from droneteam.missions.items import MissionType, WireItem


class CopterMode(IntEnum):
    """ArduCopter's flight modes (custom_mode of its heartbeat) that the controller names."""

    STABILIZE = 0
    ALT_HOLD = 2
    AUTO = 3
    GUIDED = 4
    LOITER = 5
    RTL = 6
    LAND = 9
    POSHOLD = 16
    BRAKE = 17
    SMART_RTL = 21


def mode_name(mode: int) -> str:
    """The mode's name, or its number where the controller has no name for it."""
    try:
        return CopterMode(mode).name
    except ValueError:
        return f"mode {mode}"


class MissionResult(IntEnum):
    """MAV_MISSION_RESULT."""

    ACCEPTED = 0
    ERROR = 1
    UNSUPPORTED_FRAME = 2
    UNSUPPORTED = 3
    NO_SPACE = 4
    INVALID = 5
    INVALID_PARAM1 = 6
    INVALID_PARAM2 = 7
    INVALID_PARAM3 = 8
    INVALID_PARAM4 = 9
    INVALID_PARAM5_X = 10
    INVALID_PARAM6_Y = 11
    INVALID_PARAM7 = 12
    INVALID_SEQUENCE = 13
    DENIED = 14
    OPERATION_CANCELLED = 15


class CommandResult(IntEnum):
    """MAV_RESULT."""

    ACCEPTED = 0
    TEMPORARILY_REJECTED = 1
    DENIED = 2
    UNSUPPORTED = 3
    FAILED = 4
    IN_PROGRESS = 5
    CANCELLED = 6


class CommandId(IntEnum):
    """MAV_CMD values that are sent as commands."""

    RETURN_TO_LAUNCH = 20
    LAND = 21
    TAKEOFF = 22
    DO_SET_MODE = 176
    DO_PAUSE_CONTINUE = 193
    MISSION_START = 300
    COMPONENT_ARM_DISARM = 400
    SET_MESSAGE_INTERVAL = 511
    REQUEST_MESSAGE = 512
    DO_GIMBAL_MANAGER_PITCHYAW = 1000
    DO_GIMBAL_MANAGER_CONFIGURE = 1001


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """HEARTBEAT of the vehicle's autopilot."""

    mode: int
    armed: bool
    system_status: int = 3


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """SYS_STATUS; battery_pct is None when the vehicle does not know."""

    battery_pct: float | None
    voltage_v: float | None
    prearm_ok: bool


@dataclass(frozen=True, slots=True)
class Position:
    """GLOBAL_POSITION_INT."""

    boot_s: float
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    north_mps: float
    east_mps: float
    down_mps: float
    yaw_deg: float


@dataclass(frozen=True, slots=True)
class Attitude:
    """ATTITUDE."""

    boot_s: float
    roll_deg: float
    pitch_deg: float
    yaw_deg: float


@dataclass(frozen=True, slots=True)
class EkfStatus:
    """EKF_STATUS_REPORT: whether the filter knows where it is on earth."""

    has_absolute_position: bool


@dataclass(frozen=True, slots=True)
class RemoteIdStatus:
    """OPEN_DRONE_ID_ARM_STATUS of the Remote ID transmitter on board; error is its own word."""

    healthy: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class RemoteIdHeartbeat:
    """HEARTBEAT of a Remote ID transmitter: it is wired to the vehicle."""


@dataclass(frozen=True, slots=True)
class GpsFix:
    """GPS_RAW_INT; fix_type 3 and more is a position in three dimensions."""

    fix_type: int
    satellites: int


@dataclass(frozen=True, slots=True)
class SystemTime:
    """SYSTEM_TIME: the vehicle's own calendar clock; None before it has one."""

    unix_at: datetime | None
    boot_s: float


@dataclass(frozen=True, slots=True)
class MissionCurrent:
    """MISSION_CURRENT."""

    seq: int


@dataclass(frozen=True, slots=True)
class ItemReached:
    """MISSION_ITEM_REACHED."""

    seq: int


@dataclass(frozen=True, slots=True)
class StatusText:
    """STATUSTEXT; severity 0 is the worst."""

    severity: int
    text: str


@dataclass(frozen=True, slots=True)
class HomePosition:
    """HOME_POSITION."""

    lat_deg: float
    lon_deg: float
    alt_amsl_m: float


@dataclass(frozen=True, slots=True)
class GimbalAttitude:
    """GIMBAL_DEVICE_ATTITUDE_STATUS or MOUNT_ORIENTATION.

    yaw_deg is from north where yaw_from_north, else from the vehicle's nose.
    """

    boot_s: float
    roll_deg: float
    pitch_deg: float
    yaw_deg: float
    yaw_from_north: bool


@dataclass(frozen=True, slots=True)
class CameraFeedback:
    """CAMERA_FEEDBACK: a photo was triggered."""

    at: datetime
    index: int
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    roll_deg: float
    pitch_deg: float
    yaw_deg: float


@dataclass(frozen=True, slots=True)
class ImageCaptured:
    """CAMERA_IMAGE_CAPTURED: a photo as the camera itself tells it, with the camera's attitude.

    shot : as CAMERA_FEEDBACK numbers it, from 1; saved : False where the camera failed to.
    """

    shot: CameraFeedback
    saved: bool


@dataclass(frozen=True, slots=True)
class CameraInformation:
    """CAMERA_INFORMATION: what camera a vehicle carries; None where it does not say."""

    vendor: str
    model: str
    focal_mm: float | None
    sensor_width_mm: float | None
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """CAMERA_SETTINGS; mode 0 takes images, 1 video, 2 surveys; zoom and focus None if unknown."""

    mode: int
    zoom_pct: float | None
    focus_pct: float | None


@dataclass(frozen=True, slots=True)
class GimbalManagerInformation:
    """GIMBAL_MANAGER_INFORMATION: which gimbal there is and how far it turns."""

    device_id: int
    pitch_min_deg: float
    pitch_max_deg: float


@dataclass(frozen=True, slots=True)
class GimbalManagerStatus:
    """GIMBAL_MANAGER_STATUS: which system and component have primary control; 0 is nobody."""

    device_id: int
    system_id: int
    component_id: int


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """CAMERA_CAPTURE_STATUS: how many photos there are since power-on, and whether more come.

    boot_s : since whose power-on counts; the camera's own where it is a component of its own.
    """

    images: int
    capturing: bool
    boot_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CommandAck:
    """COMMAND_ACK."""

    command: int
    result: int
    progress: int = 0


@dataclass(frozen=True, slots=True)
class ParamValue:
    """PARAM_VALUE."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class MissionCount:
    """MISSION_COUNT, in both directions."""

    count: int
    mission_type: MissionType = MissionType.MISSION


@dataclass(frozen=True, slots=True)
class MissionRequest:
    """MISSION_REQUEST or MISSION_REQUEST_INT, in both directions (sent as the latter)."""

    seq: int
    mission_type: MissionType = MissionType.MISSION


@dataclass(frozen=True, slots=True)
class MissionItemMessage:
    """MISSION_ITEM_INT, in both directions."""

    item: WireItem


@dataclass(frozen=True, slots=True)
class MissionAck:
    """MISSION_ACK, in both directions."""

    result: int
    mission_type: MissionType = MissionType.MISSION


@dataclass(frozen=True, slots=True)
class MissionRequestList:
    """MISSION_REQUEST_LIST, sent."""

    mission_type: MissionType = MissionType.MISSION


@dataclass(frozen=True, slots=True)
class MissionClear:
    """MISSION_CLEAR_ALL, sent."""

    mission_type: MissionType = MissionType.MISSION


@dataclass(frozen=True, slots=True)
class LogEntry:
    """LOG_ENTRY: one log on the vehicle's card; log_id 0 says that there is none.

    n_logs : on the card; last_id : of the newest; began_at : None where the vehicle had no date.
    """

    log_id: int
    n_logs: int
    last_id: int
    began_at: datetime | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LogData:
    """LOG_DATA: a piece of a log; fewer than 90 bytes end it."""

    log_id: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LogListRequest:
    """LOG_REQUEST_LIST, sent."""

    first_id: int = 0
    last_id: int = 0xFFFF


@dataclass(frozen=True, slots=True)
class LogDataRequest:
    """LOG_REQUEST_DATA, sent."""

    log_id: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class LogEnd:
    """LOG_REQUEST_END, sent."""


@dataclass(frozen=True, slots=True)
class FtpPacket:
    """FILE_TRANSFER_PROTOCOL's payload, in both directions; size is data's or what is wanted."""

    seq: int
    session: int
    opcode: int
    size: int
    offset: int = 0
    data: bytes = b""
    req_opcode: int = 0
    burst_complete: bool = False


@dataclass(frozen=True, slots=True)
class TimeSync:
    """TIMESYNC; theirs_ns is 0 in a request, ours_ns the requester's clock in both."""

    theirs_ns: int
    ours_ns: int


@dataclass(frozen=True, slots=True)
class GroundHeartbeat:
    """HEARTBEAT of a ground station, sent."""


@dataclass(frozen=True, slots=True)
class CommandLong:
    """COMMAND_LONG, sent; component : of the vehicle, 1 its autopilot, 0 all."""

    command: int
    params: tuple[float, ...] = ()
    confirmation: int = 0
    component: int = 1


@dataclass(frozen=True, slots=True)
class ParamRead:
    """PARAM_REQUEST_READ by name, sent."""

    name: str


@dataclass(frozen=True, slots=True)
class ParamSet:
    """PARAM_SET, sent."""

    name: str
    value: float


Telemetry = (
    Heartbeat
    | SystemStatus
    | Position
    | Attitude
    | EkfStatus
    | GpsFix
    | RemoteIdStatus
    | RemoteIdHeartbeat
    | SystemTime
    | MissionCurrent
    | ItemReached
    | StatusText
    | HomePosition
    | GimbalAttitude
    | CameraFeedback
    | ImageCaptured
    | CameraInformation
    | CameraSettings
    | GimbalManagerInformation
    | GimbalManagerStatus
    | CaptureStatus
    | TimeSync
)
Handshake = (
    CommandAck | ParamValue | MissionCount | MissionRequest | MissionItemMessage | MissionAck
)
Transfer = LogEntry | LogData | FtpPacket
Inbound = Telemetry | Handshake | Transfer
Outbound = (
    GroundHeartbeat
    | CommandLong
    | ParamRead
    | ParamSet
    | MissionCount
    | MissionRequest
    | MissionItemMessage
    | MissionAck
    | MissionRequestList
    | MissionClear
    | LogListRequest
    | LogDataRequest
    | LogEnd
    | FtpPacket
    | TimeSync
)
