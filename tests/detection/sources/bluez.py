"""A BlueZ that does what it is told, on a message bus of its own."""

# ruff: noqa: N802 (the names are BlueZ's)

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import pytest
from dbus_fast import PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusDict,
    DBusInt16,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from tests.detection.sources.waiting import PATIENCE_S

Words = Annotated[list[str], DBusSignature("as")]
Nothing = Annotated[None, DBusSignature("")]

ADAPTER = "/org/bluez/hci0"
ASTM_UUID = "0000fffa-0000-1000-8000-00805f9b34fb"

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


class Bus:
    """A message bus in a folder."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("dbus-daemon")
        if program is None:
            pytest.skip("this machine has no dbus-daemon (package dbus-daemon) to stand in for one")
        settings = folder / "bus.conf"
        settings.write_text(_BUS.format(folder=folder))
        self.address = f"unix:path={folder}/bus"
        self._process = subprocess.Popen(
            [program, f"--config-file={settings}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Adapter1(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.Adapter1")
        self.on = True
        self.calls: list[str] = []
        self.filters: dict[str, Any] = {}

    @dbus_property(access=PropertyAccess.READ)
    def Powered(self) -> DBusBool:
        return self.on

    @dbus_property(access=PropertyAccess.READ)
    def Roles(self) -> Words:
        return ["central"]

    @dbus_method()
    def SetDiscoveryFilter(self, told: DBusDict) -> Nothing:
        self.filters = {name: one.value for name, one in told.items()}

    @dbus_method()
    def StartDiscovery(self) -> Nothing:
        self.calls.append("start")

    @dbus_method()
    def StopDiscovery(self) -> Nothing:
        self.calls.append("stop")


class Monitors(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.AdvertisementMonitorManager1")
        self.registered = 0

    @dbus_method()
    def RegisterMonitor(self, path: DBusObjectPath) -> Nothing:
        self.registered += 1

    @dbus_method()
    def UnregisterMonitor(self, path: DBusObjectPath) -> Nothing:
        self.registered -= 1


class Device1(ServiceInterface):
    def __init__(self, address: str) -> None:
        super().__init__("org.bluez.Device1")
        self._address = address
        self.data: dict[str, Variant] = {}
        self.strength = -60

    @dbus_property(access=PropertyAccess.READ)
    def Address(self) -> DBusStr:
        return self._address

    @dbus_property(access=PropertyAccess.READ)
    def Alias(self) -> DBusStr:
        return self._address.replace(":", "-")

    @dbus_property(access=PropertyAccess.READ)
    def Adapter(self) -> DBusObjectPath:
        return ADAPTER

    @dbus_property(access=PropertyAccess.READ)
    def RSSI(self) -> DBusInt16:
        return self.strength

    @dbus_property(access=PropertyAccess.READ)
    def ServiceData(self) -> DBusDict:
        return self.data


class BlueZ:
    """bluetoothd with one adapter, in a thread of its own.

    monitors : whether its experimental features are on, which passive scanning needs.
    """

    def __init__(self, address: str, *, monitors: bool = True) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.adapter = Adapter1()
        self.monitors = Monitors()
        self._devices: dict[str, Device1] = {}
        self._bus = self._await(self._began(address, monitors))

    def _await(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _began(self, address: str, monitors: bool) -> MessageBus:
        bus = await MessageBus(bus_address=address).connect()
        bus.export(ADAPTER, self.adapter)
        if monitors:
            bus.export(ADAPTER, self.monitors)
        await bus.request_name("org.bluez")
        return bus

    def advertise(self, address: str, data: bytes, rssi: int = -60, uuid: str = ASTM_UUID) -> None:
        """Have a device be heard."""

        async def heard() -> None:
            path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
            device = self._devices.get(address)
            new = device is None
            if device is None:
                device = self._devices[address] = Device1(address)
            device.data, device.strength = {uuid: Variant("ay", data)}, rssi
            if new:
                self._bus.export(path, device)
            else:
                changed = {"ServiceData": device.data, "RSSI": rssi}
                device.emit_properties_changed(changed)

        self._await(heard())

    def remove_adapter(self) -> None:
        async def removed() -> None:
            self._bus.unexport(ADAPTER, self.adapter)

        self._await(removed())

    def close(self) -> None:
        async def ended() -> None:
            self._bus.disconnect()
            await asyncio.sleep(0)

        self._await(ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
