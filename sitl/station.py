"""The vehicle's MAVLink side: which message does what, and what goes out to whom.

One `Station` per vehicle, with any number of channels; it knows no sockets.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot
from sitl.blackbox import Blackbox
from sitl.cameraprotocol import CAMERA_COMPONENT, image_captured, set_attitude, set_pitch_yaw
from sitl.channel import AUTOPILOT_COMPONENT, Channel, param_value
from sitl.commands import execute, order_of, set_mode
from sitl.events import Event, HomeSet, ParamSet, Photo, Reached, Text
from sitl.filetransfer import FileServer
from sitl.items import MISSION_SPECS, Cmd, Frame, MissionItem, Result, as_int32, refusal
from sitl.logserver import LogServer
from sitl.missionstore import (
    FENCE_TYPE,
    MISSION_TYPE,
    RALLY_TYPE,
    Ack,
    Ask,
    Count,
    ItemAt,
    MissionExchange,
    Peer,
    Reply,
)
from sitl.modes import Guided, VelocityTarget
from sitl.ridtransmitter import Transmitter
from sitl.streams import BUILDERS, STREAMS
from sitl.telemetry import Message
from sitl.transmitter import CHANNELS

STORAGE_READY_S = 1.5
"""An upload about a second after boot was answered NO_SPACE."""
PARAM_CHANGED_INDEX = 65535
"""What a real one puts as index when it tells of a changed parameter."""
BANNER = (
    "ArduCopter V4.7.0-dev (90700977)",
    "3d1219c7c4c5404aaa1f6d2a48adfda4",
    "Frame: QUAD/PLUS",
)
ITEM_GUIDED, ITEM_NEW_HEIGHT = 2, 3
"""MISSION_ITEM.current values that mean "fly there now" and "change to this height"."""

IGNORE_POSITION = 0x0007
IGNORE_VELOCITY = 0x0038
UINT16_MAX = 65535
FASTEST_TARGET_MPS = 50.0


class Station:
    """Everything between a vehicle and its ground stations."""

    def __init__(self, ap: Autopilot) -> None:
        self.ap = ap
        self.channels: dict[int, Channel] = {}
        self._next_channel = 0
        self.blackbox = Blackbox()
        self.logs = LogServer(ap, self.blackbox)
        self.files = FileServer(ap, self.blackbox)
        self.transmitter = Transmitter()
        self._exchanges = {
            MISSION_TYPE: MissionExchange(ap.mission_items, ap.say),
            FENCE_TYPE: MissionExchange(ap.fence_items, ap.say),
            RALLY_TYPE: MissionExchange(ap.rally_items, ap.say),
        }
        self._handlers: dict[str, Callable[[Channel, Message], None]] = {
            "HEARTBEAT": self._on_heartbeat,
            "COMMAND_LONG": self._on_command,
            "COMMAND_INT": self._on_command,
            "SET_MODE": self._on_set_mode,
            "PARAM_REQUEST_LIST": self._on_param_list,
            "PARAM_REQUEST_READ": self._on_param_read,
            "PARAM_SET": self._on_param_set,
            "MISSION_COUNT": self._on_mission_count,
            "MISSION_WRITE_PARTIAL_LIST": self._on_mission_partial,
            "MISSION_ITEM": self._on_mission_item,
            "MISSION_ITEM_INT": self._on_mission_item,
            "MISSION_REQUEST_LIST": self._on_mission_request_list,
            "MISSION_REQUEST": self._on_mission_request,
            "MISSION_REQUEST_INT": self._on_mission_request,
            "MISSION_CLEAR_ALL": self._on_mission_clear,
            "MISSION_SET_CURRENT": self._on_mission_set_current,
            "REQUEST_DATA_STREAM": self._on_data_stream,
            "TIMESYNC": self._on_timesync,
            "PING": self._on_ping,
            "RC_CHANNELS_OVERRIDE": self._on_rc_override,
            "MANUAL_CONTROL": self._on_manual_control,
            "SET_POSITION_TARGET_GLOBAL_INT": self._on_target_global,
            "SET_POSITION_TARGET_LOCAL_NED": self._on_target_local,
            "AUTOPILOT_VERSION_REQUEST": self._on_version_request,
            "GIMBAL_MANAGER_SET_PITCHYAW": lambda _, message: set_pitch_yaw(ap, message),
            "GIMBAL_MANAGER_SET_ATTITUDE": lambda _, message: set_attitude(ap, message),
            "LOG_REQUEST_LIST": self.logs.on_list,
            "LOG_REQUEST_DATA": self.logs.on_data,
            "LOG_REQUEST_END": self.logs.on_end,
            "LOG_ERASE": self.logs.on_erase,
            "FILE_TRANSFER_PROTOCOL": self.files.on_message,
        }

    # --- connections ----------------------------------------------------------------------

    def open(self, send: Callable[[bytes], None]) -> Channel:
        """A new connection."""
        self._next_channel += 1
        channel = Channel(self._next_channel, self.ap.setup.sysid, send)
        self.channels[channel.number] = channel
        return channel

    def close(self, channel: Channel) -> None:
        """The connection is gone."""
        self.channels.pop(channel.number, None)
        for exchange in self._exchanges.values():
            exchange.on_gone(channel.number)
        self.logs.on_gone(channel)
        self.files.on_gone(channel)

    def receive(self, channel: Channel, data: bytes) -> None:
        """Bytes from a ground station."""
        for message in channel.parse(data):
            self.handle(channel, message)

    def handle(self, channel: Channel, message: Message) -> None:
        """One message from a ground station."""
        target = getattr(message, "target_system", 0)
        if target not in (0, self.ap.setup.sysid):
            return
        handler = self._handlers.get(message.get_type())
        if handler is not None:
            handler(channel, message)
        self.tell()

    def poll(self) -> None:
        """Sends what time has brought."""
        for exchange in self._exchanges.values():
            if exchange.receiving:
                self._reply(exchange.poll(self.ap.t_s), exchange)
        self.tell()
        self.logs.poll()
        self.files.poll()
        health = int(self.ap.params["SIM_ODID"])
        self.transmitter.poll(self.ap.t_s, health, self.channels.values())
        for channel in self.channels.values():
            channel.poll(self.ap)

    def tell(self) -> None:
        """Sends what the vehicle has to say to everybody, and logs it on board."""
        self.blackbox.run(self.ap, self.ap.events)
        if not self.ap.events:
            return
        events, self.ap.events = self.ap.events, []
        for event in events:
            for message in self._messages(event):
                for channel in self.channels.values():
                    channel.send(message)
            if isinstance(event, Photo) and self.ap.params["SIM_CAM_V2"] == 1:
                report = image_captured(self.ap, event)
                self.ap.shutter.reports[report.image_index] = report
                for channel in self.channels.values():
                    channel.send(report, component=CAMERA_COMPONENT)

    def _messages(self, event: Event) -> list[Message]:
        ap = self.ap
        match event:
            case Text(severity, text):
                return [mav.MAVLink_statustext_message(severity, text.encode("ascii")[:50])]
            case Reached(seq):
                return [mav.MAVLink_mission_item_reached_message(seq)]
            case HomeSet():
                origin = BUILDERS[mav.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN](ap)
                return [origin, BUILDERS[mav.MAVLINK_MSG_ID_HOME_POSITION](ap)]
            case ParamSet(name):
                param = ap.params.find(name)
                assert param is not None
                return [param_value(ap, param.index, told_index=PARAM_CHANGED_INDEX)]
            case Photo():
                return [_camera_feedback(ap, event)]

    # --- small talk -----------------------------------------------------------------------

    def _on_heartbeat(self, channel: Channel, message: Message) -> None:
        if message.get_srcSystem() == int(self.ap.params["MAV_GCS_SYSID"]):
            self.ap.failsafe.heard_gcs(self.ap.t_s)

    def _on_timesync(self, channel: Channel, message: Message) -> None:
        if message.tc1 == 0:
            channel.send(mav.MAVLink_timesync_message(int(self.ap.t_s * 1e9), message.ts1))

    def _on_ping(self, channel: Channel, message: Message) -> None:
        if message.target_system == 0:
            channel.send(
                mav.MAVLink_ping_message(
                    message.time_usec,
                    message.seq,
                    message.get_srcSystem(),
                    message.get_srcComponent(),
                )
            )

    def _on_version_request(self, channel: Channel, message: Message) -> None:
        channel.send(BUILDERS[mav.MAVLINK_MSG_ID_AUTOPILOT_VERSION](self.ap))

    def _on_data_stream(self, channel: Channel, message: Message) -> None:
        groups = STREAMS if message.req_stream_id == 0 else {message.req_stream_id}
        on = message.start_stop == 1 and message.req_message_rate > 0
        interval_s = 1.0 / message.req_message_rate if on else 0.0
        for group in groups:
            for message_id in STREAMS.get(group, ()):
                channel.set_interval(message_id, interval_s, self.ap.t_s)

    # --- commands -------------------------------------------------------------------------

    def _on_command(self, channel: Channel, message: Message) -> None:
        if message.target_component not in (0, AUTOPILOT_COMPONENT):
            return
        result = execute(self.ap, channel, order_of(message))
        self._ack(channel, message, message.command, int(result))

    def _on_set_mode(self, channel: Channel, message: Message) -> None:
        result = set_mode(self.ap, message.custom_mode)
        self._ack(channel, message, mav.MAVLINK_MSG_ID_SET_MODE, int(result))

    def _ack(self, channel: Channel, message: Message, command: int, result: int) -> None:
        channel.send(
            mav.MAVLink_command_ack_message(
                command, result, 0, 0, message.get_srcSystem(), message.get_srcComponent()
            )
        )

    # --- parameters -----------------------------------------------------------------------

    def _on_param_list(self, channel: Channel, message: Message) -> None:
        for text in BANNER:
            channel.send(mav.MAVLink_statustext_message(6, text.encode("ascii")))
        channel.send_params()

    def _on_param_read(self, channel: Channel, message: Message) -> None:
        if message.param_index >= 0:
            param = self.ap.params.at(message.param_index)
        else:
            param = self.ap.params.find(message.param_id)
        if param is not None:
            channel.send(param_value(self.ap, param.index))

    def _on_param_set(self, channel: Channel, message: Message) -> None:
        self.ap.set_param(message.param_id, message.param_value)

    # --- missions -------------------------------------------------------------------------

    def _on_mission_count(self, channel: Channel, message: Message) -> None:
        if exchange := self._exchange(channel, message):
            ready = self.ap.t_s >= STORAGE_READY_S
            peer = _peer(channel, message)
            replies = exchange.on_count(peer, message.count, self.ap.t_s, storage_ready=ready)
            self._reply(replies, exchange)

    def _on_mission_partial(self, channel: Channel, message: Message) -> None:
        if exchange := self._exchange(channel, message):
            peer, now_s = _peer(channel, message), self.ap.t_s
            first, last = message.start_index, message.end_index
            self._reply(exchange.on_partial(peer, first, last, now_s), exchange)

    def _on_mission_item(self, channel: Channel, message: Message) -> None:
        item = _item_of(message)
        if message.current in (ITEM_GUIDED, ITEM_NEW_HEIGHT):
            self._fly_item_now(channel, message, item)
        elif exchange := self._exchange(channel, message):
            peer, now_s = _peer(channel, message), self.ap.t_s
            self._reply(exchange.on_item(peer, message.seq, item, now_s), exchange)

    def _fly_item_now(self, channel: Channel, message: Message, item: MissionItem) -> None:
        why = refusal(item, MISSION_SPECS)
        if why is None:
            east, north = self.ap.frame.metres(item.lat_deg, item.lon_deg)
            if message.current == ITEM_NEW_HEIGHT:
                east, north, _ = self.ap.position
            done = self.ap.go_to(east, north, self.ap.up_of(item.z, Frame(item.frame)))
            why = Result.ACCEPTED if done else Result.ERROR
        self._mission_ack(channel, message, int(why), MISSION_TYPE)

    def _on_mission_request_list(self, channel: Channel, message: Message) -> None:
        if exchange := self._exchange(channel, message):
            self._reply(exchange.on_request_list(_peer(channel, message)), exchange)

    def _on_mission_request(self, channel: Channel, message: Message) -> None:
        if exchange := self._exchange(channel, message):
            as_int = message.get_type() == "MISSION_REQUEST_INT"
            peer = _peer(channel, message)
            self._reply(exchange.on_request(peer, message.seq, as_int=as_int), exchange)

    def _on_mission_clear(self, channel: Channel, message: Message) -> None:
        if exchange := self._exchange(channel, message):
            self._reply(exchange.on_clear(_peer(channel, message)), exchange)

    def _on_mission_set_current(self, channel: Channel, message: Message) -> None:
        if self.ap.mission_run.set_current(self.ap, message.seq):
            channel.send(BUILDERS[mav.MAVLINK_MSG_ID_MISSION_CURRENT](self.ap))

    def _exchange(self, channel: Channel, message: Message) -> MissionExchange | None:
        exchange = self._exchanges.get(message.mission_type)
        if exchange is None:
            self._mission_ack(channel, message, mav.MAV_MISSION_UNSUPPORTED, message.mission_type)
        return exchange

    def _reply(self, replies: list[Reply], exchange: MissionExchange) -> None:
        kind = next(k for k, v in self._exchanges.items() if v is exchange)
        for reply in replies:
            channel = self.channels.get(reply.peer.channel)
            if channel is not None:
                channel.send(_mission_message(reply, kind))

    def _mission_ack(self, channel: Channel, message: Message, result: int, kind: int) -> None:
        channel.send(
            mav.MAVLink_mission_ack_message(
                message.get_srcSystem(), message.get_srcComponent(), result, kind
            )
        )

    # --- sticks and targets ---------------------------------------------------------------

    def _on_rc_override(self, channel: Channel, message: Message) -> None:
        raw = [getattr(message, f"chan{i}_raw") for i in range(1, CHANNELS + 1)]
        given = {i: float(value) for i, value in enumerate(raw) if value != UINT16_MAX}
        self.ap.rc.override(given, self.ap.t_s + self.ap.params["RC_OVERRIDE_TIME"])

    def _on_manual_control(self, channel: Channel, message: Message) -> None:
        if message.target != self.ap.setup.sysid:
            return
        given = {
            0: 1500.0 + message.y * 0.5,
            1: 1500.0 - message.x * 0.5,
            2: 1000.0 + message.z,
            3: 1500.0 + message.r * 0.5,
        }
        self.ap.rc.override(given, self.ap.t_s + self.ap.params["RC_OVERRIDE_TIME"])

    def _on_target_global(self, channel: Channel, message: Message) -> None:
        east, north = self.ap.frame.metres(message.lat_int * 1e-7, message.lon_int * 1e-7)
        frame = message.coordinate_frame
        if frame in Frame.__members__.values():
            self._target(message, east, north, self.ap.up_of(message.alt, Frame(frame)))

    def _on_target_local(self, channel: Channel, message: Message) -> None:
        if message.coordinate_frame == mav.MAV_FRAME_LOCAL_NED:
            self._target(message, message.y, message.x, -message.z)

    def _target(self, message: Message, east: float, north: float, up: float) -> None:
        ap, mask = self.ap, message.type_mask
        if not isinstance(ap.controller, Guided):
            return
        if not mask & IGNORE_POSITION:
            ap.go_to(east, north, up)
        elif not mask & IGNORE_VELOCITY:
            velocity = (message.vy, message.vx, -message.vz)
            if all(abs(value) < FASTEST_TARGET_MPS for value in velocity):
                until_s = ap.t_s + ap.params["GUID_TIMEOUT"]
                ap.controller.velocity = VelocityTarget(*velocity, until_s)


def _peer(channel: Channel, message: Message) -> Peer:
    return Peer(channel.number, message.get_srcSystem(), message.get_srcComponent())


def _item_of(message: Message) -> MissionItem:
    """The item in a MISSION_ITEM or MISSION_ITEM_INT."""
    x, y = message.x, message.y
    if message.get_type() == "MISSION_ITEM":
        spec = MISSION_SPECS.get(message.command)
        located = (spec is not None and spec.location) or message.command >= Cmd.FENCE_RETURN_POINT
        scale = 1e7 if located else 1.0
        x, y = as_int32(x * scale), as_int32(y * scale)
    return MissionItem(
        message.command,
        message.frame,
        message.param1,
        message.param2,
        message.param3,
        message.param4,
        x,
        y,
        message.z,
        message.autocontinue,
    )


def _mission_message(reply: Reply, kind: int) -> Message:
    to = (reply.peer.sysid, reply.peer.compid)
    match reply.body:
        case Ask(seq):
            return mav.MAVLink_mission_request_message(*to, seq, kind)
        case Ack(result):
            return mav.MAVLink_mission_ack_message(*to, int(result), kind)
        case Count(count):
            return mav.MAVLink_mission_count_message(*to, count, kind)
        case ItemAt(seq, item, as_int):
            return _item_message(to, seq, item, kind, as_int=as_int)


def _item_message(
    to: tuple[int, int], seq: int, item: MissionItem, kind: int, *, as_int: bool
) -> Message:
    head = (*to, seq, item.frame, item.command, 0, item.autocontinue)
    params = (item.param1, item.param2, item.param3, item.param4)
    if as_int:
        return mav.MAVLink_mission_item_int_message(*head, *params, item.x, item.y, item.z, kind)
    spec = MISSION_SPECS.get(item.command)
    scale = 1e-7 if kind != MISSION_TYPE or (spec is not None and spec.location) else 1.0
    x, y = item.x * scale, item.y * scale
    return mav.MAVLink_mission_item_message(*head, *params, x, y, item.z, kind)


def _camera_feedback(ap: Autopilot, photo: Photo) -> Message:
    """CAMERA_FEEDBACK; the angles are the airframe's, not the gimbal's."""
    lat_deg, lon_deg = ap.frame.degrees(photo.position[0], photo.position[1])
    body = ap.body
    return mav.MAVLink_camera_feedback_message(
        int(photo.at.timestamp() * 1e6),
        0,
        0,
        photo.index,
        round(lat_deg * 1e7),
        round(lon_deg * 1e7),
        ap.frame.alt_amsl_m(photo.position[2]),
        photo.position[2] - (ap.home[2] if ap.home else 0.0),
        math.degrees(body.roll_rad),
        math.degrees(body.pitch_rad),
        math.degrees(body.yaw_rad) % 360.0,
        0.0,
        0,
        0,
    )
