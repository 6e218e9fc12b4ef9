"""One simulated ArduCopter: body, sensors, modes, mission and failsafes in simulated time.

No clock, no sockets: `step` moves it on, methods do what a command asks, and what it has to say
collects in `events` for whoever speaks MAVLink for it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sitl import estimator as sensors
from sitl.arming import arm_failures, prearm_failures, readiness_of
from sitl.battery import IDLE_A, Battery, flight_current_a
from sitl.breadcrumbs import Breadcrumbs
from sitl.dynamics import Body, Demand, Wind, clamp
from sitl.estimator import Estimator, GpsQuality
from sitl.events import Event, HomeSet, ParamSet, Photo, Reached, Text
from sitl.executor import MissionRun
from sitl.failsafe import FailsafeMonitor
from sitl.fence import BREACH_CODE, FenceKind, FenceLimits, FenceState, Point, breaches, zones_of
from sitl.frame import LocalFrame
from sitl.homing import plan_return
from sitl.items import ALT_LIMIT_M, Cmd, Frame, MissionItem
from sitl.manoeuvres import FlyTo, ReturnPlan
from sitl.missionstore import FenceItems, MissionItems, RallyItems
from sitl.modes import NEEDS_POSITION, Controller, Guided, Mode, controller_for
from sitl.navigation import Limits, Point3
from sitl.nose import Nose
from sitl.params import ParameterStore
from sitl.payload import Gimbal, Shutter
from sitl.shot import Shot
from sitl.speeds import Speeds
from sitl.transmitter import Transmitter

FLYING_STEP_S = 0.02
RESTING_STEP_S = 0.1
"""A disarmed vehicle has nothing to integrate; its timers do with this."""
SLOW_CHECK_S = 0.1
PREARM_REPEAT_S = 30.0
FARTHEST_M = 100_000.0
"""A target beyond this is a mistake (or NaN)."""
WIND_MAX_MPS = 60.0


@dataclass(frozen=True, slots=True)
class VehicleSetup:
    """What makes one vehicle of a fleet.

    frame : its origin is where the vehicle stands when it boots.
    boot_at : the simulated world's time at power-on.
    """

    sysid: int
    name: str
    serial: str
    frame: LocalFrame
    boot_at: datetime
    seed: int
    yaw_deg: float = 0.0
    gps: GpsQuality = field(default_factory=GpsQuality)
    params: tuple[tuple[str, float], ...] = ()


class Autopilot:
    """The vehicle with everything on board."""

    def __init__(self, setup: VehicleSetup, on_shot: Callable[[Shot], None] | None = None) -> None:
        self.setup = setup
        self.frame = setup.frame
        self.params = ParameterStore(dict(setup.params) | {"MAV_SYSID": setup.sysid})
        self.wind = Wind()
        self.rng = random.Random(setup.seed)
        self.t_s = 0.0
        self.body = Body(yaw_rad=math.radians(setup.yaw_deg))
        self.demand = Demand(yaw_rad=self.body.yaw_rad)
        self.estimator = Estimator(setup.gps)
        self.battery = Battery(self.params["BATT_CAPACITY"])
        self.gimbal = Gimbal()
        self.shutter = Shutter()
        self.rc = Transmitter()
        self.speeds = Speeds(self.params)
        self.nose = Nose(self.body.yaw_rad)
        self.mode = Mode.STABILIZE
        self.controller: Controller = controller_for(self.mode, self)
        self.armed = False
        self.armings = 0
        self.hardest_touch_mps = 0.0
        self.auto_armed = False
        self.landed = True
        self.home: Point3 | None = None
        self.breadcrumbs = Breadcrumbs()
        self.failsafe = FailsafeMonitor()
        self.fence = FenceState()
        self.mission_items = MissionItems(
            self._home_item, lambda: self.armed and self.mode is Mode.AUTO, self.say
        )
        self.fence_items = FenceItems(self.say)
        self.rally_items = RallyItems()
        self.mission_run = MissionRun()
        self.events: list[Event] = []
        self.position: Point3 = (0.0, 0.0, 0.0)
        self.position_good = False
        self.way: FlyTo | None = None
        self._on_shot = on_shot
        self._texts_told = 0
        self._next_slow_s = 0.0
        self._next_prearm_s = PREARM_REPEAT_S
        self._ground_since_s: float | None = 0.0
        self._flight_started_s: float | None = None
        self._fit_gimbal()

    # --- time ---------------------------------------------------------------------------

    @property
    def step_s(self) -> float:
        """How long the next step should be."""
        return FLYING_STEP_S if self.armed or not self.body.on_ground else RESTING_STEP_S

    def step(self, dt_s: float) -> None:
        """Moves the vehicle on by one interval."""
        self.t_s += dt_s
        slow = self.t_s >= self._next_slow_s
        if slow:
            self._slow_step()
        self.demand.motors = self.armed
        if self.armed:
            self.rc.update(self.t_s)
            self.controller.run(self, dt_s)
            self.nose.look_at_point(self.position)
            self.demand.yaw_rad = self.nose.yaw_rad
        else:
            self.demand.still()
        self.body.step(self.demand, self.wind, dt_s)
        self._believe()
        self._after_motion()
        self._run_camera(dt_s)

    def _believe(self) -> None:
        """Sets the believed place: the true one with the estimate's errors."""
        body, estimator = self.body, self.estimator
        self.position = (
            body.east_m + estimator.error_east_m,
            body.north_m + estimator.error_north_m,
            body.up_m + estimator.error_up_m,
        )

    def _slow_step(self) -> None:
        self._next_slow_s = self.t_s + SLOW_CHECK_S - 1e-9
        self._tell_start_texts()
        gps_on = self.params["SIM_GPS1_ENABLE"] == 1
        self.estimator.update(self.t_s, SLOW_CHECK_S, gps_on, self.rng)
        self.position_good = self.estimator.position_good(self.t_s)
        self._blow()
        self._draw_current(SLOW_CHECK_S)
        self.rc.failed = self.params["SIM_RC_FAIL"] != 0
        self.fence.enabled = self.params["FENCE_ENABLE"] == 1
        self.failsafe.update(self)
        if self.armed and not self.landed and self.position_good:
            self.breadcrumbs.drop(
                self.position, self.params["SRTL_ACCURACY"], int(self.params["SRTL_POINTS"])
            )
        if not self.armed and self.t_s >= self._next_prearm_s:
            self._next_prearm_s = self.t_s + PREARM_REPEAT_S
            for why in prearm_failures(readiness_of(self)):
                self.say(2, f"PreArm: {why}")

    def _tell_start_texts(self) -> None:
        texts = sensors.START_TEXTS
        while self._texts_told < len(texts) and texts[self._texts_told][0] <= self.t_s:
            _, severity, text = texts[self._texts_told]
            self._texts_told += 1
            self.say(severity, text)
        if self.home is None and self.t_s >= sensors.ORIGIN_SET_S and self.estimator.gps_present:
            self.home = (0.0, 0.0, 0.0)
            self.events.append(HomeSet())
            self.say(6, f"Field Elevation Set: {self.frame.alt_amsl_m(0.0):.0f}m")

    def _blow(self) -> None:
        wind, params = self.wind, self.params
        wind.speed_mps = clamp(params["SIM_WIND_SPD"], 0.0, WIND_MAX_MPS)
        wind.gust_mps = clamp(params["SIM_WIND_TURB"], 0.0, WIND_MAX_MPS)
        wind.from_deg = params["SIM_WIND_DIR"]
        wind.update(SLOW_CHECK_S, self.rng)

    def _draw_current(self, dt_s: float) -> None:
        self.battery.capacity_mah = max(1.0, self.params["BATT_CAPACITY"])
        self.battery.full_v = self.params["SIM_BATT_VOLTAGE"]
        body = self.body
        if body.on_ground:
            current = IDLE_A * (4.0 if self.armed else 1.0)
        else:
            air = math.hypot(
                body.v_east_mps - self.wind.east_mps, body.v_north_mps - self.wind.north_mps
            )
            current = flight_current_a(air, body.v_up_mps)
        self.battery.draw(current, dt_s)

    def _after_motion(self) -> None:
        body = self.body
        if body.impact_mps is not None:
            self.hardest_touch_mps = max(self.hardest_touch_mps, body.impact_mps)
            self.say(6, f"SIM Hit ground at {body.impact_mps:.6f} m/s")
        if not body.on_ground:
            self._ground_since_s = None
            if self.landed and body.up_m > 0.1:
                self.landed = False
                self._flight_started_s = self.t_s
            return
        if self._ground_since_s is None:
            self._ground_since_s = self.t_s
        rested_s = self.t_s - self._ground_since_s
        if rested_s > 1.0:
            self.landed = True
        delay_s = self.params["DISARM_DELAY"]
        if self.armed and self.landed and self.demand.v_up_mps <= 0.0 and 0.0 < delay_s < rested_s:
            self.disarm()

    def _run_camera(self, dt_s: float) -> None:
        body = self.body
        self.gimbal.step((body.east_m, body.north_m, body.up_m), body.yaw_rad, dt_s)
        if self.shutter.due(self.t_s, self.position[0], self.position[1]):
            self.take_photo()

    # --- what others may ask --------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The simulated world's time."""
        return self.setup.boot_at + timedelta(seconds=self.t_s)

    @property
    def mode_needs_position(self) -> bool:
        """Whether the present mode flies by position."""
        return self.mode in NEEDS_POSITION

    @property
    def flying_mission(self) -> bool:
        """Whether the mission is in command."""
        return self.mode is Mode.AUTO

    def height_m(self) -> float:
        """Believed height above home."""
        return self.position[2] - (self.home[2] if self.home else 0.0)

    def limits(self) -> Limits:
        """The speeds and accelerations in force."""
        return self.speeds.limits()

    def land_speed_mps(self, height_m: float) -> float:
        """How fast to descend for landing at a height above home."""
        return self.speeds.land_speed_mps(height_m)

    def up_of(self, alt_m: float, frame: Frame) -> float:
        """Height in the local frame of an altitude in a MAVLink frame."""
        match frame:
            case Frame.GLOBAL | Frame.GLOBAL_INT | Frame.MISSION:
                return self.frame.up_of_amsl_m(alt_m)
            case Frame.GLOBAL_TERRAIN_ALT | Frame.GLOBAL_TERRAIN_ALT_INT:
                return alt_m  # the simulated ground is level
        return alt_m + (self.home[2] if self.home else 0.0)

    def prearm_good(self) -> bool:
        """The pre-arm bit of SYS_STATUS."""
        return self.armed or not prearm_failures(readiness_of(self))

    def fence_violations(self, at: Point3 | None = None) -> FenceKind:
        """Which fences a place (else the present one) violates."""
        east, north, up = at or self.position
        home = self.home or (0.0, 0.0, 0.0)
        limits = FenceLimits(
            FenceKind(int(self.params["FENCE_TYPE"]) & 15),
            self.params["FENCE_ALT_MAX"],
            self.params["FENCE_ALT_MIN"],
            self.params["FENCE_RADIUS"],
        )
        zones = zones_of(self.fence_items.items, self.frame) if self.fence_items.valid else ()
        away: Point = (east - home[0], north - home[1])
        return breaches(limits, zones, away, up - home[2], (east, north))

    def fence_breach_code(self) -> int:
        """FENCE_BREACH of what is breached now, 0 for nothing."""
        for kind, code in BREACH_CODE.items():
            if kind in self.fence.breached:
                return code
        return 0

    def return_plan(self) -> ReturnPlan:
        """How RTL would go from here."""
        home = self.home or (0.0, 0.0, 0.0)
        rally = [self.frame.metres(i.lat_deg, i.lon_deg) for i in self.rally_items.items]
        return plan_return(self.params, home, rally, self.position)

    # --- commands -------------------------------------------------------------------------

    def say(self, severity: int, text: str) -> None:
        """A text for everybody."""
        self.events.append(Text(severity, text))

    def reached(self, seq: int) -> None:
        """A mission item is done."""
        self.events.append(Reached(seq))

    def set_param(self, name: str, value: float) -> bool:
        """Sets a parameter; false when there is none of that name."""
        if self.params.set(name, value) is None:
            return False
        self.events.append(ParamSet(name))
        self.speeds.params_changed()
        self._fit_gimbal()
        return True

    def _fit_gimbal(self) -> None:
        self.gimbal.pitch_min_rad = math.radians(self.params["MNT1_PITCH_MIN"])
        self.gimbal.pitch_max_rad = math.radians(self.params["MNT1_PITCH_MAX"])

    def change_mode(self, mode: Mode, *, quietly: bool = False) -> bool:
        """Enters a mode, if its needs are met (a disarmed vehicle enters any)."""
        if mode is self.mode:
            return True
        why = self._mode_refusal(mode) if self.armed else None
        if why is not None:
            if not quietly:
                name = "SmartRTL" if mode is Mode.SMART_RTL else mode.name
                self.say(4, f"Mode change to {name} failed: {why}")
            return False
        self.force_mode(mode)
        return True

    def _mode_refusal(self, mode: Mode) -> str | None:
        if mode in NEEDS_POSITION and not self.position_good:
            return "requires position"
        if mode is Mode.SMART_RTL and (self.breadcrumbs.full or not self.breadcrumbs.points):
            return "init failed"
        if mode is Mode.AUTO:
            items = self.mission_items.items
            if len(items) < 2:
                return "init failed"
            if self.landed and items[1].command != Cmd.NAV_TAKEOFF:
                self.say(2, "Auto: Missing Takeoff Cmd")
                return "init failed"
        return None

    def force_mode(self, mode: Mode) -> None:
        """Enters a mode without asking."""
        left_by_choice = self.fence.breached and mode not in (Mode.RTL, Mode.LAND)
        if left_by_choice and not self.fence.recovering:
            self.fence.recovering = True
            self.say(6, "Manual recovery started")
        self.mode = mode
        self.speeds.reset(returning=mode is Mode.RTL)
        self.way = None
        self.nose = Nose(self.body.yaw_rad, self.nose.point if mode is Mode.AUTO else None)
        self.controller = controller_for(mode, self)
        if mode is Mode.AUTO and self.armed and len(self.mission_items.items) > 1:
            self.mission_run.start_or_resume(self)

    def arm(self, *, force: bool = False) -> bool:
        """Starts the motors if the checks allow it."""
        if self.armed:
            return True
        if not force:
            failures = arm_failures(readiness_of(self))
            for why in failures:
                self.say(2, f"Arm: {why}")
            if failures:
                return False
        self.armed, self.auto_armed = True, False
        self.armings += 1
        self.landed = self.body.on_ground
        self._ground_since_s = self.t_s
        self.nose = Nose(self.body.yaw_rad)
        self.controller = controller_for(self.mode, self)
        self.mission_run.reset()
        if self.position_good:
            self.set_home_here()
            self.breadcrumbs.start(self.position)
        self.say(6, "Arming motors")
        if self.mode is Mode.AUTO and len(self.mission_items.items) > 1:
            self.mission_run.start_or_resume(self)
        return True

    def disarm(self, *, force: bool = False) -> bool:
        """Stops the motors; in the air only by force."""
        if not self.armed:
            return True
        if not self.body.on_ground and not force:
            return False
        self.armed = self.auto_armed = False
        self.demand.still()
        self.shutter.by_distance(0.0)
        self.shutter.stop()
        self.fence.breached, self.fence.recovering = FenceKind(0), False
        if self._flight_started_s is not None:
            flown = self.params["STAT_FLTTIME"] + self.t_s - self._flight_started_s
            self.params.set("STAT_FLTTIME", flown)
            self._flight_started_s = None
        self.say(6, "Disarming motors")
        return True

    def take_off(self, height_m: float) -> bool:
        """Starts a guided take-off to a height above home."""
        controller = self.controller
        if not self.armed or not self.landed or not isinstance(controller, Guided):
            return False
        if not 0.0 < height_m < ALT_LIMIT_M:
            return False
        self.auto_armed = True
        controller.take_off((self.home[2] if self.home else 0.0) + height_m)
        return True

    def go_to(self, east_m: float, north_m: float, up_m: float) -> bool:
        """Flies to a point in GUIDED; refused outside the fence or in another mode."""
        controller = self.controller
        if not isinstance(controller, Guided) or not self.position_good:
            return False
        if not math.dist((east_m, north_m, up_m), self.position) < FARTHEST_M:
            return False
        if self.fence.enabled and self.fence_violations((east_m, north_m, up_m)):
            return False
        controller.go_to(east_m, north_m, up_m)
        return True

    def start_mission(self) -> bool:
        """MISSION_START: AUTO, and off the ground."""
        if not self.change_mode(Mode.AUTO):
            return False
        if self.armed:
            self.auto_armed = True
        return True

    def enable_fence(self, on: bool) -> None:
        """DO_FENCE_ENABLE."""
        self.set_param("FENCE_ENABLE", 1.0 if on else 0.0)
        self.fence.enabled = on

    def set_home(self, east_m: float, north_m: float, up_m: float) -> None:
        """Moves home."""
        self.home = (east_m, north_m, up_m)
        self.events.append(HomeSet())

    def set_home_here(self) -> bool:
        """Moves home to the present place; false without a position."""
        if not self.position_good:
            return False
        self.set_home(*self.position)
        return True

    def take_photo(self) -> None:
        """Fires the shutter; without a camera nothing happens or is said, as on ArduCopter."""
        if self.params["CAM1_TYPE"] == 0:
            return
        self.shutter.count += 1
        self.events.append(Photo(self.shutter.count, self.now, self.position))
        if self._on_shot is not None:
            self._on_shot(self._shot())

    def _shot(self) -> Shot:
        body = self.body
        lat_deg, lon_deg = self.frame.degrees(body.east_m, body.north_m)
        yaw_deg = math.degrees(body.yaw_rad + self.gimbal.yaw_off_nose_rad) % 360.0
        return Shot(
            drone=self.setup.name,
            index=self.shutter.count,
            at=self.now,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            alt_ellipsoid_m=self.frame.alt_ellipsoid_m + body.up_m,
            alt_home_m=body.up_m - (self.home[2] if self.home else 0.0),
            yaw_deg=yaw_deg,
            pitch_deg=math.degrees(self.gimbal.pitch_rad),
            roll_deg=0.0,
            velocity_enu_mps=(body.v_east_mps, body.v_north_mps, body.v_up_mps),
        )

    def _home_item(self) -> MissionItem:
        if self.home is None:
            return MissionItem(Cmd.NAV_WAYPOINT)
        lat_deg, lon_deg = self.frame.degrees(self.home[0], self.home[1])
        alt_amsl_m = round(self.frame.alt_amsl_m(self.home[2]), 2)
        return MissionItem(
            Cmd.NAV_WAYPOINT, x=round(lat_deg * 1e7), y=round(lon_deg * 1e7), z=alt_amsl_m
        )

    def look_at(self, point: Point3 | None) -> None:
        """Keeps camera and nose on a point; None lets go."""
        self.nose.point = point
        if point is None:
            self.gimbal.release()
        else:
            self.gimbal.point_at(*point)

    def look_along(self, way: FlyTo) -> None:
        """Tells which leg is being flown; the nose follows it."""
        self.way = way
        returning = self.mode in (Mode.RTL, Mode.SMART_RTL)
        self.nose.look_along(way, int(self.params["WP_YAW_BEHAVIOR"]), returning=returning)
