"""Links: signatures checked against pymavlink, failover, a ground station that speaks along."""

from __future__ import annotations

import os
import pty
import socket
import time
import tty
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as dialect

from droneteam.errors import InputError
from droneteam.missions.mavlink.framing import Framer
from droneteam.missions.mavlink.link import ALIVE_S, RENEW_S, MavlinkLink
from droneteam.missions.mavlink.messages import (
    CommandId,
    CommandLong,
    GroundHeartbeat,
    Heartbeat,
    ParamRead,
)
from droneteam.missions.mavlink.signing import Signer, key_from_text, steps
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.mavlink.transports import LinkAddress

KEY = bytes(range(32))
NOW_S = 1_773_000_000.0


class Peer:
    """A vehicle made of pymavlink alone."""

    def __init__(self, key: bytes | None = None, system_id: int = 1) -> None:
        self.mav = dialect.MAVLink(None, srcSystem=system_id, srcComponent=1)
        self.mav.robust_parsing = True
        if key is not None:
            self.mav.signing.secret_key = key
            self.mav.signing.sign_outgoing = True
            self.mav.signing.link_id = 7
            self.mav.signing.timestamp = steps(NOW_S)

    def heartbeat(self) -> bytes:
        message = dialect.MAVLink_heartbeat_message(2, 3, 0, 4, 3, 3)
        packed = bytes(message.pack(self.mav))
        self.mav.seq = (self.mav.seq + 1) % 256
        return packed


def frame(raw: bytes):  # type: ignore[no-untyped-def]
    (found,) = Framer().feed(raw)
    return found


def ours(signer: Signer, at_s: float = NOW_S) -> bytes:
    packer = dialect.MAVLink(None, srcSystem=255, srcComponent=190)
    return signer.sign(
        bytes(dialect.MAVLink_heartbeat_message(6, 8, 0, 0, 3, 3).pack(packer)), at_s
    )


def test_pymavlink_accepts_what_we_sign_and_no_other_key() -> None:
    for key, accepted in ((KEY, True), (KEY[::-1], False)):
        parser = dialect.MAVLink(None)
        parser.signing.secret_key = key
        parser.signing.timestamp = steps(NOW_S - 1)
        parser.robust_parsing = True
        (message,) = parser.parse_buffer(ours(Signer(KEY)))
        assert (message.get_type() == "HEARTBEAT") == accepted


def test_we_accept_what_pymavlink_signs_once_and_in_order() -> None:
    peer, signer = Peer(KEY), Signer(KEY)
    first, second = frame(peer.heartbeat()), frame(peer.heartbeat())
    assert signer.accepts(first, NOW_S)
    assert not signer.accepts(first, NOW_S)  # a replay
    assert signer.accepts(second, NOW_S)
    assert not signer.accepts(first, NOW_S)


def test_another_key_no_signature_and_an_old_stream_are_refused() -> None:
    assert not Signer(KEY[::-1]).accepts(frame(Peer(KEY).heartbeat()), NOW_S)
    assert not Signer(KEY).accepts(frame(Peer().heartbeat()), NOW_S)
    assert not Signer(KEY).accepts(frame(Peer(KEY).heartbeat()), NOW_S + 61.0)


@given(position=st.integers(0, 33), flip=st.integers(1, 255))
def test_no_byte_of_a_signed_packet_can_be_changed(position: int, flip: int) -> None:
    raw = bytearray(Peer(KEY).heartbeat())
    position = min(position, len(raw) - 1)
    raw[position] ^= flip
    found = Framer().feed(bytes(raw))
    assert not any(Signer(KEY).accepts(one, NOW_S) for one in found)


def test_signatures_times_grow_even_when_the_clock_stands_still_or_goes_back() -> None:
    signer = Signer(KEY)
    times = [
        int.from_bytes(ours(signer, at_s)[-12:-6], "little")
        for at_s in (NOW_S, NOW_S, NOW_S - 3600.0, NOW_S + 1.0)
    ]
    assert times == sorted(set(times))


def test_a_key_is_a_passphrase_or_hexadecimal_digits() -> None:
    assert key_from_text(KEY.hex()) == KEY
    assert len(key_from_text("twelve chars or more")) == 32
    with pytest.raises(InputError, match="12 characters"):
        key_from_text("short")
    with pytest.raises(InputError, match="32 bytes"):
        Signer(b"short")


def udp() -> socket.socket:
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.0.1", 0))
    own.settimeout(30.0)
    return own


def to(own: socket.socket) -> LinkAddress:
    return LinkAddress("udpout", "127.0.0.1", own.getsockname()[1])


def until(hear: Callable[[], list[object]]) -> list[object]:
    deadline = time.monotonic() + 60.0
    while not (heard := hear()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return heard


def test_only_signed_packets_are_heard_and_all_are_in_the_log(tmp_path: Path) -> None:
    with udp() as vehicle:
        link = MavlinkLink(
            to(vehicle), TlogWriter(tmp_path / "a.tlog"), signer=Signer(KEY), unix_s=lambda: NOW_S
        )
        link.send(GroundHeartbeat())
        said, peer = vehicle.recvfrom(1000)
        assert said[2] & 1
        vehicle.sendto(Peer().heartbeat(), peer)
        vehicle.sendto(Peer(KEY).heartbeat(), peer)
        heard = until(link.receive)  # type: ignore[arg-type]
        assert [type(one) for one in heard] == [Heartbeat]
        assert link.unsigned == 1
        link.close()
    assert len(Framer().feed((tmp_path / "a.tlog").read_bytes())) == 3


def heard_by(own: socket.socket, message_id: int) -> bytes:
    """The next packet of that kind that comes in; heartbeats and others are passed over."""
    while (raw := own.recv(1000))[7] != message_id:
        pass
    return raw


def is_quiet(own: socket.socket, message_id: int) -> bool:
    """Whether nothing of that kind waits to be read."""
    own.setblocking(False)
    try:
        while True:
            if own.recv(1000)[7] == message_id:
                return False
    except BlockingIOError:
        return True
    finally:
        own.settimeout(30.0)


PARAM_REQUEST_READ = 20


def test_a_silent_link_gives_way_to_the_spare_one_and_takes_over_again(tmp_path: Path) -> None:
    clock = [100.0]
    with udp() as first, udp() as spare:
        link = MavlinkLink(
            (to(first), to(spare)),
            TlogWriter(tmp_path / "a.tlog"),
            monotonic_s=lambda: clock[0],
        )
        link.send(GroundHeartbeat())
        peer = first.recvfrom(1000)[1]
        said, spare_peer = spare.recvfrom(1000)  # a spare way is spoken to before it is needed
        assert frame(said).message_id == 0

        def vehicle_says(own: socket.socket, to_whom: tuple[str, int]) -> None:
            own.sendto(Peer().heartbeat(), to_whom)
            until(link.receive)  # type: ignore[arg-type]
            link.send(ParamRead("RTL_ALT"))

        vehicle_says(first, peer)
        assert heard_by(first, PARAM_REQUEST_READ)
        assert is_quiet(spare, PARAM_REQUEST_READ)
        clock[0] += 2 * ALIVE_S
        vehicle_says(spare, spare_peer)
        assert heard_by(spare, PARAM_REQUEST_READ)
        assert is_quiet(first, PARAM_REQUEST_READ)
        vehicle_says(first, peer)
        assert heard_by(first, PARAM_REQUEST_READ)
        assert is_quiet(spare, PARAM_REQUEST_READ)
        link.close()


class Line:
    """A way that brings what is put in, and keeps what is sent."""

    def __init__(self) -> None:
        self.coming: list[bytes] = []
        self.sent: list[bytes] = []

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        return self.coming.pop(0) if self.coming else b""

    def answer(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        pass

    def took(self, message_id: int) -> list[bytes]:
        """What was sent of a kind since the last look."""
        found = [raw for raw in self.sent if raw[7] == message_id]
        self.sent.clear()
        return found


def two_lines(folder: Path, clock: list[float]) -> tuple[MavlinkLink, Line, Line]:
    lines = (Line(), Line())
    link = MavlinkLink(
        [LinkAddress("tcp", "line", number) for number in range(2)],
        TlogWriter(folder / "a.tlog"),
        monotonic_s=lambda: clock[0],
        open_way=lambda address: lines[address.port],
    )
    return link, *lines


def test_a_radio_that_talks_of_itself_is_not_the_vehicle(tmp_path: Path) -> None:
    """A telemetry radio sends RADIO_STATUS although the vehicle is out of its reach."""
    clock = [100.0]
    link, first, spare = two_lines(tmp_path, clock)
    radio = dialect.MAVLink(None, srcSystem=51, srcComponent=68)
    first.coming.append(Peer().heartbeat())
    link.receive()
    for _ in range(5):
        clock[0] += ALIVE_S / 2
        status = dialect.MAVLink_radio_status_message(0, 0, 100, 30, 0, 0, 0)
        first.coming.append(bytes(status.pack(radio)))
        spare.coming.append(Peer().heartbeat())
        link.receive()
    first.sent.clear()
    link.send(ParamRead("RTL_ALT"))
    assert spare.took(PARAM_REQUEST_READ)
    assert not first.took(PARAM_REQUEST_READ)
    link.close()


def position(boot_ms: int) -> bytes:
    message = dialect.MAVLink_global_position_int_message(boot_ms, 0, 0, 0, 0, 0, 0, 0, 0)
    return bytes(message.pack(Peer().mav))


def test_what_streamed_over_one_way_is_asked_for_over_the_next(tmp_path: Path) -> None:
    clock = [100.0]
    link, first, spare = two_lines(tmp_path, clock)
    first.coming.append(Peer().heartbeat())
    link.receive()
    for message_id in (33, 259):  # the vehicle has no camera: 259 never comes
        link.send(CommandLong(CommandId.SET_MESSAGE_INTERVAL, (float(message_id), 2e5)))
    first.coming.append(position(1))
    link.receive()
    link.send(GroundHeartbeat())
    assert len(first.took(76)) == 2  # what comes is not asked for again
    clock[0] += 2 * ALIVE_S
    spare.coming.append(Peer().heartbeat())
    link.receive()
    for _ in range(3):  # within one RENEW_S
        link.send(GroundHeartbeat())
    (asked,) = spare.took(76)
    again = dialect.MAVLink(None).decode(bytearray(asked))
    assert (again.command, again.param1, again.param2) == (511, 33.0, 2e5)
    assert not first.took(76)
    clock[0] += RENEW_S + 0.01  # that one was lost
    link.send(GroundHeartbeat())
    assert len(spare.took(76)) == 1
    spare.coming.append(position(2))
    link.receive()
    clock[0] += RENEW_S + 0.01
    link.send(GroundHeartbeat())
    assert not spare.took(76)
    link.close()


def test_who_is_not_the_vehicle_is_not_answered(tmp_path: Path) -> None:
    """On a port that listens, a stranger's datagram must not draw the link away."""
    with udp() as free:
        port = free.getsockname()[1]
    link = MavlinkLink(
        LinkAddress("udpin", "127.0.0.1", port),
        TlogWriter(tmp_path / "a.tlog"),
        signer=Signer(KEY),
        unix_s=lambda: NOW_S,
    )
    peer = Peer(KEY)
    with udp() as vehicle, udp() as stranger:
        vehicle.sendto(peer.heartbeat(), ("127.0.0.1", port))
        until(link.receive)  # type: ignore[arg-type]
        stranger.sendto(Peer().heartbeat(), ("127.0.0.1", port))
        until(lambda: [] if link.receive() or not link.unsigned else [link.unsigned])
        link.send(ParamRead("RTL_ALT"))
        assert heard_by(vehicle, PARAM_REQUEST_READ)
        assert is_quiet(stranger, PARAM_REQUEST_READ)
        with udp() as moved:  # the vehicle's own network may give it another port
            moved.sendto(peer.heartbeat(), ("127.0.0.1", port))
            until(link.receive)  # type: ignore[arg-type]
            link.send(ParamRead("RTL_ALT"))
            assert heard_by(moved, PARAM_REQUEST_READ)
        link.close()


def test_a_ground_station_hears_the_vehicle_and_its_words_reach_it(tmp_path: Path) -> None:
    with udp() as vehicle, udp() as station:
        link = MavlinkLink(to(vehicle), TlogWriter(tmp_path / "a.tlog"), forward=to(station))
        link.send(GroundHeartbeat())
        _, peer = vehicle.recvfrom(1000)
        vehicle.sendto(Peer().heartbeat(), peer)
        until(link.receive)  # type: ignore[arg-type]
        relayed, station_peer = station.recvfrom(1000)
        assert frame(relayed).system_id == 1
        words = Peer(system_id=250).heartbeat()
        station.sendto(words, station_peer)
        vehicle.setblocking(False)

        def arrived() -> list[object]:
            link.receive()
            try:
                return [vehicle.recv(1000)]
            except BlockingIOError:
                return []

        assert until(arrived) == [words]
        link.close()
    systems = [one.system_id for one in Framer().feed((tmp_path / "a.tlog").read_bytes())]
    assert sorted(set(systems)) == [1, 250, 255]


def test_a_serial_radio_is_a_link(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    address = LinkAddress.parse(f"serial:{os.ttyname(slave)}:57600")
    link = MavlinkLink(address, TlogWriter(tmp_path / "a.tlog"))
    os.write(master, Peer().heartbeat())
    heard = until(link.receive)  # type: ignore[arg-type]
    assert isinstance(heard[0], Heartbeat)
    link.send(GroundHeartbeat())
    assert frame(os.read(master, 1000)).system_id == 255
    link.close()
    os.close(master)
    os.close(slave)


def test_a_radio_that_is_unplugged_is_silence(tmp_path: Path) -> None:
    link = MavlinkLink(
        LinkAddress.parse(f"serial:{tmp_path / 'none'}:57600"), TlogWriter(tmp_path / "a.tlog")
    )
    assert link.fileno() == -1
    assert link.receive() == []
    link.send(GroundHeartbeat())
    link.close()


def test_several_addresses_are_divided_by_commas() -> None:
    both = LinkAddress.parse_all("tcp:10.0.0.1:5760, serial:/dev/ttyUSB0:57600")
    assert [one.kind for one in both] == ["tcp", "serial"]
    with pytest.raises(InputError, match="kinds: tcp"):
        LinkAddress.parse_all("tcp:10.0.0.1:5760,")
