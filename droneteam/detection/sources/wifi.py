"""Wi-Fi Remote ID from an interface in monitor mode, through AF_PACKET (packet(7)).

The kernel drops everything but beacons and the action frames of NAN (a classic BPF program that
skips the radiotap header), stamps what is left, and counts what it could not keep.  Hopping
between channels is another program's work (`iw`): one radio hears one channel at a time, and a
station that must miss nothing has one per channel.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from droneteam.detection import capture, frames
from droneteam.detection.feeds import Outlet
from droneteam.detection.receivers import of_packet
from droneteam.errors import DecodeError, InputError, LinkError, SetupError

READ_S = 1.0
COUNT_S = 2.0
"""How often the kernel is asked for what it dropped."""
MAX_FRAME_BYTES = 4096
BUFFER_BYTES = 4 << 20
"""Room in the kernel for some seconds of a busy channel's beacons."""
MAX_NAME_BYTES = 15

ARPHRD_RADIOTAP = 803
_ARPHRD_NAMES = {1: "Ethernet", 801: "802.11 without radiotap", 802: "802.11 with a Prism header"}
_ETH_P_ALL = 0x0003
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 0x1
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 35
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NAN_FIRST_BYTES = 0x0409506F
"""Public action, vendor specific, and the first half of the Wi-Fi Alliance's OUI."""
_BEACON, _ACTION = 0x80, 0xD0


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of classic BPF (bpf(4)): operation, jumps when true and false, operand."""

    code: int
    when_true: int = 0
    when_false: int = 0
    k: int = 0


_LD_BYTE, _LD_BYTE_AT_X, _LD_WORD_AT_X = 0x30, 0x50, 0x40
_SHIFT_LEFT, _OR_X, _TO_X, _IF_EQUAL, _RETURN = 0x64, 0x4C, 0x07, 0x15, 0x06
_KEEP = 0x40000

REMOTE_ID_FILTER = (
    # X = length of the radiotap header, little-endian at bytes 2 and 3; loads are big-endian
    Step(_LD_BYTE, k=2),
    Step(_TO_X),
    Step(_LD_BYTE, k=3),
    Step(_SHIFT_LEFT, k=8),
    Step(_OR_X),
    Step(_TO_X),
    # the first byte of frame control: version, type and subtype
    Step(_LD_BYTE_AT_X, k=0),
    Step(_IF_EQUAL, when_true=3, k=_BEACON),
    Step(_IF_EQUAL, when_false=3, k=_ACTION),
    Step(_LD_WORD_AT_X, k=24),
    Step(_IF_EQUAL, when_false=1, k=_NAN_FIRST_BYTES),
    Step(_RETURN, k=_KEEP),
    Step(_RETURN, k=0),
)
"""Keeps beacons and NAN action frames behind a radiotap header of any length."""


def attach_filter(receiver: socket.socket, program: tuple[Step, ...]) -> None:
    """Have the kernel give the socket only what the program keeps."""
    steps = b"".join(
        struct.pack("HBBI", one.code, one.when_true, one.when_false, one.k) for one in program
    )
    buffer = ctypes.create_string_buffer(steps)
    # struct sock_fprog: how many steps, and where they are
    head = struct.pack("HP", len(program), ctypes.addressof(buffer))
    receiver.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)


@dataclass(frozen=True, slots=True)
class MonitorMode:
    """An interface in monitor mode."""

    interface: str
    kind: str = "wifi"

    def __post_init__(self) -> None:
        name = self.interface
        if not name or len(name.encode()) > MAX_NAME_BYTES or "/" in name or " " in name:
            raise InputError(f"interface {name!r} is not a network interface", field="interface")

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Hear until `stop` is set.

        Raises
        ------
        SetupError
            No privilege, no such interface, or it is not in monitor mode; says what to do.
        LinkError
            The interface went away.
        """
        with closing(self._open()) as receiver:
            outlet.connected()
            asked_s = time.monotonic()
            while not stop.is_set():
                outlet.alive()
                try:
                    self._receive(receiver, outlet)
                except TimeoutError:
                    pass  # nobody broadcasts
                except OSError as error:
                    raise self._broken(error) from error
                if time.monotonic() - asked_s >= COUNT_S:
                    asked_s = time.monotonic()
                    outlet.lose(dropped(receiver))

    def _open(self) -> socket.socket:
        try:
            receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise SetupError(
                f"{self.interface}: hearing raw frames needs CAP_NET_RAW; run `setcap "
                "cap_net_raw+ep` on the Python that runs this, or give the service "
                "AmbientCapabilities=CAP_NET_RAW"
            ) from error
        try:
            self._prepare(receiver)
        except BaseException:
            receiver.close()
            raise
        return receiver

    def _prepare(self, receiver: socket.socket) -> None:
        attach_filter(receiver, REMOTE_ID_FILTER)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            # With the protocol only now, so that no frame of another interface slips in.
            receiver.bind((self.interface, _ETH_P_ALL))
        except OSError as error:
            raise self._broken(error) from error
        hardware = receiver.getsockname()[3]
        if hardware != ARPHRD_RADIOTAP:
            what = _ARPHRD_NAMES.get(hardware, f"hardware type {hardware}")
            raise SetupError(
                f"{self.interface} is not in monitor mode, it gives {what}: "
                f"ip link set {self.interface} down; iw dev {self.interface} set type monitor; "
                f"ip link set {self.interface} up"
            )
        if not self._is_up(receiver):
            raise self._broken(OSError(errno.ENETDOWN, ""))
        receiver.settimeout(READ_S)

    def _is_up(self, receiver: socket.socket) -> bool:
        asked = struct.pack("16sH14x", self.interface.encode(), 0)
        answer = fcntl.ioctl(receiver.fileno(), _SIOCGIFFLAGS, asked)
        (flags,) = struct.unpack_from("H", answer, 16)
        return bool(flags & _IFF_UP)

    def _broken(self, error: OSError) -> LinkError | SetupError:
        if error.errno == errno.ENETDOWN:
            return LinkError(f"{self.interface} is down: ip link set {self.interface} up")
        if error.errno in (errno.ENODEV, errno.ENXIO):
            return SetupError(
                f"there is no interface {self.interface}; `ip link` lists those that there are"
            )
        return LinkError(f"{self.interface}: {error.strerror or error}")

    def _receive(self, receiver: socket.socket, outlet: Outlet) -> None:
        data, ancillary, _, _ = receiver.recvmsg(MAX_FRAME_BYTES, socket.CMSG_SPACE(16))
        at = stamped(ancillary) or datetime.now(UTC)
        try:
            received = of_packet(capture.Packet(at, frames.LINK_RADIOTAP, data), outlet.name)
        except DecodeError as error:
            outlet.refuse(error)
            return
        if received is not None:
            outlet.put(received)


def stamped(ancillary: list[tuple[int, int, bytes]]) -> datetime | None:
    """When the kernel received the frame; None when it did not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack_from("qq", data)
            return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds / 1000)
    return None


def dropped(receiver: socket.socket) -> int:
    """How many frames the kernel could not keep since it was last asked."""
    raw = receiver.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return int(struct.unpack("II", raw)[1])
