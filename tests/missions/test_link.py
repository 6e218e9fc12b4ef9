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
from droneteam.missions.framing import Framer
from droneteam.missions.link import ALIVE_S, MavlinkLink
from droneteam.missions.messages import GroundHeartbeat, Heartbeat
from droneteam.missions.signing import Signer, key_from_text, steps
from droneteam.missions.tlog import TlogWriter
from droneteam.missions.transports import LinkAddress

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
        spare_peer = ("127.0.0.1", _port_of(link, 1))
        assert spare.recv(1000) == b"\0"
        first.sendto(Peer().heartbeat(), peer)
        until(link.receive)  # type: ignore[arg-type]
        clock[0] += 2 * ALIVE_S
        spare.sendto(Peer().heartbeat(), spare_peer)
        until(link.receive)  # type: ignore[arg-type]
        link.send(GroundHeartbeat())
        assert frame(spare.recv(1000)).system_id == 255
        first.sendto(Peer().heartbeat(), peer)
        until(link.receive)  # type: ignore[arg-type]
        link.send(GroundHeartbeat())
        assert frame(first.recv(1000)).system_id == 255
        link.close()


def _port_of(link: MavlinkLink, way: int) -> int:
    """The port that the link sends from on one of its ways: a datagram tells it."""
    transport = link._ways[way].transport
    transport.write(b"\0")
    own = socket.socket(fileno=os.dup(transport.fileno()))
    with own:
        port: int = own.getsockname()[1]
    return port


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
