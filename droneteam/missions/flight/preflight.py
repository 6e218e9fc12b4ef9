"""What must hold before a vehicle is armed: parameters to enforce, and checks on telemetry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from droneteam.geo import great_circle_distance_m
from droneteam.missions.airspace.fence import Fence, fence_of
from droneteam.missions.airspace.volumes import RiskParams
from droneteam.missions.airspace.wayhome import MIN_RETURN_M
from droneteam.missions.flight.reserve import (
    HEADWIND_MPS,
    RESERVE_PCT,
    USUAL_DRAIN_PCT_S,
    headwind_mps,
)
from droneteam.missions.items import (
    HomePoint,
    MissionCommand,
    MissionItem,
    WireItem,
    mission_hash,
    wire_fence,
    wire_mission,
)
from droneteam.missions.mavlink.codec import GROUND_SYSTEM_ID
from droneteam.missions.mavlink.messages import (
    Attitude,
    CopterMode,
    HomePosition,
    Position,
    RemoteIdStatus,
)
from droneteam.missions.mavlink.parameters import WantedParam

MAX_HOME_OFFSET_M = 150.0
"""A vehicle that stands farther from the planned take-off point is the wrong one or displaced."""
MIN_BATTERY_PCT = 40.0
FULL_PACK_PCT = 90.0
"""A flight that needs more than one pack starts with at least this much in the first."""
RTL_BATTERY_PCT = 25.0
MIN_SATELLITES = 6
FIX_3D = 3
REMOTE_ID_SILENT_S = 10.0
"""Ten reports missed (ArduPilot sends one a second); at 30 % loss by chance once in 170,000."""
DEFAULT_GCS_TIMEOUT_S = 5.0
"""ArduCopter's own FS_GCS_TIMEOUT."""
ONLY_THE_PILOT_FLIES_ON = 16.0
"""FS_OPTIONS: a lost ground station does not take a pilot's own mode away; AUTO returns."""
MIN_PAUSE_S = 1.5
"""A pause of this machine, in its own seconds, that must not end a sortie."""


@dataclass(frozen=True, slots=True)
class FlightOrder:
    """An approved mission as it is handed to the flight controller.

    expected_hash : of the approved items; fence : inclusion polygon items, may be empty;
    rtl_alt_m : height of the way home above take-off; may_arm : False after a restart in
    mid-sortie: then the flight is only watched; cells : of the pack, None to tell them by its
    voltage; headwind_mps : taken against the way home.
    """

    mission_id: int
    items: tuple[WireItem, ...]
    expected_hash: str
    fence: tuple[WireItem, ...]
    home: HomePoint
    takeoff_alt_home_m: float
    profile: tuple[WantedParam, ...]
    may_arm: bool = True
    rtl_alt_m: float = MIN_RETURN_M
    min_battery_pct: float = MIN_BATTERY_PCT
    rtl_battery_pct: float = RTL_BATTERY_PCT
    cells: int | None = None
    headwind_mps: float = HEADWIND_MPS


@dataclass(frozen=True, slots=True)
class Check:
    """One pre-flight check and what it found."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readings:
    """What the vehicle last said that the checks look at; None before it said so.

    remote_id_at_s : when the transmitter reported last, on the vehicle's clock, or was first heard;
    remote_id_wired : whether it was ever heard.
    """

    mode: int | None = None
    prearm_ok: bool = False
    absolute_position: bool = False
    remote_id: RemoteIdStatus | None = None
    remote_id_at_s: float | None = None
    remote_id_wired: bool = False
    voltage_v: float | None = None
    battery_pct: float | None = None
    fix_type: int = 0
    satellites: int = 0
    position: Position | None = None
    attitude: Attitude | None = None
    home: HomePosition | None = None


def flight_order(
    mission_id: int,
    items: Sequence[MissionItem],
    home: HomePoint,
    *,
    duration_s: float = 0.0,
    rtl_extra_m: float = 0.0,
    time_scale: float = 1.0,
    fence: Fence | None = None,
    wind_mps: float = 0.0,
) -> FlightOrder:
    """The order for a mission: wire items, the fence around them and the enforced parameters.

    duration_s : what the flight is expected to take: decides the charge to start with;
    rtl_extra_m : height added to the way home, so that drones of one team do not share it;
    fence : as it was planned and approved, derived from the items where it is not given; wind_mps :
    that the plan reckons with.
    """
    wire = wire_mission(items, home)
    planned = fence_of(items, home, RiskParams()) if fence is None else fence
    kept = planned.raised(rtl_extra_m)
    takeoffs = [
        item.alt_home_m
        for item in items
        if item.command is MissionCommand.TAKEOFF and item.alt_home_m is not None
    ]
    heights = [item.alt_home_m for item in items if item.alt_home_m is not None]
    return FlightOrder(
        mission_id=mission_id,
        items=wire,
        expected_hash=mission_hash(wire),
        fence=wire_fence(kept.corners),
        home=home,
        takeoff_alt_home_m=takeoffs[0] if takeoffs else max(heights, default=MIN_RETURN_M),
        profile=parameter_profile(kept, time_scale),
        rtl_alt_m=kept.return_home_m,
        min_battery_pct=_start_pct(duration_s),
        headwind_mps=headwind_mps(wind_mps),
    )


def _start_pct(duration_s: float) -> float:
    """The charge to take off with: of the flight and its reserve, a full pack at most."""
    needed = RESERVE_PCT + USUAL_DRAIN_PCT_S * duration_s
    return min(FULL_PACK_PCT, max(MIN_BATTERY_PCT, needed))


def parameter_profile(fence: Fence, time_scale: float) -> tuple[WantedParam, ...]:
    """The parameters that a vehicle must hold before it flies for the team.

    ArduCopter ships with the ground-station failsafe and the fence off; a killed controller
    then lets AUTO fly on.  Only heartbeats of MAV_GCS_SYSID hold that failsafe off, and some bits
    of FS_OPTIONS let AUTO fly on in spite of it.  The way home was checked as flown at RTL_ALT
    above take-off: no cone may lower it near home, no terrain raise it, and no final height end
    it above the ground.  A vehicle whose clock runs faster than ours sees our pauses longer,
    so its ground-station timeout grows with ``time_scale`` where the vehicle has that parameter.
    """
    gcs_timeout_s = min(120.0, max(DEFAULT_GCS_TIMEOUT_S, MIN_PAUSE_S * time_scale))
    ground, return_home_m = float(GROUND_SYSTEM_ID), round(fence.return_home_m, 2)
    return (
        WantedParam("ARMING_CHECK", 1.0, or_else="ARMING_SKIPCHK"),  # every check
        WantedParam("ARMING_SKIPCHK", 0.0, required=False),  # as newer versions name it
        WantedParam("FS_GCS_ENABLE", 1.0),
        WantedParam("FS_GCS_TIMEOUT", gcs_timeout_s, required=False),
        WantedParam("MAV_GCS_SYSID", ground, required=False, or_else="SYSID_MYGCS"),
        WantedParam("SYSID_MYGCS", ground, required=False),  # until version 4.6
        WantedParam("FS_OPTIONS", ONLY_THE_PILOT_FLIES_ON),
        WantedParam("FS_EKF_ACTION", 1.0),  # land where the position is lost
        WantedParam("FENCE_TYPE", 5.0),  # height (1) and polygon (4); no circle
        WantedParam("FENCE_ALT_MAX", math.ceil(fence.ceiling_home_m)),
        WantedParam("FENCE_ACTION", 1.0),  # return, or land where that fails
        WantedParam("FENCE_ENABLE", 1.0),
        WantedParam("BATT_FS_LOW_ACT", 2.0),  # return
        WantedParam("BATT_FS_CRT_ACT", 1.0),  # land
        WantedParam("RTL_ALT", round(return_home_m * 100.0), or_else="RTL_ALT_M"),
        WantedParam("RTL_ALT_M", return_home_m, required=False),  # in metres since version 4.7
        WantedParam("RTL_ALT_TYPE", 0.0),  # above take-off, not above terrain
        WantedParam("RTL_ALT_FINAL", 0.0, or_else="RTL_ALT_FINAL_M"),  # land
        WantedParam("RTL_ALT_FINAL_M", 0.0, required=False),
        WantedParam("RTL_CONE_SLOPE", 0.0),
    )


def checks(order: FlightOrder, readings: Readings) -> tuple[Check, ...]:
    """Every check; the vehicle may be armed when all have passed."""
    battery = readings.battery_pct
    return (
        Check(
            "mode GUIDED",
            readings.mode == CopterMode.GUIDED,
            "the pre-arm bit of another mode does not count",
        ),
        Check("position estimate", readings.absolute_position, "EKF on GPS"),
        Check("vehicle's own pre-arm checks", readings.prearm_ok, "SYS_STATUS"),
        Check(
            "GPS",
            readings.fix_type >= FIX_3D and readings.satellites >= MIN_SATELLITES,
            f"fix {readings.fix_type}, {readings.satellites} satellites",
        ),
        Check(
            "battery",
            battery is not None and battery >= order.min_battery_pct,
            f"{'unknown' if battery is None else f'{battery:.0f} %'}, "
            f"needs {order.min_battery_pct:.0f} %",
        ),
        _place_check(order, readings.position),
        _remote_id_check(readings),
    )


def _remote_id_check(readings: Readings) -> Check:
    """What the Remote ID transmitter says of itself.

    One that is not wired to the autopilot says nothing there and bars nothing: whether it
    transmits is then for the team's own receivers to tell.
    """
    if not readings.remote_id_wired:
        return Check("Remote ID", True, "no transmitter reports to the autopilot")
    fault = remote_id_fault(readings)
    if not fault and readings.remote_id is None:
        fault = "the transmitter has not said yet whether it is ready"
    return Check("Remote ID", not fault, fault or "the transmitter is ready")


def remote_id_fault(readings: Readings) -> str:
    """What is wrong with a transmitter that is wired to the vehicle; empty when nothing is."""
    status, at_s, position = readings.remote_id, readings.remote_id_at_s, readings.position
    if at_s is not None and position is not None and position.boot_s - at_s > REMOTE_ID_SILENT_S:
        if status is None:
            return "a transmitter is wired but does not say whether it is ready"
        return "the transmitter has fallen silent"
    if status is None or status.healthy:
        return ""
    return status.error or "the transmitter is not ready"


def _place_check(order: FlightOrder, position: Position | None) -> Check:
    """Whether the vehicle stands near the planned take-off point and inside its fence."""
    if position is None:
        return Check("take-off point", False, "the vehicle reports no position")
    away_m = great_circle_distance_m(
        position.lat_deg, position.lon_deg, order.home.lat_deg, order.home.lon_deg
    )
    inside = not order.fence or shapely.contains_xy(
        shapely.Polygon([(item.y, item.x) for item in order.fence]),
        position.lon_deg,
        position.lat_deg,
    )
    passed = away_m <= MAX_HOME_OFFSET_M and bool(inside)
    detail = f"{away_m:.0f} m from the planned point, {'inside' if inside else 'outside'} the fence"
    return Check("take-off point", passed, detail)
