"""Mission items: what a vehicle is asked to do, and the hash that binds an approval to it.

Numbers are those of MAV_CMD and MAV_FRAME (MAVLink common message set), because every file
format and the link itself speak them.  Inside a plan every altitude is above the take-off
point; readers of files convert and refuse what they cannot convert.

Values are rounded to what a vehicle stores (1e-7 degree, 1 cm, 0.01 of a parameter), so that a
mission read back hashes to the same digest as the one planned.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from droneteam.errors import InputError
from droneteam.geo import check_lat_lon

MAX_ALT_HOME_M = 500.0
"""No sortie of the team goes higher; a larger value is a mistyped unit or frame."""
MIN_ALT_HOME_M = -200.0
"""A site may lie below the take-off point (a quarry, a river bank)."""
MAX_ITEMS = 650
"""What a real ArduCopter stores ("Only 650 items are supported")."""


class MissionCommand(IntEnum):
    """The commands that plans are made of (MAV_CMD)."""

    WAYPOINT = 16
    LOITER_TIME = 19
    RETURN_TO_LAUNCH = 20
    LAND = 21
    TAKEOFF = 22
    DELAY = 93
    CONDITION_YAW = 115
    DO_CHANGE_SPEED = 178
    DO_SET_ROI_LOCATION = 195
    DO_SET_ROI_NONE = 197
    DO_DIGICAM_CONTROL = 203
    DO_MOUNT_CONTROL = 205
    DO_SET_CAM_TRIGG_DIST = 206
    DO_GIMBAL_MANAGER_PITCHYAW = 1000
    IMAGE_START_CAPTURE = 2000
    IMAGE_STOP_CAPTURE = 2001
    FENCE_POLYGON_INCLUSION = 5001
    FENCE_POLYGON_EXCLUSION = 5002
    FENCE_CIRCLE_INCLUSION = 5003
    FENCE_CIRCLE_EXCLUSION = 5004
    RALLY_POINT = 5100


class Frame(IntEnum):
    """What an item's position is relative to (MAV_FRAME)."""

    GLOBAL = 0
    MISSION = 2
    GLOBAL_RELATIVE = 3
    GLOBAL_INT = 5
    GLOBAL_RELATIVE_INT = 6
    TERRAIN = 10
    TERRAIN_INT = 11


class MissionType(IntEnum):
    """The three lists that a vehicle stores (MAV_MISSION_TYPE)."""

    MISSION = 0
    FENCE = 1
    RALLY = 2


POSITIONED = frozenset(
    {
        MissionCommand.WAYPOINT,
        MissionCommand.LOITER_TIME,
        MissionCommand.LAND,
        MissionCommand.TAKEOFF,
        MissionCommand.DO_SET_ROI_LOCATION,
    }
)
"""Commands whose last three parameters are a position above home."""

_STORED_PARAMS: dict[int, tuple[int, ...]] = {
    MissionCommand.WAYPOINT: (0,),
    MissionCommand.LOITER_TIME: (0,),
    MissionCommand.RETURN_TO_LAUNCH: (),
    MissionCommand.LAND: (),
    MissionCommand.TAKEOFF: (),
    MissionCommand.DELAY: (0,),
    MissionCommand.DO_CHANGE_SPEED: (0, 1),
    MissionCommand.DO_SET_ROI_LOCATION: (),
    MissionCommand.DO_SET_ROI_NONE: (),
    MissionCommand.DO_MOUNT_CONTROL: (0, 1, 2),
    MissionCommand.DO_SET_CAM_TRIGG_DIST: (0, 2),
    MissionCommand.DO_GIMBAL_MANAGER_PITCHYAW: (0, 1),
    MissionCommand.FENCE_POLYGON_INCLUSION: (0,),
    MissionCommand.FENCE_POLYGON_EXCLUSION: (0,),
    MissionCommand.FENCE_CIRCLE_INCLUSION: (0,),
    MissionCommand.FENCE_CIRCLE_EXCLUSION: (0,),
    MissionCommand.RALLY_POINT: (),
}
"""Which of param1…4 ArduCopter keeps per command; the others read back as zero."""

_HORIZONTAL_ONLY = frozenset(
    {
        MissionCommand.FENCE_POLYGON_INCLUSION,
        MissionCommand.FENCE_POLYGON_EXCLUSION,
        MissionCommand.FENCE_CIRCLE_INCLUSION,
        MissionCommand.FENCE_CIRCLE_EXCLUSION,
    }
)


@dataclass(frozen=True, slots=True)
class HomePoint:
    """Where the vehicle takes off, and how high that is above the geoid; None where unknown."""

    lat_deg: float
    lon_deg: float
    alt_amsl_m: float | None = None

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        if self.alt_amsl_m is not None and not -500.0 <= self.alt_amsl_m <= 6000.0:
            raise InputError(
                "home alt_amsl_m {alt_amsl_m} outside [-500, 6000]",
                field="home.alt_amsl_m",
                alt_amsl_m=self.alt_amsl_m,
            )

    @property
    def written_amsl_m(self) -> float:
        """What a link or a file gets that knows no unknown: 0 then; never to be reckoned with."""
        return 0.0 if self.alt_amsl_m is None else self.alt_amsl_m

    def rise_from_m(self, other: HomePoint) -> float | None:
        """How much higher this point lies than another; None where either is unknown."""
        if self.alt_amsl_m is None or other.alt_amsl_m is None:
            return None
        return self.alt_amsl_m - other.alt_amsl_m


@dataclass(frozen=True, slots=True)
class MissionItem:
    """One command of a plan.

    params : param1…4; lat_deg, lon_deg, alt_home_m : None for a command without a position;
    extra : param5…7 of a command without a position.
    """

    command: MissionCommand
    params: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    lat_deg: float | None = None
    lon_deg: float | None = None
    alt_home_m: float | None = None
    extra: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.params, *self.extra))):
            raise InputError(
                "{command}: a parameter is not a finite number", command=self.command.name
            )
        if (self.lat_deg is None) != (self.lon_deg is None):
            raise InputError(
                "{command}: latitude and longitude come together", command=self.command.name
            )
        if self.lat_deg is not None and self.lon_deg is not None:
            check_lat_lon(self.lat_deg, self.lon_deg)
        if self.alt_home_m is not None and not (
            MIN_ALT_HOME_M <= self.alt_home_m <= MAX_ALT_HOME_M
        ):
            raise InputError(
                "{command}: alt_home_m {alt_home_m} outside [{low_m:.0f}, {high_m:.0f}]",
                field="alt_home_m",
                command=self.command.name,
                alt_home_m=self.alt_home_m,
                low_m=MIN_ALT_HOME_M,
                high_m=MAX_ALT_HOME_M,
            )

    @property
    def has_position(self) -> bool:
        """Whether the item names a place."""
        return self.lat_deg is not None


@dataclass(frozen=True, slots=True)
class WireItem:
    """One item as a vehicle exchanges it: x, y are degrees where the command has a position."""

    seq: int
    frame: int
    command: int
    params: tuple[float, float, float, float]
    x: float
    y: float
    z: float
    mission_type: MissionType = MissionType.MISSION
    current: bool = False


def quantised(item: MissionItem) -> MissionItem:
    """The item rounded to what a vehicle stores."""
    p1, p2, p3, p4 = item.params
    return MissionItem(
        command=item.command,
        params=(round(p1, 2), round(p2, 2), round(p3, 2), round(p4, 2)),
        lat_deg=None if item.lat_deg is None else round(item.lat_deg, 7),
        lon_deg=None if item.lon_deg is None else round(item.lon_deg, 7),
        alt_home_m=None if item.alt_home_m is None else round(item.alt_home_m, 2),
        extra=item.extra,
    )


def wire_mission(items: Sequence[MissionItem], home: HomePoint) -> tuple[WireItem, ...]:
    """The mission as it goes over the link: the home position first, as ArduPilot expects.

    Raises
    ------
    InputError
        When the vehicle cannot store that many items.
    """
    if len(items) + 1 > MAX_ITEMS:
        raise InputError(
            "{count} items; the vehicle stores {most} besides home: split the area",
            field="polygon",
            count=len(items),
            most=MAX_ITEMS - 1,
        )
    first = WireItem(
        seq=0,
        frame=Frame.GLOBAL,
        command=MissionCommand.WAYPOINT,
        params=(0.0, 0.0, 0.0, 0.0),
        x=home.lat_deg,
        y=home.lon_deg,
        z=home.written_amsl_m,
    )
    return (first, *(_wire_item(seq, item) for seq, item in enumerate(items, start=1)))


def _wire_item(seq: int, item: MissionItem) -> WireItem:
    if item.command in POSITIONED:
        return WireItem(
            seq=seq,
            frame=Frame.GLOBAL_RELATIVE,
            command=item.command,
            params=item.params,
            x=item.lat_deg or 0.0,
            y=item.lon_deg or 0.0,
            z=item.alt_home_m or 0.0,
        )
    x, y, z = item.extra
    return WireItem(
        seq=seq, frame=Frame.MISSION, command=item.command, params=item.params, x=x, y=y, z=z
    )


def wire_fence(polygon: Sequence[tuple[float, float]]) -> tuple[WireItem, ...]:
    """An inclusion polygon (lat_deg, lon_deg corners, not closed) as fence items."""
    if len(polygon) < 3:
        raise InputError("a fence needs 3 corners, not {count}", field="fence", count=len(polygon))
    return tuple(
        WireItem(
            seq=seq,
            frame=Frame.GLOBAL,
            command=MissionCommand.FENCE_POLYGON_INCLUSION,
            params=(float(len(polygon)), 0.0, 0.0, 0.0),
            x=lat_deg,
            y=lon_deg,
            z=0.0,
            mission_type=MissionType.FENCE,
        )
        for seq, (lat_deg, lon_deg) in enumerate(polygon)
    )


def stored_form(item: WireItem) -> tuple[object, ...]:
    """What of an item survives in a vehicle's storage: the part that two copies must share."""
    command = item.command
    kept = _STORED_PARAMS.get(command, (0, 1, 2, 3))
    params = tuple(round(item.params[i] * 100) for i in kept)
    if command == MissionCommand.TAKEOFF:
        return (command, params, round(item.z * 100))
    if command in POSITIONED:
        relative = item.frame in (Frame.GLOBAL_RELATIVE, Frame.GLOBAL_RELATIVE_INT)
        return (
            command,
            params,
            relative,
            round(item.x * 1e7),
            round(item.y * 1e7),
            round(item.z * 100),
        )
    if command == MissionCommand.RALLY_POINT:  # its height is kept in whole metres
        relative = item.frame in (Frame.GLOBAL_RELATIVE, Frame.GLOBAL_RELATIVE_INT)
        return (command, relative, round(item.x * 1e7), round(item.y * 1e7), round(item.z))
    if command in _HORIZONTAL_ONLY:
        return (command, params, round(item.x * 1e7), round(item.y * 1e7))
    return (command, params)


def differences(ours: Sequence[WireItem], theirs: Sequence[WireItem]) -> tuple[str, ...]:
    """How two copies of a list differ, one sentence per difference; empty when they do not.

    Item 0 of a mission is skipped: the vehicle replaces it by its own home position.
    """
    found = []
    if len(ours) != len(theirs):
        found.append(f"{len(ours)} items here, {len(theirs)} on the vehicle")
    for mine, other in zip(ours, theirs, strict=False):
        if mine.mission_type is MissionType.MISSION and mine.seq == 0:
            continue
        if stored_form(mine) != stored_form(other):
            found.append(f"item {mine.seq}: {stored_form(mine)} here, {stored_form(other)} there")
    return tuple(found)


def mission_hash(items: Sequence[WireItem]) -> str:
    """SHA-256 over what the vehicle stores of a mission, without its home position."""
    body = [stored_form(item) for item in items if item.seq > 0]
    return hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()
