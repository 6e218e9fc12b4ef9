"""A ground station on a real socket that knows of the vehicle only what MAVLink tells.

It is made of pymavlink and shares nothing with the controller or the simulator, so that a claim
that it proves of one vehicle can be asked of any other.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mav

PATIENCE_S = 90.0
"""Of the wall clock; a vehicle that needs longer does not do it."""
REPEAT_S = 1.0
TALK_S = 0.1
"""Between our heartbeats: a vehicle ten times our speed hears one a second."""
_AUTOPILOT = 1
"""The component of every autopilot."""


@dataclass(frozen=True, slots=True)
class Item:
    """A mission item as it goes over the link."""

    command: int
    frame: int = 3
    lat_deg: float = 0.0
    lon_deg: float = 0.0
    up_m: float = 0.0
    params: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def wire(self) -> tuple[int, int, int, float]:
        """What must read back: command, place in 1e-7 degrees, height."""
        return self.command, round(self.lat_deg * 1e7), round(self.lon_deg * 1e7), self.up_m


class Client:
    """One connection to one vehicle."""

    def __init__(self, link: str) -> None:
        kind, host, port = link.split(":")
        self._mav = mav.MAVLink(None, srcSystem=255, srcComponent=190)
        self._mav.robust_parsing = True
        self._peer: tuple[str, int] | None = None
        self._to = (0, 0)
        self._tcp = kind == "tcp"
        self._socket = _dialled(host, int(port)) if self._tcp else _listening(host, int(port))
        self._socket.settimeout(0.02)
        self.received: list[Any] = []
        self._latest: dict[str, Any] = {}
        self.talking = True
        self._talked_at_s = 0.0
        self.vehicle_s = 0.0
        self.standing = (0.0, 0.0, 0.0)

    def __enter__(self) -> Client:
        """Rates asked for; its clock and its place known."""
        self.wait(lambda: self.of("HEARTBEAT"), "no heartbeat")
        self.rate(mav.MAVLINK_MSG_ID_SYSTEM_TIME, 10.0)
        self.rate(mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, 5.0)
        self.rate(mav.MAVLINK_MSG_ID_SYS_STATUS, 2.0)
        self.wait(lambda: any(one.lat for one in self.of("GLOBAL_POSITION_INT")), "no place")
        self.standing = self.place
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    # What comes in

    @property
    def system_id(self) -> int:
        """The vehicle's."""
        return self._to[0]

    def of(self, kind: str) -> list[Any]:
        """Messages of one kind since the last `clear`."""
        return [message for message in self.received if message.get_type() == kind]

    def last(self, kind: str) -> Any:
        """The latest message of one kind, whether it was forgotten or not."""
        return self._latest[kind]

    def texts(self) -> list[str]:
        """What the vehicle said in words."""
        return [message.text for message in self.of("STATUSTEXT")]

    def clear(self) -> None:
        """Forget what came in."""
        self.received.clear()

    def pump(self) -> None:
        """Take what has come in; speak when it is time to."""
        now_s = time.monotonic()
        if self.talking and now_s - self._talked_at_s >= TALK_S:
            self._talked_at_s = now_s
            self.send(mav.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3))
        for message in self._mav.parse_buffer(self._read()) or []:
            if message.get_type() == "BAD_DATA" or message.get_srcComponent() != _AUTOPILOT:
                continue
            self.received.append(message)
            self._latest[message.get_type()] = message
            self._to = (message.get_srcSystem(), _AUTOPILOT)
            if message.get_type() in ("SYSTEM_TIME", "GLOBAL_POSITION_INT"):
                self.vehicle_s = max(self.vehicle_s, message.time_boot_ms / 1000.0)

    def _read(self) -> bytes:
        try:
            if self._tcp:
                return self._socket.recv(1 << 16)
            data, self._peer = self._socket.recvfrom(1 << 16)
        except TimeoutError:
            return b""
        return data

    def wait(self, done: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
        """What ``done`` gives once it gives anything."""
        until_s = time.monotonic() + limit_s
        while not (found := done()):
            assert time.monotonic() < until_s, f"{what}; the vehicle said {self.texts()[-5:]}"
            self.pump()
        return found

    def run(self, seconds: float) -> None:
        """Let time pass on the vehicle's clock."""
        until_s = self.vehicle_s + seconds
        self.wait(lambda: self.vehicle_s >= until_s, f"its clock does not pass {until_s:.1f} s")

    @property
    def mode(self) -> int:
        """The autopilot's number of its mode."""
        return int(self.last("HEARTBEAT").custom_mode)

    @property
    def armed(self) -> bool:
        """Whether the motors turn, as far as was said."""
        return bool(self.last("HEARTBEAT").base_mode & mav.MAV_MODE_FLAG_SAFETY_ARMED)

    @property
    def place(self) -> tuple[float, float, float]:
        """Latitude, longitude, height above home in metres."""
        found = self.last("GLOBAL_POSITION_INT")
        return found.lat / 1e7, found.lon / 1e7, found.relative_alt / 1000.0

    # What goes out

    def send(self, message: Any) -> None:
        """Send, when somebody is there."""
        data = message.pack(self._mav)
        if self._tcp:
            self._socket.sendall(data)
        elif self._peer is not None:
            self._socket.sendto(data, self._peer)

    def command(self, command: int, *params: float) -> int:
        """The result of a COMMAND_LONG; repeated until it is answered."""
        given = [*params, *(0.0,) * (7 - len(params))]
        begun = len(self.received)

        def answered() -> list[int]:
            fresh = (one for one in self.received[begun:] if one.get_type() == "COMMAND_ACK")
            done = [one.result for one in fresh if one.command == command]
            return [one for one in done if one != mav.MAV_RESULT_IN_PROGRESS]

        def ask() -> None:
            self.send(mav.MAVLink_command_long_message(*self._to, command, 0, *given))

        return int(self.asked(ask, answered, f"command {command} is not answered")[0])

    def asked(self, ask: Callable[[], None], answered: Callable[[], Any], what: str) -> Any:
        """The answer to something asked again every second."""
        until_s = time.monotonic() + PATIENCE_S
        asked_s = -REPEAT_S
        while not (found := answered()):
            now_s = time.monotonic()
            assert now_s < until_s, f"{what}; the vehicle said {self.texts()[-5:]}"
            if now_s - asked_s >= REPEAT_S:
                asked_s = now_s
                ask()
            self.pump()
        return found

    def rate(self, message_id: int, rate_hz: float) -> None:
        """Ask for a message."""
        assert self.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, 1e6 / rate_hz) == 0

    def param(self, name: str, *, within_s: float = PATIENCE_S) -> float | None:
        """A parameter's value; None where nothing is answered in that time."""
        self.clear()
        self.send(mav.MAVLink_param_request_read_message(*self._to, name.encode(), -1))
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            self.pump()
            for one in self.of("PARAM_VALUE"):
                if one.param_id == name:
                    return float(one.param_value)
        return None

    def set_param(self, name: str, value: float) -> None:
        """Set a parameter and see that it holds."""

        def ask() -> None:
            self.send(mav.MAVLink_param_set_message(*self._to, name.encode(), value, 9))

        def told() -> bool:
            return any(
                one.param_id == name and abs(one.param_value - value) < 1e-4
                for one in self.of("PARAM_VALUE")
            )

        self.clear()
        self.asked(ask, told, f"{name} does not take {value}")

    # Missions

    def item_message(self, seq: int, item: Item, kind: int = 0) -> Any:
        """An item as a message."""
        command, x, y, up_m = item.wire
        return mav.MAVLink_mission_item_int_message(
            *self._to, seq, item.frame, command, 0, 1, *item.params, x, y, up_m, kind
        )

    def upload(self, items: Sequence[Item], kind: int = 0) -> int:
        """Upload as the vehicle asks; the final acknowledgement's type."""
        self.clear()
        answered = 0

        def count() -> None:
            if not answered:
                self.send(mav.MAVLink_mission_count_message(*self._to, len(items), kind))

        def step() -> list[Any]:
            nonlocal answered
            wanted = [m for m in self.received if m.get_type() in _REQUESTS]
            for request in wanted[answered:]:
                self.send(self.item_message(request.seq, items[request.seq], kind))
            answered = len(wanted)
            return self.of("MISSION_ACK")

        return int(self.asked(count, step, "the upload is not acknowledged")[-1].type)

    def download(self, kind: int = 0) -> list[Any]:
        """All items, one after the other."""
        self.clear()

        def list_asked() -> None:
            self.send(mav.MAVLink_mission_request_list_message(*self._to, kind))

        count = self.asked(list_asked, lambda: self.of("MISSION_COUNT"), "no count")[-1].count
        items: dict[int, Any] = {}
        for seq in range(count):

            def ask(seq: int = seq) -> None:
                self.send(mav.MAVLink_mission_request_int_message(*self._to, seq, kind))

            def came(seq: int = seq) -> list[Any]:
                return [one for one in self.of("MISSION_ITEM_INT") if one.seq == seq]

            items[seq] = self.asked(ask, came, f"item {seq} does not come")[-1]
        self.send(mav.MAVLink_mission_ack_message(*self._to, 0, kind))
        return [items[seq] for seq in range(count)]


_REQUESTS = ("MISSION_REQUEST", "MISSION_REQUEST_INT")


def _dialled(host: str, port: int) -> socket.socket:
    """A connection; a process that was just started needs a moment to listen."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection((host, port), 10.0)
        except ConnectionRefusedError:
            assert time.monotonic() < until_s, f"nobody listens on port {port}"
            time.sleep(0.05)


def _listening(host: str, port: int) -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((host, port))
    return own
