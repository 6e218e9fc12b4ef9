"""The vehicle's onboard log: what an ArduCopter writes on its card while it is armed.

A log begins at the first arming after boot (`LOG_DISARMED` 0) and goes on with each further
arming; with `LOG_FILE_DSRMROT` 1 each disarming ends it and the next arming begins a new one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sitl import dataflash as df
from sitl import estimator as sensors
from sitl.autopilot import Autopilot
from sitl.dataflash import DataFlashWriter
from sitl.events import Event, Photo, Reached, Text
from sitl.items import MissionItem

GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
LEAP_S = 18
"""GPS time runs ahead of UTC by this since 2017."""
WEEK_S = 604_800
FAST_S, GPS_S, SLOW_S = 0.1, 0.2, 1.0
FIX_RTK = 6
MODE_REASON_GCS = 2
ARM_METHOD_GCS = 1


@dataclass(slots=True)
class StoredLog:
    """One log on the card; began_at : None when the vehicle did not know the date."""

    number: int
    writer: DataFlashWriter
    began_at: datetime | None

    @property
    def data(self) -> bytes:
        """The log's bytes so far."""
        return bytes(self.writer.data)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.writer.data)

    @property
    def name(self) -> str:
        """Its file on the card."""
        return f"{self.number:08d}.BIN"


@dataclass(slots=True)
class Blackbox:
    """Writes the log of one vehicle.

    logs : the finished ones and the one being written, in order.
    """

    logs: list[StoredLog] = field(default_factory=list)
    _open: StoredLog | None = None
    _armed: bool = False
    _mode: int = -1
    _item: int = -1
    _fast_due_s: float = 0.0
    _gps_due_s: float = 0.0
    _slow_due_s: float = 0.0

    def run(self, ap: Autopilot, events: Sequence[Event]) -> None:
        """Writes what happened and what is due; call after every step."""
        if ap.armed:
            self._write_due(ap)
        for event in events:
            self._note(ap, event)
        if not ap.armed:
            self._write_due(ap)

    def _write_due(self, ap: Autopilot) -> None:
        if ap.armed != self._armed:
            self._arming_changed(ap)
        if not ap.armed or self._open is None:
            return
        writer, now_us = self._open.writer, _now_us(ap)
        if int(ap.mode) != self._mode:
            self._mode = int(ap.mode)
            writer.write(df.MODE, now_us, self._mode, self._mode, MODE_REASON_GCS)
        if ap.flying_mission and ap.mission_run.current != self._item:
            self._item = ap.mission_run.current
            _write_item(writer, ap, now_us)
        if ap.t_s >= self._fast_due_s:
            self._fast_due_s = ap.t_s + FAST_S - 1e-9
            _write_pose(writer, ap, now_us)
        if ap.t_s >= self._gps_due_s:
            self._gps_due_s = ap.t_s + GPS_S - 1e-9
            _write_gps(writer, ap, now_us)
        if ap.t_s >= self._slow_due_s:
            self._slow_due_s = ap.t_s + SLOW_S - 1e-9
            _write_battery(writer, ap, now_us)

    def _note(self, ap: Autopilot, event: Event) -> None:
        if self._open is None or not self._armed:
            return
        now_us = _now_us(ap)
        match event:
            case Text(_, text):
                self._open.writer.write(df.MSG, now_us, text)
            case Reached(seq):
                self._open.writer.write(df.MSG, now_us, f"Reached command #{seq}")
            case Photo():
                _write_photo(self._open.writer, ap, event, now_us)

    def erase(self) -> None:
        """LOG_ERASE: an empty card; the vehicle goes on in a new log when it is armed next."""
        self.logs.clear()
        self._open = None

    def _arming_changed(self, ap: Autopilot) -> None:
        self._armed = ap.armed
        if ap.armed and self._open is None:
            self._begin(ap)
        assert self._open is not None or not ap.armed
        if self._open is not None:
            state = 1 if ap.armed else 0
            self._open.writer.write(df.ARM, _now_us(ap), state, 1, 0, ARM_METHOD_GCS)
        if not ap.armed and ap.params["LOG_FILE_DSRMROT"] == 1:
            self._open = None
        self._mode = self._item = -1
        self._fast_due_s = self._gps_due_s = self._slow_due_s = ap.t_s

    def _begin(self, ap: Autopilot) -> None:
        now_us = _now_us(ap)
        number = self.logs[-1].number + 1 if self.logs else 1
        dated = ap.now if ap.t_s >= sensors.GPS_FIX_S else None
        log = StoredLog(number, DataFlashWriter(now_us), dated)
        for text in ("ArduCopter V4.7.0-dev (90700977)", "Frame: QUAD/PLUS"):
            log.writer.write(df.MSG, now_us, text)
        for place in range(len(ap.params)):
            param = ap.params.at(place)
            assert param is not None
            log.writer.write(df.PARM, now_us, param.name, param.value, param.value)
        for seq, item in enumerate(ap.mission_items.items):
            _write_command(log.writer, ap, seq, item, now_us)
        self.logs.append(log)
        self._open = log


def _now_us(ap: Autopilot) -> int:
    return int(ap.t_s * 1e6)


def gps_time(at: datetime) -> tuple[int, int]:
    """GPS week, and milliseconds of the week."""
    since_s = (at - GPS_EPOCH).total_seconds() + LEAP_S
    week, rest_s = divmod(since_s, WEEK_S)
    return int(week), round(rest_s * 1000.0)


def _write_pose(writer: DataFlashWriter, ap: Autopilot, now_us: int) -> None:
    body, position = ap.body, ap.position
    roll, pitch = math.degrees(body.roll_rad), math.degrees(body.pitch_rad)
    yaw = math.degrees(body.yaw_rad) % 360.0
    writer.write(df.ATT, now_us, roll, roll, pitch, pitch, yaw, yaw, 3)
    lat_deg, lon_deg = ap.frame.degrees(position[0], position[1])
    alt_amsl_m = ap.frame.alt_amsl_m(position[2])
    writer.write(df.POS, now_us, lat_deg, lon_deg, alt_amsl_m, ap.height_m(), position[2])


def _write_gps(writer: DataFlashWriter, ap: Autopilot, now_us: int) -> None:
    if not ap.estimator.has_fix(ap.t_s):
        writer.write(df.GPS, now_us, 0, 1, 0, 0, 0, 99.99, *(0.0,) * 7, 0)
        return
    body, position = ap.body, ap.position
    week, week_ms = gps_time(ap.now)
    lat_deg, lon_deg = ap.frame.degrees(position[0], position[1])
    course_deg = math.degrees(math.atan2(body.v_east_mps, body.v_north_mps)) % 360.0
    writer.write(
        df.GPS, now_us, 0, FIX_RTK, week_ms, week, int(ap.params["SIM_GPS1_NUMSATS"]), 1.21,
        lat_deg, lon_deg, ap.frame.alt_amsl_m(position[2]), body.ground_speed_mps, course_deg,
        -body.v_up_mps, 0.0, 1,
    )  # fmt: skip


def _write_battery(writer: DataFlashWriter, ap: Autopilot, now_us: int) -> None:
    pack = ap.battery
    volts, percent = pack.voltage_v, int(pack.charge * 100.0)
    writer.write(
        df.BAT, now_us, 0, volts, volts, pack.current_a, pack.used_mah, pack.used_wh, 25.0,
        0.015, percent, 1, 100,
    )  # fmt: skip


def _write_item(writer: DataFlashWriter, ap: Autopilot, now_us: int) -> None:
    items, seq = ap.mission_items.items, ap.mission_run.current
    if 0 <= seq < len(items):
        writer.write(df.MSG, now_us, f"Mission: {seq} command {items[seq].command}")


def _write_command(
    writer: DataFlashWriter, ap: Autopilot, seq: int, item: MissionItem, now_us: int
) -> None:
    params = [value if math.isfinite(value) else 0.0 for value in
              (item.param1, item.param2, item.param3, item.param4)]  # fmt: skip
    total = len(ap.mission_items.items)
    writer.write(
        df.CMD, now_us, total, seq, item.command, *params, item.x * 1e-7, item.y * 1e-7,
        item.z, item.frame,
    )  # fmt: skip


def _write_photo(writer: DataFlashWriter, ap: Autopilot, photo: Photo, now_us: int) -> None:
    week, week_ms = gps_time(photo.at)
    lat_deg, lon_deg = ap.frame.degrees(photo.position[0], photo.position[1])
    alt_amsl_m = ap.frame.alt_amsl_m(photo.position[2])
    body = ap.body
    rel = photo.position[2] - (ap.home[2] if ap.home else 0.0)
    writer.write(
        df.CAM, now_us, 0, photo.index, week_ms, week, lat_deg, lon_deg, alt_amsl_m, rel,
        alt_amsl_m, math.degrees(body.roll_rad), math.degrees(body.pitch_rad),
        math.degrees(body.yaw_rad) % 360.0,
    )  # fmt: skip
