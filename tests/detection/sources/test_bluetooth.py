"""Bluetooth through bleak, against a BlueZ of our own; and at the seam, on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from droneteam.detection import rid
from droneteam.detection.feeds import Backoff, Feed, Inbox, Outlet
from droneteam.detection.records import Received, Record
from droneteam.detection.sources import bluetooth
from droneteam.detection.sources.bluetooth import ASTM_UUID, Advertisements, Bluetooth
from droneteam.errors import InputError
from tests.detection.sources.air import MESSAGE, PACK
from tests.detection.sources.bluez import BlueZ, Bus
from tests.detection.sources.waiting import PATIENCE_S, gather, heard, troubles

QUICK = Backoff(first_s=0.05, limit_s=0.2)
DRONE = "C6:05:04:03:02:01"


def advertised(data: bytes, *, uuid: str = ASTM_UUID, rssi: int = -71) -> AdvertisementData:
    return AdvertisementData(None, {}, {uuid: data}, [], None, rssi, ())


def received_of(told: AdvertisementData) -> tuple[list[Received], Outlet]:
    outlet = Outlet("van", "ble", Inbox())
    Advertisements(outlet).heard(BLEDevice(DRONE, None, {}), told)
    return heard(outlet.inbox.drain()), outlet


@pytest.mark.parametrize(
    ("payload", "transport"), [(MESSAGE, "ble-legacy"), (PACK, "ble-5")], ids=["legacy", "extended"]
)
def test_an_advertisement_is_a_reception(payload: bytes, transport: str) -> None:
    (received,), _ = received_of(advertised(b"\x0d\x07" + payload))
    assert (received.transport, received.payload) == (transport, payload)
    assert (received.transmitter, received.receiver) == (DRONE.lower(), "van")
    assert (received.counter, received.rssi_dbm) == (7, -71)
    assert abs((received.at - datetime.now(UTC)).total_seconds()) < PATIENCE_S
    assert rid.decode(received.payload).messages[0] == rid.BasicId(
        rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"
    )


def test_a_strength_that_bluez_does_not_tell_is_unknown() -> None:
    (received,), _ = received_of(advertised(b"\x0d\x07" + MESSAGE, rssi=-127))
    assert received.rssi_dbm is None


@pytest.mark.parametrize(
    "told",
    [
        advertised(b"\x0d\x07" + MESSAGE, uuid="0000fe2c-0000-1000-8000-00805f9b34fb"),
        advertised(b"\x0e\x07" + MESSAGE),
        advertised(b""),
        AdvertisementData("speaker", {76: b"\x02"}, {}, [], None, -40, ()),
    ],
    ids=["another service", "another application", "empty", "no service data"],
)
def test_what_is_no_remote_id_is_passed_over(told: AdvertisementData) -> None:
    receptions, outlet = received_of(told)
    assert (receptions, outlet.counts.refused) == ([], 0)


def test_remote_id_without_a_message_is_refused() -> None:
    receptions, outlet = received_of(advertised(b"\x0d\x07"))
    assert (receptions, outlet.counts.refused) == ([], 1)


@pytest.mark.parametrize(("adapter", "scan"), [("../hci0", "auto"), ("", "auto"), ("hci0", "no")])
def test_settings_that_cannot_be_are_refused(adapter: str, scan: str) -> None:
    with pytest.raises(InputError):
        Bluetooth(adapter, scan)


def test_a_machine_without_a_bus_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    inbox = Inbox()
    with followed(Bluetooth(), inbox):
        records = gather(inbox, lambda found: len(troubles(found)) >= 2)
    assert "no system message bus" in troubles(records)[0]
    assert "/run/dbus/system_bus_socket" in troubles(records)[0]


@contextmanager
def followed(source: Bluetooth, inbox: Inbox) -> Iterator[Feed]:
    feed = Feed("van", source, inbox, QUICK)
    feed.start()
    try:
        yield feed
    finally:
        feed.close()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    made = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    monkeypatch.setattr(bluetooth, "CHECK_S", 0.05)
    yield made
    made.close()


@contextmanager
def daemon(bus: Bus, *, monitors: bool = True) -> Iterator[BlueZ]:
    bluez = BlueZ(bus.address, monitors=monitors)
    try:
        yield bluez
    finally:
        bluez.close()


def connected(feed: Feed, times: int = 1) -> Callable[[list[Record]], bool]:
    return lambda _found: feed.connections >= times


@pytest.mark.parametrize("monitors", [True, False], ids=["passive", "active"])
def test_drones_are_heard_through_bluez(bus: Bus, monitors: bool) -> None:
    inbox = Inbox()
    with daemon(bus, monitors=monitors) as bluez, followed(Bluetooth(), inbox) as feed:
        gather(inbox, connected(feed))
        scanning = (bluez.monitors.registered, bluez.adapter.calls)
        assert scanning == ((1, []) if monitors else (0, ["start"]))
        bluez.advertise("AA:BB:CC:00:00:01", b"\x01", uuid="0000fe2c-0000-1000-8000-00805f9b34fb")
        for number in range(5):
            bluez.advertise(DRONE, b"\x0d" + bytes((number,)) + MESSAGE, rssi=-60 - number)
        records = gather(inbox, lambda found: len(heard(found)) >= 5)
        feed.close()
        assert bluez.monitors.registered == 0
        assert bluez.adapter.calls == ([] if monitors else ["start", "stop"])
    assert [(one.counter, one.rssi_dbm) for one in heard(records)] == [
        (number, -60 - number) for number in range(5)
    ]
    assert {one.transmitter for one in heard(records)} == {DRONE.lower()}
    assert troubles(records) == []


def test_repeats_are_asked_for_where_scanning_is_active(bus: Bus) -> None:
    inbox = Inbox()
    source = Bluetooth(scan="active")
    with daemon(bus) as bluez, followed(source, inbox) as feed:
        gather(inbox, connected(feed))
        assert bluez.adapter.filters == {"Transport": "le", "DuplicateData": True}


def test_passive_and_nothing_else_is_kept_to(bus: Bus) -> None:
    inbox = Inbox()
    with daemon(bus, monitors=False) as bluez, followed(Bluetooth(scan="passive"), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
        assert bluez.adapter.calls == []
    assert "--experimental" in troubles(records)[0]


def test_bluez_that_does_not_run_is_named_and_followed_once_it_does(bus: Bus) -> None:
    inbox = Inbox()
    with followed(Bluetooth(), inbox) as feed:
        records = gather(inbox, lambda found: bool(troubles(found)))
        with daemon(bus) as bluez:
            gather(inbox, connected(feed))
            bluez.advertise(DRONE, b"\x0d\x01" + MESSAGE)
            gather(inbox, lambda found: bool(heard(found)))
    assert "systemctl start bluetooth" in troubles(records)[0]


def test_an_adapter_that_is_not_there_is_named(bus: Bus) -> None:
    inbox = Inbox()
    with daemon(bus), followed(Bluetooth("hci7"), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    assert "there is no adapter hci7" in troubles(records)[0]


@pytest.mark.parametrize(
    ("what", "words"),
    [("switched off", "power on"), ("pulled out", "no adapter"), ("stopped", "does not run")],
)
def test_an_adapter_that_goes_away_is_named(bus: Bus, what: str, words: str) -> None:
    inbox = Inbox()
    with daemon(bus) as bluez, followed(Bluetooth(), inbox) as feed:
        gather(inbox, connected(feed))
        if what == "switched off":
            bluez.adapter.on = False
        elif what == "pulled out":
            bluez.remove_adapter()
        else:
            bluez._await(bluez._bus.release_name("org.bluez"))
        gather(inbox, lambda found: any(words in one for one in troubles(found)))
