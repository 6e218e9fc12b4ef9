"""Bluetooth Remote ID through BlueZ: legacy, extended and long-range advertisements.

BlueZ tells what service data a device advertises, not over which physical layer: one message is
a legacy advertisement, a pack came over an extended one.  Scanning is passive where BlueZ can
(an advertisement monitor for service data of UUID 0xFFFA, application 0x0D), so that nothing is
transmitted; where it cannot, it is active, which BlueZ needs no experimental features for.
Whether long range is heard at all is the adapter's matter: it needs LE Coded PHY.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bleak import BleakScanner
from bleak.args.bluez import OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from droneteam.detection import frames, rid
from droneteam.detection.feeds import Outlet
from droneteam.detection.records import Received
from droneteam.errors import DecodeError, InputError, LinkError, SetupError

ASTM_UUID = "0000fffa-0000-1000-8000-00805f9b34fb"
_PATTERN = OrPattern(0, AdvertisementDataType.SERVICE_DATA_UUID16, b"\xfa\xff\x0d")
SCANS = ("auto", "passive", "active")
CHECK_S = 1.0
ANSWER_S = 10.0
_NO_RSSI = -127
_GONE = ("ServiceUnknown", "NameHasNoOwner", "NoReply")


@dataclass(frozen=True, slots=True)
class Bluetooth:
    """An adapter of BlueZ.

    scan : "passive" and nothing else, "active", or "auto", passive where BlueZ can.
    """

    adapter: str = "hci0"
    scan: str = "auto"
    kind: str = "ble"

    def __post_init__(self) -> None:
        if not self.adapter.isalnum():
            raise InputError(f"adapter {self.adapter!r} is not like hci0", field="adapter")
        if self.scan not in SCANS:
            raise InputError(f"scan {self.scan!r} is none of {', '.join(SCANS)}", field="scan")

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Hear until `stop` is set.

        Raises
        ------
        SetupError
            BlueZ or the adapter is not there, or switched off; says what to do.
        LinkError
            It went away.
        """
        try:
            asyncio.run(self._follow(outlet, stop))
        except BleakError as error:
            raise SetupError(f"{self.adapter}: {error}") from error
        except TimeoutError as error:
            raise LinkError(f"{self.adapter}: BlueZ does not answer") from error
        except (DBusError, EOFError) as error:
            raise LinkError(f"{self.adapter}: the message bus: {error}") from error

    async def _follow(self, outlet: Outlet, stop: threading.Event) -> None:
        async with _bus() as bus:
            await self._check(bus)
            hear = Advertisements(outlet)
            scanner = await self._started(hear.heard)
            outlet.connected()
            try:
                while not stop.is_set():
                    await asyncio.sleep(CHECK_S)
                    await self._check(bus)
                    outlet.alive()
            finally:
                # What went away cannot be asked to stop.
                with contextlib.suppress(BleakError, DBusError, EOFError):
                    await scanner.stop()

    async def _started(self, heard: Callable[[BLEDevice, AdvertisementData], None]) -> BleakScanner:
        if self.scan != "active":
            scanner = BleakScanner(
                heard,
                scanning_mode="passive",
                bluez={"adapter": self.adapter, "or_patterns": [_PATTERN]},
            )
            try:
                await scanner.start()
            except BleakError:
                if self.scan == "passive":
                    raise
            else:
                return scanner
        scanner = BleakScanner(
            heard,
            scanning_mode="active",
            bluez={"adapter": self.adapter, "filters": {"DuplicateData": True}},
        )
        await scanner.start()
        return scanner

    async def _check(self, bus: MessageBus) -> None:
        """Whether the adapter is there and on: BlueZ ends a scan without telling the scanner."""
        asked = Message(
            destination="org.bluez",
            path=f"/org/bluez/{self.adapter}",
            interface="org.freedesktop.DBus.Properties",
            member="Get",
            signature="ss",
            body=["org.bluez.Adapter1", "Powered"],
        )
        async with asyncio.timeout(ANSWER_S):
            answer = await bus.call(asked)
        if answer is not None and answer.message_type is not MessageType.ERROR:
            if not answer.body[0].value:
                raise LinkError(
                    f"{self.adapter} is switched off: bluetoothctl power on, or rfkill unblock "
                    "bluetooth"
                )
            return
        name = "" if answer is None else answer.error_name or ""
        if any(name.endswith(one) for one in _GONE):
            raise LinkError(
                "BlueZ does not run: systemctl start bluetooth (it is the package bluez)"
            )
        raise SetupError(
            f"there is no adapter {self.adapter}; `bluetoothctl list` shows those that there are"
        )


@contextlib.asynccontextmanager
async def _bus() -> AsyncIterator[MessageBus]:
    """The system's message bus; SetupError when there is none."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        try:
            await bus.connect()
        except (OSError, DBusError) as error:
            raise SetupError(
                f"there is no system message bus, which BlueZ needs ({error}): install dbus, or "
                "let the container see /run/dbus/system_bus_socket"
            ) from error
        yield bus
    finally:
        bus.disconnect()


@dataclass(frozen=True, slots=True)
class Advertisements:
    """What BlueZ reports, as receptions in an outlet."""

    outlet: Outlet

    def heard(self, device: BLEDevice, told: AdvertisementData) -> None:
        """One advertisement, as bleak hands it over."""
        data = told.service_data.get(ASTM_UUID)
        if data is None:
            return
        try:
            content = frames.service_content(data)
        except DecodeError as error:
            self.outlet.refuse(error)
            return
        if content is not None:
            self.outlet.put(self._received(device.address, content, told.rssi))

    def _received(self, address: str, content: bytes, rssi_dbm: int) -> Received:
        payload = content[1:]
        extended = payload[0] >> 4 == rid.MessageType.PACK
        return Received(
            at=datetime.now(UTC),
            receiver=self.outlet.name,
            transport="ble-5" if extended else "ble-legacy",
            transmitter=address.lower(),
            payload=payload,
            rssi_dbm=None if rssi_dbm == _NO_RSSI else rssi_dbm,
            counter=content[0],
        )
