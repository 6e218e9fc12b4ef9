"""Monitor mode: the kernel's filter, its stamps and counts, and every way that it can fail."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.detection import frames
from droneteam.detection.feeds import Backoff, Feed, Inbox, Outlet
from droneteam.detection.records import Alive
from droneteam.detection.sources import wifi
from droneteam.detection.sources.wifi import MonitorMode, attach_filter, stamped
from droneteam.errors import InputError, SetupError
from tests.detection.sources.air import ADDRESS, OTHERS, PACK, beacon, nan, radiotap
from tests.detection.sources.waiting import gather, heard, troubles

QUICK = Backoff(first_s=0.02, limit_s=0.1)


class Kernel:
    """A pair of local sockets: the kernel runs the filter on what goes through, without rights."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        attach_filter(self._far, wifi.REMOTE_ID_FILTER)
        self._far.setblocking(False)

    def keeps(self, frame: bytes) -> bool:
        with contextlib.suppress(PermissionError):  # the far end's filter refused it
            self._near.send(frame)
        try:
            kept = self._far.recv(65536)
        except BlockingIOError:
            return False
        assert kept == frame
        return True

    def close(self) -> None:
        self._near.close()
        self._far.close()


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    pair = Kernel()
    yield pair
    pair.close()


@pytest.mark.parametrize("extra_words", [0, 1, 2, 7])
@pytest.mark.parametrize("frame", [beacon(), nan()], ids=["beacon", "nan"])
def test_the_kernel_keeps_remote_id_behind_any_header(
    kernel: Kernel, frame: bytes, extra_words: int
) -> None:
    data = radiotap(frame, extra_words=extra_words)
    assert kernel.keeps(data)
    found = frames.extract(frames.LINK_RADIOTAP, data)
    assert found is not None
    assert (found.payload, found.transmitter, found.rssi_dbm) == (PACK, ADDRESS, -63)


@pytest.mark.parametrize("what", OTHERS)
def test_the_kernel_drops_what_cannot_be_remote_id(kernel: Kernel, what: str) -> None:
    assert not kernel.keeps(radiotap(OTHERS[what]))


def test_the_kernel_drops_what_is_too_short_to_tell(kernel: Kernel) -> None:
    whole = radiotap(nan())
    kept = [size for size in range(1, len(whole)) if kernel.keeps(whole[:size])]
    # 9 bytes of radiotap, 24 of header, and the four that name the action
    assert kept == list(range(9 + 28, len(whole)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=80))
def test_the_filter_never_drops_what_the_decoder_would_read(head: bytes, body: bytes) -> None:
    pair = Kernel()
    try:
        for data in (head + body, radiotap(head + body), radiotap(beacon() + body)):
            try:
                found = frames.extract(frames.LINK_RADIOTAP, data)
            except frames.DecodeError:
                found = None
            assert found is None or pair.keeps(data)
    finally:
        pair.close()


def test_the_kernels_stamp_is_read() -> None:
    data = struct.pack("qq", 1_777_881_600, 250_000_000)
    assert stamped([(socket.SOL_SOCKET, 35, data)]) == datetime.fromtimestamp(1777881600.25, UTC)
    assert stamped([(socket.SOL_SOCKET, 35, b"short")]) is None
    assert stamped([]) is None


@pytest.mark.parametrize("name", ["", "a" * 16, "wlan 0", "../etc"])
def test_a_name_that_is_no_interface_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a network interface"):
        MonitorMode(name)


def test_without_the_privilege_it_says_which_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(wifi.socket, "socket", refuse)
    with pytest.raises(SetupError, match=r"mon0.*CAP_NET_RAW.*setcap"):
        MonitorMode("mon0").follow(Outlet("roof", "wifi", Inbox()), threading.Event())


# What follows needs a kernel that lets us make interfaces.

_TUNSETIFF, _TUNSETLINK, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x400454CD, 0x0002, 0x1000
_SIOCSIFFLAGS = 0x8914


class Radio:
    """A virtual interface that gives what it is told to, with the hardware type it is told."""

    def __init__(self, hardware: int) -> None:
        self.name = f"dt{os.getpid() % 100000}x{hardware % 1000}"
        self._device = os.open("/dev/net/tun", os.O_RDWR)
        asked = struct.pack("16sH22x", self.name.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(self._device, _TUNSETIFF, asked)
        fcntl.ioctl(self._device, _TUNSETLINK, hardware)
        self.up(True)

    def up(self, on: bool) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            asked = struct.pack("16sH14x", self.name.encode(), int(on))
            fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, asked)

    def transmit(self, frame: bytes) -> None:
        os.write(self._device, frame)

    def close(self) -> None:
        os.close(self._device)


def radio(hardware: int) -> Radio:
    if not Path("/dev/net/tun").exists():
        pytest.skip("this machine has no /dev/net/tun to make a virtual radio with")
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0):
            return Radio(hardware)
    except OSError as error:
        pytest.skip(f"making a virtual radio needs CAP_NET_RAW and CAP_NET_ADMIN: {error}")


@pytest.fixture
def monitor() -> Iterator[Radio]:
    made = radio(wifi.ARPHRD_RADIOTAP)
    yield made
    made.close()


def followed(interface: str, inbox: Inbox) -> Feed:
    feed = Feed("roof", MonitorMode(interface), inbox, QUICK)
    feed.start()
    return feed


def until_connected(feed: Feed) -> Callable[[list[object]], bool]:
    return lambda _found: feed.connections > 0


def test_a_monitor_interface_is_heard(monitor: Radio) -> None:
    inbox = Inbox()
    feed = followed(monitor.name, inbox)
    try:
        gather(inbox, until_connected(feed))
        for frame in (*OTHERS.values(), beacon(), nan()):
            monitor.transmit(radiotap(frame))
        records = gather(inbox, lambda found: len(heard(found)) >= 2)
    finally:
        feed.close()
    first, second = heard(records)
    assert (first.transport, second.transport) == ("wifi-beacon", "wifi-nan")
    assert first.payload == second.payload == PACK
    assert (first.transmitter, first.rssi_dbm, first.counter) == (ADDRESS, -63, 5)
    assert first.receiver == "roof"
    assert first.at <= second.at <= datetime.now(UTC)


def test_frames_that_the_kernel_drops_are_counted(
    monitor: Radio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wifi, "BUFFER_BYTES", 2048)
    monkeypatch.setattr(wifi, "COUNT_S", 0.0)
    reading = threading.Event()
    receive = MonitorMode._receive

    def held(self: MonitorMode, receiver: socket.socket, outlet: Outlet) -> None:
        reading.wait(60.0)
        receive(self, receiver, outlet)

    monkeypatch.setattr(MonitorMode, "_receive", held)
    inbox = Inbox()
    feed = followed(monitor.name, inbox)
    try:
        gather(inbox, until_connected(feed))
        for _ in range(400):
            monitor.transmit(radiotap(beacon()))
        reading.set()
        records = gather(inbox, lambda _found: feed.counts.lost > 0)
        records += gather(inbox, lambda _found: len(heard(records)) + feed.counts.lost >= 1)
        deadline = time.monotonic() + 60.0
        while (taken := len(heard(records)) + feed.counts.lost) < 400:
            assert time.monotonic() < deadline, taken
            records += inbox.drain()
            time.sleep(0.02)
    finally:
        feed.close()
    assert len(heard(records)) + feed.counts.lost == 400
    assert feed.counts.lost > 100


def test_an_interface_that_goes_down_is_named_and_followed_again(monitor: Radio) -> None:
    inbox = Inbox()
    feed = followed(monitor.name, inbox)
    try:
        gather(inbox, until_connected(feed))
        monitor.up(False)
        told = gather(inbox, lambda found: len(troubles(found)) >= 2)
        monitor.up(True)
        records = gather(
            inbox,
            lambda found: bool(heard(found)),
            meanwhile=lambda: monitor.transmit(radiotap(beacon())),
        )
    finally:
        feed.close()
    assert all(f"{monitor.name} is down: ip link set" in one for one in troubles(told))
    assert any(isinstance(one, Alive) and one.kind == "wifi" for one in records)


def test_an_interface_that_vanishes_is_named(monitor: Radio) -> None:
    inbox = Inbox()
    feed = followed(monitor.name, inbox)
    try:
        gather(inbox, until_connected(feed))
        monitor.close()
        gather(inbox, lambda found: any("no interface" in one for one in troubles(found)))
    finally:
        feed.close()
        monitor._device = os.open(os.devnull, os.O_RDWR)  # for the fixture to close


def test_an_interface_that_is_not_in_monitor_mode_is_named() -> None:
    ethernet = radio(1)
    inbox = Inbox()
    feed = followed(ethernet.name, inbox)
    try:
        records = gather(inbox, lambda found: bool(troubles(found)))
    finally:
        feed.close()
        ethernet.close()
    assert "is not in monitor mode, it gives Ethernet" in troubles(records)[0]
    assert "iw dev" in troubles(records)[0]


def test_an_interface_that_is_not_there_is_named() -> None:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        pytest.skip("opening a raw socket needs CAP_NET_RAW")
    inbox = Inbox()
    feed = followed("nothing0", inbox)
    try:
        records = gather(inbox, lambda found: bool(troubles(found)))
    finally:
        feed.close()
    assert "there is no interface nothing0" in troubles(records)[0]
