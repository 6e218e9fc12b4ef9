"""A vehicle on a bench: simulated time, ground stations in memory, every byte through MAVLink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.autopilot import Autopilot, VehicleSetup
from sitl.estimator import GpsQuality
from sitl.frame import LocalFrame
from sitl.items import Cmd, Frame, MissionItem
from sitl.modes import Mode
from sitl.shot import Shot
from sitl.station import Station

HOME = LocalFrame(50.8197, 4.3908, 100.0, 43.6)
BOOT_AT = datetime(2025, 6, 12, 9, 30, tzinfo=UTC)
EXACT = GpsQuality(0.0, 0.0)
READY_S = 42.0


class Gcs:
    """One ground station's end of a connection."""

    def __init__(self, bench: Bench, sysid: int) -> None:
        self.received: list[Any] = []
        self._bench = bench
        self._mav = mav.MAVLink(None, srcSystem=sysid, srcComponent=190)
        self._channel = bench.station.open(self._hear)

    def _hear(self, data: bytes) -> None:
        self.received += self._mav.parse_buffer(data) or []

    def send(self, message: Any) -> None:
        self._bench.station.receive(self._channel, message.pack(self._mav))

    def send_bytes(self, data: bytes) -> None:
        self._bench.station.receive(self._channel, data)

    def hang_up(self) -> None:
        self._bench.station.close(self._channel)

    def of(self, kind: str) -> list[Any]:
        return [message for message in self.received if message.get_type() == kind]

    def last(self, kind: str) -> Any:
        return self.of(kind)[-1]

    def texts(self) -> list[str]:
        return [message.text for message in self.of("STATUSTEXT")]

    def clear(self) -> None:
        self.received.clear()

    def heartbeat(self) -> None:
        self.send(mav.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3))

    def command(self, command: int, *params: float) -> int:
        """The result of a COMMAND_LONG."""
        given = [*params, *(0.0,) * (7 - len(params))]
        before = len(self.of("COMMAND_ACK"))
        self.send(mav.MAVLink_command_long_message(1, 1, command, 0, *given))
        acks = self.of("COMMAND_ACK")[before:]
        assert [ack.command for ack in acks] == [command]
        return int(acks[0].result)

    def command_int(self, command: int, frame: int, params: Sequence[float], where: Any) -> int:
        """The result of a COMMAND_INT at (lat_e7, lon_e7, z)."""
        before = len(self.of("COMMAND_ACK"))
        self.send(mav.MAVLink_command_int_message(1, 1, frame, command, 0, 0, *params, *where))
        return int(self.of("COMMAND_ACK")[before:][0].result)

    def set_mode(self, mode: Mode) -> int:
        return self.command(mav.MAV_CMD_DO_SET_MODE, 1, int(mode))

    def set_param(self, name: str, value: float) -> None:
        self.send(mav.MAVLink_param_set_message(1, 1, name.encode(), value, 9))

    def item_message(self, seq: int, item: MissionItem, kind: int = 0, current: int = 0) -> Any:
        params = (item.param1, item.param2, item.param3, item.param4)
        return mav.MAVLink_mission_item_int_message(
            1, 1, seq, item.frame, item.command, current, 1, *params, item.x, item.y, item.z, kind
        )

    def upload(self, items: Sequence[MissionItem], kind: int = 0) -> int:
        """Uploads as the vehicle asks; the result in the final ACK."""
        self.clear()
        self.send(mav.MAVLink_mission_count_message(1, 1, len(items), kind))
        while not self.of("MISSION_ACK"):
            seq = self.last("MISSION_REQUEST").seq
            self.send(self.item_message(seq, items[seq], kind))
        return int(self.last("MISSION_ACK").type)

    def download(self, kind: int = 0) -> list[Any]:
        """All items, read with MISSION_REQUEST_INT."""
        self.clear()
        self.send(mav.MAVLink_mission_request_list_message(1, 1, kind))
        count = self.last("MISSION_COUNT").count
        for seq in range(count):
            self.send(mav.MAVLink_mission_request_int_message(1, 1, seq, kind))
        return self.of("MISSION_ITEM_INT")


class Bench:
    """One vehicle with its stations; time passes only when told."""

    def __init__(self, *, ready: bool = True, gps: GpsQuality = EXACT, **params: float) -> None:
        self.shots: list[Shot] = []
        setup = VehicleSetup(
            sysid=1,
            name="drone-01",
            serial="DTSMA0000000001",
            frame=HOME,
            boot_at=BOOT_AT,
            seed=1,
            gps=gps,
            params=tuple(params.items()),
        )
        self.ap = Autopilot(setup, self.shots.append)
        self.station = Station(self.ap)
        self.gcs = self.join(255)
        self.track: list[tuple[float, float, float]] = []
        if ready:
            self.run(READY_S)

    def join(self, sysid: int) -> Gcs:
        return Gcs(self, sysid)

    def run(self, seconds: float) -> None:
        self.run_until(lambda: False, seconds, required=False)

    def run_until(
        self, done: Callable[[], bool], limit_s: float = 300.0, *, required: bool = True
    ) -> float:
        """Lets time pass until something holds; returns how long that took."""
        ap, start_s = self.ap, self.ap.t_s
        while ap.t_s - start_s < limit_s - 1e-6:
            ap.step(ap.step_s)
            self.station.poll()
            if ap.armed:
                self.track.append(ap.position)
            if done():
                return ap.t_s - start_s
        assert not required, f"not within {limit_s} s"
        return limit_s

    def hover(self, height_m: float = 20.0) -> None:
        """Arms in GUIDED and climbs."""
        assert self.gcs.set_mode(Mode.GUIDED) == 0
        assert self.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
        assert self.gcs.command(mav.MAV_CMD_NAV_TAKEOFF, *(0.0,) * 6, height_m) == 0
        self.run_until(lambda: self.ap.height_m() > height_m - 0.2)
        self.run(3.0)

    def fly_mission(self, items: Sequence[MissionItem], limit_s: float = 400.0) -> None:
        """Uploads, arms, starts and waits for the motors to stop."""
        self.start_mission(items)
        self.run_until(lambda: not self.ap.armed, limit_s)

    def start_mission(self, items: Sequence[MissionItem]) -> None:
        assert self.gcs.upload(items) == 0
        assert self.gcs.set_mode(Mode.GUIDED) == 0
        assert self.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0
        assert self.gcs.command(mav.MAV_CMD_MISSION_START) == 0


def at(
    east_m: float, north_m: float, height_m: float, command: int = Cmd.NAV_WAYPOINT, **more: Any
) -> MissionItem:
    """An item at a place in metres from home."""
    lat_deg, lon_deg = HOME.degrees(east_m, north_m)
    x, y = round(lat_deg * 1e7), round(lon_deg * 1e7)
    frame = more.pop("frame", Frame.GLOBAL_RELATIVE_ALT)
    return MissionItem(command, frame, x=x, y=y, z=height_m, **more)


def do(command: int, *params: float, **more: Any) -> MissionItem:
    """An item without a place."""
    names = ("param1", "param2", "param3", "param4")
    return MissionItem(command, Frame.MISSION, **dict(zip(names, params, strict=False)), **more)


HOME_ITEM = at(0.0, 0.0, 0.0)
TAKE_OFF_20 = MissionItem(Cmd.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT, z=20.0)
RETURN = do(Cmd.NAV_RETURN_TO_LAUNCH)
