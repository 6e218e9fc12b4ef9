"""The control port: the hand of the world.  One JSON object per line, one answer per line.

What a ground station cannot do (cut a link, fail a GPS, let wind rise, flip the pilot's mode
switch, send a stranger across the sky) is told here:

    {"cmd": "status"}
    {"cmd": "speedup", "value": 5}
    {"cmd": "cut", "drone": 1}            {"cmd": "restore", "drone": 1}
    {"cmd": "disconnect", "drone": 1}     closes its TCP connections
    {"cmd": "faults", "drone": 1, "loss": 0.3, "delay_s": 0.05, ...}
    {"cmd": "gps", "drone": 1, "enabled": false}
    {"cmd": "wind", "speed_mps": 8, "from_deg": 250, "gust_mps": 2}
    {"cmd": "param", "drone": 1, "name": "SIM_BATT_VOLTAGE", "value": 10.4}
    {"cmd": "rc", "drone": 1, "mode": "LOITER", "sticks_us": [1500, 1500, 1500, 1500]}
    {"cmd": "beacon", "kind": "unregistered"}

Without "drone" a command goes to all.  The answer is {"ok": true, ...} or
{"ok": false, "error": "..."}.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from droneteam.errors import DroneteamError, InputError
from sitl.autopilot import Autopilot
from sitl.beacons import Broadcasts, crossing
from sitl.faults import FaultSpec
from sitl.modes import Mode
from sitl.server import FleetServer, Link
from sitl.simulation import Place

Fields = dict[str, Any]
LINE_LIMIT_BYTES = 65536
SPEEDUP_MAX = 100.0
STICK_RANGE_US = (800.0, 2200.0)
THROTTLE_CHANNEL = 2
STICK_CENTRE_US = 1500.0


class Control:
    """Carries out what comes through the control port."""

    def __init__(self, server: FleetServer, broadcasts: Broadcasts, place: Place) -> None:
        self._server, self._broadcasts, self._place = server, broadcasts, place
        self._commands: dict[str, Callable[[Fields], Fields]] = {
            "status": self._status,
            "speedup": self._speedup,
            "cut": lambda fields: self._cut(fields, True),
            "restore": lambda fields: self._cut(fields, False),
            "disconnect": self._disconnect,
            "faults": self._faults,
            "gps": self._gps,
            "wind": self._wind,
            "param": self._param,
            "rc": self._rc,
            "beacon": self._beacon,
        }

    def execute(self, line: bytes) -> bytes:
        """The answer to one line."""
        try:
            answer = {"ok": True, **self._dispatch(line)}
        except (DroneteamError, TypeError, ValueError) as error:
            answer = {"ok": False, "error": str(error)}
        return json.dumps(answer).encode("utf-8") + b"\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talks to one client until it leaves."""
        try:
            while line := await reader.readline():
                writer.write(self.execute(line))
                await writer.drain()
        except (ConnectionError, ValueError):  # ValueError: a line beyond the limit
            pass
        finally:
            writer.close()

    def _dispatch(self, line: bytes) -> Fields:
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise InputError("a command is a JSON object")
        command = self._commands.get(str(fields.get("cmd")))
        if command is None:
            known = ", ".join(self._commands)
            raise InputError(f"cmd {fields.get('cmd')!r} is none of {known}", field="cmd")
        return command(fields)

    def _links(self, fields: Fields) -> Sequence[Link]:
        if "drone" not in fields:
            return self._server.links
        for link in self._server.links:
            if link.station.ap.setup.sysid == fields["drone"]:
                return (link,)
        raise InputError(f"no drone {fields['drone']!r}", field="drone")

    def _status(self, fields: Fields) -> Fields:
        links = self._links(fields)
        return {
            "t_s": self._server.simulation.t_s,
            "speedup": self._server.speedup,
            "drones": [_truth(link) for link in links],
        }

    def _speedup(self, fields: Fields) -> Fields:
        value = _number(fields, "value", 0.1, SPEEDUP_MAX)
        self._server.speedup = value
        return {"speedup": value}

    def _cut(self, fields: Fields, cut: bool) -> Fields:
        for link in self._links(fields):
            link.set_cut(cut)
        return {}

    def _disconnect(self, fields: Fields) -> Fields:
        for link in self._links(fields):
            link.drop_connections()
        return {}

    def _faults(self, fields: Fields) -> Fields:
        names = ("loss", "delay_s", "jitter_s", "duplication", "reordering", "reorder_s")
        given = {name: float(fields[name]) for name in names if name in fields}
        spec = FaultSpec(**given)
        for link in self._links(fields):
            link.set_faults(spec)
        return {}

    def _gps(self, fields: Fields) -> Fields:
        if not isinstance(fields.get("enabled"), bool):
            raise InputError("enabled must be true or false", field="enabled")
        return self._set_params(fields, {"SIM_GPS1_ENABLE": float(fields["enabled"])})

    def _wind(self, fields: Fields) -> Fields:
        values = {"SIM_WIND_SPD": _number(fields, "speed_mps", 0.0, 40.0)}
        if "from_deg" in fields:
            values["SIM_WIND_DIR"] = _number(fields, "from_deg", 0.0, 360.0)
        if "gust_mps" in fields:
            values["SIM_WIND_TURB"] = _number(fields, "gust_mps", 0.0, 20.0)
        return self._set_params(fields, values)

    def _param(self, fields: Fields) -> Fields:
        value = _number(fields, "value", -math.inf, math.inf)
        return self._set_params(fields, {str(fields.get("name")): value})

    def _set_params(self, fields: Fields, values: dict[str, float]) -> Fields:
        for link in self._links(fields):
            for name, value in values.items():
                if not link.station.ap.set_param(name, value):
                    raise InputError(f"no parameter {name!r}", field="name")
        return {}

    def _rc(self, fields: Fields) -> Fields:
        """The pilot's transmitter: a mode switch brings centred sticks unless they are given."""
        sticks = _sticks(fields)
        done = True
        for link in self._links(fields):
            ap = link.station.ap
            if sticks is not None:
                ap.rc.sticks_us[: len(sticks)] = sticks
            elif "mode" in fields:
                ap.rc.sticks_us[THROTTLE_CHANNEL] = STICK_CENTRE_US
            if "mode" in fields:
                done = ap.change_mode(_mode(fields["mode"])) and done
        return {"accepted": done}

    def _beacon(self, fields: Fields) -> Fields:
        now_s = self._server.simulation.t_s
        spec = crossing(str(fields.get("kind")), self._place, now_s)
        self._broadcasts.add(spec)
        return {"serial": spec.serial, "operator_id": spec.operator_id}


def _number(fields: Fields, name: str, low: float, high: float) -> float:
    if name not in fields:
        raise InputError(f"{name} is missing", field=name)
    value = float(fields[name])
    if not low <= value <= high:
        raise InputError(f"{name} {value} outside [{low}, {high}]", field=name)
    return value


def _sticks(fields: Fields) -> list[float] | None:
    if "sticks_us" not in fields:
        return None
    sticks = [float(value) for value in fields["sticks_us"]]
    low, high = STICK_RANGE_US
    if len(sticks) > 8 or not all(low <= value <= high for value in sticks):
        raise InputError(f"sticks_us: up to 8 pulses in [{low}, {high}]", field="sticks_us")
    return sticks


def _mode(name: object) -> Mode:
    try:
        return Mode[str(name)]
    except KeyError:
        raise InputError(f"mode {name!r} is none of {', '.join(Mode.__members__)}") from None


def _truth(link: Link) -> Fields:
    """Where a vehicle truly is."""
    ap: Autopilot = link.station.ap
    body = ap.body
    lat_deg, lon_deg = ap.frame.degrees(body.east_m, body.north_m)
    return {
        "sysid": ap.setup.sysid,
        "name": ap.setup.name,
        "mode": ap.mode.name,
        "armed": ap.armed,
        "armings": ap.armings,
        "landed": ap.landed,
        "hardest_touch_mps": ap.hardest_touch_mps,
        "lat_deg": lat_deg,
        "lon_deg": lon_deg,
        "alt_ellipsoid_m": ap.frame.alt_ellipsoid_m + body.up_m,
        "height_m": body.up_m,
        "from_start_m": math.hypot(body.east_m, body.north_m),
        "yaw_deg": math.degrees(body.yaw_rad) % 360.0,
        "speed_mps": body.ground_speed_mps,
        "battery": ap.battery.charge,
        "photos": ap.shutter.count,
        "cut": link.cut,
    }
