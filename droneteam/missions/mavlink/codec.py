"""MAVLink packets ↔ messages in this project's units; the only place with scaled integers."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import DecodeError
from droneteam.missions.items import MissionType, WireItem
from droneteam.missions.mavlink import messages as m
from droneteam.missions.mavlink.framing import Frame

GROUND_SYSTEM_ID = 255
GROUND_COMPONENT_ID = 190
_PREARM_BIT = 0x10000000  # MAV_SYS_STATUS_PREARM_CHECK
_EKF_ABSOLUTE = 16  # EKF_POS_HORIZ_ABS
_EKF_CONSTANT = 128  # EKF_CONST_POS_MODE
_ARMED_BIT = 128  # MAV_MODE_FLAG_SAFETY_ARMED
_YAW_IN_VEHICLE_FRAME = 32  # GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
_YAW_LOCK = 16
_YAW_IN_EARTH_FRAME = 64
_ODID_COMPONENTS = frozenset({236, 237, 238})  # MAV_COMP_ID_ODID_TXRX_1…3
_REMOTE_ID_GOOD = 0  # MAV_ODID_ARM_STATUS_GOOD_TO_ARM
_GCS = 6  # MAV_TYPE_GCS
_NO_AUTOPILOT = 8  # MAV_AUTOPILOT_INVALID
_REAL32 = 9  # MAV_PARAM_TYPE_REAL32
_POSITIONED = frozenset({16, 17, 18, 19, 21, 22, 82, 85, 195, 201, 5000, 5001, 5002, 5003, 5004})
"""Commands whose x and y are degrees × 1e7 on the wire; 5100…5101 (rally) too."""


def heartbeat_of_autopilot(frame: Frame) -> bool:
    """Whether the packet is the heartbeat of a vehicle's autopilot, not of a ground station."""
    if frame.message_id != 0:
        return False
    heartbeat = decode_raw(frame)
    return bool(heartbeat.type != _GCS and heartbeat.autopilot != _NO_AUTOPILOT)


def heartbeat_of_transmitter(frame: Frame) -> bool:
    """Whether the packet is the heartbeat of a Remote ID transmitter on the vehicle."""
    return frame.message_id == 0 and frame.component_id in _ODID_COMPONENTS


def decode_raw(frame: Frame) -> Any:
    """pymavlink's message object of a packet.

    Raises
    ------
    DecodeError
        When the payload does not fit the message.
    """
    try:
        return _DECODER.decode(bytearray(frame.raw))
    except dialect.MAVError as error:
        raise DecodeError(f"message {frame.message_id}: {error}") from error


_DECODER = dialect.MAVLink(None)


def decode(frame: Frame) -> m.Inbound | None:
    """The message, or None for one that nothing here asks for.

    Raises
    ------
    DecodeError
        When the payload does not fit the message, or holds values outside their range.
    """
    reader = _READERS.get(frame.message_id)
    if reader is None:
        return None
    try:
        return reader(decode_raw(frame))
    except (ValueError, OverflowError, OSError) as error:
        raise DecodeError(f"message {frame.message_id}: {error}") from error


def _unix(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def _heartbeat(x: Any) -> m.Heartbeat:
    return m.Heartbeat(
        mode=x.custom_mode,
        armed=bool(x.base_mode & _ARMED_BIT),
        system_status=x.system_status,
    )


def _system_status(x: Any) -> m.SystemStatus:
    return m.SystemStatus(
        battery_pct=None if x.battery_remaining < 0 else float(x.battery_remaining),
        voltage_v=None if x.voltage_battery in (0, 65535) else x.voltage_battery / 1e3,
        prearm_ok=bool(x.onboard_control_sensors_health & _PREARM_BIT),
    )


def _position(x: Any) -> m.Position:
    return m.Position(
        boot_s=x.time_boot_ms / 1e3,
        lat_deg=x.lat / 1e7,
        lon_deg=x.lon / 1e7,
        alt_amsl_m=x.alt / 1e3,
        alt_home_m=x.relative_alt / 1e3,
        north_mps=x.vx / 1e2,
        east_mps=x.vy / 1e2,
        down_mps=x.vz / 1e2,
        yaw_deg=x.hdg / 1e2 if x.hdg != 65535 else 0.0,
    )


def _attitude(x: Any) -> m.Attitude:
    return m.Attitude(
        boot_s=x.time_boot_ms / 1e3,
        roll_deg=math.degrees(x.roll),
        pitch_deg=math.degrees(x.pitch),
        yaw_deg=math.degrees(x.yaw) % 360.0,
    )


def _ekf(x: Any) -> m.EkfStatus:
    return m.EkfStatus(bool(x.flags & _EKF_ABSOLUTE) and not x.flags & _EKF_CONSTANT)


def _system_time(x: Any) -> m.SystemTime:
    known = x.time_unix_usec > 0
    return m.SystemTime(_unix(x.time_unix_usec) if known else None, x.time_boot_ms / 1e3)


def _gimbal(x: Any) -> m.GimbalAttitude:
    roll, pitch, yaw = _euler_deg(x.q)
    from_north = bool(x.flags & _YAW_IN_EARTH_FRAME) or (
        bool(x.flags & _YAW_LOCK) and not x.flags & _YAW_IN_VEHICLE_FRAME
    )
    return m.GimbalAttitude(x.time_boot_ms / 1e3, roll, pitch, yaw, from_north)


def _euler_deg(q: Sequence[float]) -> tuple[float, float, float]:
    """Roll, pitch, yaw of a quaternion (w, x, y, z), aerospace order."""
    w, x, y, z = q
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x))))
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return math.degrees(roll), math.degrees(pitch), math.degrees(yaw)


def _camera_feedback(x: Any) -> m.CameraFeedback:
    return m.CameraFeedback(
        at=_unix(x.time_usec),
        index=x.img_idx,
        lat_deg=x.lat / 1e7,
        lon_deg=x.lng / 1e7,
        alt_amsl_m=x.alt_msl,
        alt_home_m=x.alt_rel,
        roll_deg=x.roll,
        pitch_deg=x.pitch,
        yaw_deg=x.yaw % 360.0,
    )


def _image_captured(x: Any) -> m.ImageCaptured:
    roll, pitch, yaw = _euler_deg(x.q)
    shot = m.CameraFeedback(
        at=_unix(x.time_utc),
        index=x.image_index + 1,
        lat_deg=x.lat / 1e7,
        lon_deg=x.lon / 1e7,
        alt_amsl_m=x.alt / 1e3,
        alt_home_m=x.relative_alt / 1e3,
        roll_deg=roll,
        pitch_deg=pitch,
        yaw_deg=yaw % 360.0,
    )
    return m.ImageCaptured(shot, saved=x.capture_result == 1)


def _camera_information(x: Any) -> m.CameraInformation:
    return m.CameraInformation(
        vendor=_words(x.vendor_name),
        model=_words(x.model_name),
        focal_mm=_told(x.focal_length),
        sensor_width_mm=_told(x.sensor_size_h),
        width_px=x.resolution_h,
        height_px=x.resolution_v,
    )


def _words(characters: Sequence[int]) -> str:
    """Text of a zero-ended array of bytes."""
    return bytes(characters).split(b"\0")[0].decode("utf-8", "replace")


def _told(value: float) -> float | None:
    """A length, or None for the zero or NaN that stands for "not known"."""
    return value if math.isfinite(value) and value > 0.0 else None


def _percent(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _log_entry(x: Any) -> m.LogEntry:
    began_at = _unix(x.time_utc * 1_000_000) if x.time_utc else None
    return m.LogEntry(x.id, x.num_logs, x.last_log_num, began_at, x.size)


_FTP_HEAD = struct.Struct("<HBBBBBxI")
"""Sequence number, session, opcode, size, request's opcode, end of burst, padding, offset."""
_FTP_BYTES = 251


def _ftp_packet(x: Any) -> m.FtpPacket:
    payload = bytes(x.payload).ljust(_FTP_BYTES, b"\0")
    seq, session, opcode, size, req_opcode, complete, offset = _FTP_HEAD.unpack_from(payload)
    data = payload[_FTP_HEAD.size :][:size]
    return m.FtpPacket(seq, session, opcode, size, offset, data, req_opcode, bool(complete))


def _ftp_payload(packet: m.FtpPacket) -> bytes:
    head = _FTP_HEAD.pack(
        packet.seq, packet.session, packet.opcode, packet.size, packet.req_opcode,
        packet.burst_complete, packet.offset,
    )  # fmt: skip
    return (head + packet.data).ljust(_FTP_BYTES, b"\0")


def _wire_item(x: Any) -> m.MissionItemMessage:
    scale = 1e7 if _has_position(x.command) else 1.0
    item = WireItem(
        seq=x.seq,
        frame=x.frame,
        command=x.command,
        params=(x.param1, x.param2, x.param3, x.param4),
        x=x.x / scale,
        y=x.y / scale,
        z=x.z,
        mission_type=MissionType(x.mission_type),
        current=bool(x.current),
    )
    return m.MissionItemMessage(item)


def _has_position(command: int) -> bool:
    return command in _POSITIONED or command in (5100, 5101)


_READERS: dict[int, Callable[[Any], m.Inbound]] = {
    0: _heartbeat,
    1: _system_status,
    2: _system_time,
    22: lambda x: m.ParamValue(x.param_id, x.param_value),
    24: lambda x: m.GpsFix(x.fix_type, x.satellites_visible),
    30: _attitude,
    33: _position,
    40: lambda x: m.MissionRequest(x.seq, MissionType(x.mission_type)),
    42: lambda x: m.MissionCurrent(x.seq),
    44: lambda x: m.MissionCount(x.count, MissionType(x.mission_type)),
    46: lambda x: m.ItemReached(x.seq),
    47: lambda x: m.MissionAck(x.type, MissionType(x.mission_type)),
    51: lambda x: m.MissionRequest(x.seq, MissionType(x.mission_type)),
    73: _wire_item,
    77: lambda x: m.CommandAck(x.command, x.result, x.progress),
    110: _ftp_packet,
    111: lambda x: m.TimeSync(x.tc1, x.ts1),
    118: _log_entry,
    120: lambda x: m.LogData(x.id, x.ofs, bytes(x.data[: x.count])),
    180: _camera_feedback,
    193: _ekf,
    242: lambda x: m.HomePosition(x.latitude / 1e7, x.longitude / 1e7, x.altitude / 1e3),
    259: _camera_information,
    260: lambda x: m.CameraSettings(x.mode_id, _percent(x.zoomLevel), _percent(x.focusLevel)),
    280: lambda x: m.GimbalManagerInformation(
        x.gimbal_device_id, math.degrees(x.pitch_min), math.degrees(x.pitch_max)
    ),
    281: lambda x: m.GimbalManagerStatus(
        x.gimbal_device_id, x.primary_control_sysid, x.primary_control_compid
    ),
    262: lambda x: m.CaptureStatus(x.image_count, x.image_status != 0, x.time_boot_ms / 1e3),
    263: _image_captured,
    253: lambda x: m.StatusText(x.severity, x.text),
    285: _gimbal,
    12918: lambda x: m.RemoteIdStatus(x.status == _REMOTE_ID_GOOD, x.error),
}


def encode(message: m.Outbound, target_system: int, target_component: int = 1) -> Any:
    """pymavlink's message object for a message, addressed to a vehicle."""
    to = (target_system, target_component)
    match message:
        case m.GroundHeartbeat():
            return dialect.MAVLink_heartbeat_message(_GCS, _NO_AUTOPILOT, 0, 0, 4, 3)
        case m.CommandLong():
            filled = (*message.params, *(0.0,) * (7 - len(message.params)))
            to = (target_system, message.component)
            return dialect.MAVLink_command_long_message(
                *to, message.command, message.confirmation, *filled
            )
        case m.ParamRead(name=name):
            return dialect.MAVLink_param_request_read_message(*to, name.encode(), -1)
        case m.ParamSet(name=name, value=value):
            return dialect.MAVLink_param_set_message(*to, name.encode(), value, _REAL32)
        case m.MissionCount(count=count, mission_type=kind):
            return dialect.MAVLink_mission_count_message(*to, count, kind)
        case m.MissionRequest(seq=seq, mission_type=kind):
            return dialect.MAVLink_mission_request_int_message(*to, seq, kind)
        case m.MissionItemMessage(item=item):
            return _encode_item(item, to)
        case m.MissionAck(result=result, mission_type=kind):
            return dialect.MAVLink_mission_ack_message(*to, result, kind)
        case m.MissionRequestList(mission_type=kind):
            return dialect.MAVLink_mission_request_list_message(*to, kind)
        case m.MissionClear(mission_type=kind):
            return dialect.MAVLink_mission_clear_all_message(*to, kind)
        case m.TimeSync(theirs_ns=theirs_ns, ours_ns=ours_ns):
            return dialect.MAVLink_timesync_message(theirs_ns, ours_ns)
    return _encode_transfer(message, to)


def _encode_transfer(
    message: m.LogListRequest | m.LogDataRequest | m.LogEnd | m.FtpPacket, to: tuple[int, int]
) -> Any:
    match message:
        case m.LogListRequest(first_id=first, last_id=last):
            return dialect.MAVLink_log_request_list_message(*to, first, last)
        case m.LogDataRequest(log_id=log_id, offset=offset, count=count):
            return dialect.MAVLink_log_request_data_message(*to, log_id, offset, count)
        case m.LogEnd():
            return dialect.MAVLink_log_request_end_message(*to)
        case m.FtpPacket():
            return dialect.MAVLink_file_transfer_protocol_message(0, *to, _ftp_payload(message))


def _encode_item(item: WireItem, to: tuple[int, int]) -> Any:
    scale = 1e7 if _has_position(item.command) else 1.0
    return dialect.MAVLink_mission_item_int_message(
        *to,
        item.seq,
        item.frame,
        item.command,
        int(item.current),
        1,
        *item.params,
        round(item.x * scale),
        round(item.y * scale),
        item.z,
        item.mission_type,
    )
