"""Flying a mission: ArduPilot's order of navigation and do commands.

One navigation command is flown at a time.  The do and condition commands between it and the next
run while it is flown, one after the other: the first of them before the navigation command
starts, as on the real one ("Mission: 2 ChangeSpeed", "Mission: 4 WP", "Mission: 3 SetCamTrigDst").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from sitl.actions import do_command
from sitl.dynamics import wrap_pi
from sitl.items import MISSION_SPECS, Cmd, Frame, MissionItem
from sitl.manoeuvres import LOOK_AHEAD, Circle, Craft, FlyTo, Hold, Land, Manoeuvre, Return, TakeOff
from sitl.navigation import Point3

if TYPE_CHECKING:
    from sitl.autopilot import Autopilot

CIRCLE_RADIUS_M = 10.0
"""CIRCLE_RADIUS, for turns without a radius."""
YAW_DONE_RAD = math.radians(2.0)


class MissionState(IntEnum):
    """MISSION_STATE, as MISSION_CURRENT tells it."""

    NO_MISSION = 1
    NOT_STARTED = 2
    ACTIVE = 3
    PAUSED = 4
    COMPLETE = 5


PASSING = frozenset({Cmd.NAV_WAYPOINT, Cmd.NAV_SPLINE_WAYPOINT})


@dataclass(slots=True)
class MissionRun:
    """Where the mission stands."""

    current: int = 0
    started: bool = False
    complete: bool = False
    paused: bool = False
    _task: Manoeuvre | None = None
    _task_seq: int = 0
    _nav_done_at_s: float | None = None
    _do_next: int = 0
    _do_until: int = 0
    _condition: int | None = None
    _condition_since_s: float = 0.0
    _condition_yaw_rad: float = 0.0
    _jumps: dict[int, int] = field(default_factory=dict)
    _changes_seen: int = 0
    _target: Point3 | None = None
    """Where the last leg ended; the next one starts there."""

    def state(self, items: list[MissionItem]) -> MissionState:
        """What MISSION_CURRENT tells."""
        if len(items) < 2:
            return MissionState.NO_MISSION
        if self.complete:
            return MissionState.COMPLETE
        if self.paused:
            return MissionState.PAUSED
        return MissionState.ACTIVE if self.started else MissionState.NOT_STARTED

    def start_or_resume(self, ap: Autopilot) -> None:
        """Begins at the first item, or again with the one that was being flown."""
        self._changes_seen = ap.mission_items.changes
        self._target = None
        self.paused = False
        restart = ap.params["MIS_RESTART"] == 1
        if self.complete or not self.started or restart:
            self.reset()
            self.started = True
            self._advance(ap, 1)
        else:
            self._start_nav(ap, self.current)

    def reset(self) -> None:
        """Forgets all progress."""
        self.current, self.started, self.complete, self.paused = 0, False, False, False
        self._task = None
        self._condition = None
        self._do_next = self._do_until = 0
        self._jumps.clear()

    def set_current(self, ap: Autopilot, seq: int) -> bool:
        """Goes to an item; false when there is none of that number."""
        if not 0 <= seq < len(ap.mission_items.items):
            return False
        self.complete = False
        self._jumps.clear()
        if self.started and ap.flying_mission:
            self._advance(ap, max(1, seq))
        else:
            self.current = seq
            self.started = self.started or seq > 0
        return True

    def pause(self) -> None:
        """Holds here until `resume`."""
        self.paused = True
        self._task = Hold()

    def resume(self, ap: Autopilot) -> None:
        """Goes on with the item that was paused."""
        if self.paused:
            self.paused = False
            self._target = None
            self._start_nav(ap, self.current)

    def update(self, ap: Autopilot, dt_s: float) -> None:
        """Flies on for one step."""
        if ap.mission_items.changes != self._changes_seen:
            self._notice_change(ap)
        if ap.landed and not ap.auto_armed:
            ap.demand.still()
            return
        if self._task is None:
            self._task = Hold()
        done = self._task.run(ap, dt_s)
        if isinstance(self._task, FlyTo):
            ap.look_along(self._task)
        if self.paused or self.complete or not self.started:
            return
        self._run_do_commands(ap)
        if self._nav_complete(ap, done):
            self._reached(ap)

    def _notice_change(self, ap: Autopilot) -> None:
        self._changes_seen = ap.mission_items.changes
        items = ap.mission_items.items
        if self.paused or self.complete or not self.started:
            return
        if 0 < self.current < len(items):
            self._target = None
            self._start_nav(ap, self.current)
            ap.say(2, "Auto mission changed, restarted command")

    def _nav_complete(self, ap: Autopilot, done: bool) -> bool:
        if not done:
            return False
        if self._nav_done_at_s is None:
            self._nav_done_at_s = ap.t_s
        return ap.t_s - self._nav_done_at_s >= self._stay_s(ap.mission_items.items[self.current])

    def _stay_s(self, item: MissionItem) -> float:
        match item.command:
            case Cmd.NAV_WAYPOINT | Cmd.NAV_SPLINE_WAYPOINT | Cmd.NAV_LOITER_TIME | Cmd.NAV_DELAY:
                return item.param1
            case Cmd.NAV_LOITER_UNLIM:
                return math.inf
            case _:
                return 0.0

    def _reached(self, ap: Autopilot) -> None:
        item = ap.mission_items.items[self.current]
        ap.reached(self.current)
        if item.command in PASSING:
            ap.say(6, f"Reached command #{self.current}")
        if item.command in (Cmd.NAV_RETURN_TO_LAUNCH, Cmd.NAV_LAND):
            ap.disarm()
        self._advance(ap, self.current + 1)

    def _advance(self, ap: Autopilot, seq: int) -> None:
        """Starts the next navigation command at or after an item."""
        items = ap.mission_items.items
        self._condition = None
        first_do = None
        budget = len(items) + 100
        while seq < len(items) and budget > 0:
            budget -= 1
            item = items[seq]
            if item.command == Cmd.DO_JUMP:
                seq = self._jump(seq, item)
                continue
            if MISSION_SPECS[item.command].nav:
                break
            first_do = seq if first_do is None else first_do
            seq += 1
        if first_do is not None:
            self._start_do(ap, first_do)
            self._do_next = first_do + 1
        else:
            self._do_next = seq
        if seq >= len(items) or budget == 0:
            self._finish(ap)
            return
        self._do_until = seq
        self._start_nav(ap, seq)

    def _jump(self, seq: int, item: MissionItem) -> int:
        times = int(item.param2)
        if times >= 0:
            if self._jumps.get(seq, 0) >= times:
                return seq + 1
            self._jumps[seq] = self._jumps.get(seq, 0) + 1
        return max(1, int(item.param1))

    def _finish(self, ap: Autopilot) -> None:
        while self._do_next < len(ap.mission_items.items):
            self._start_do(ap, self._do_next)
            self._do_next += 1
        self.complete, self.current = True, 0
        self._task = Hold()

    def _start_nav(self, ap: Autopilot, seq: int) -> None:
        previous = self._task if isinstance(self._task, FlyTo) and self._target else None
        self.current = seq
        self._nav_done_at_s = None
        item = ap.mission_items.items[seq]
        ap.say(6, f"Mission: {seq} {MISSION_SPECS[item.command].label}")
        ap.nose.release()
        self._task = self._manoeuvre(ap, seq, item, previous)

    def _manoeuvre(
        self, ap: Autopilot, seq: int, item: MissionItem, previous: FlyTo | None
    ) -> Manoeuvre:
        start = self._target
        end = self._point(ap, item)
        match item.command:
            case Cmd.NAV_TAKEOFF:
                self._target = (*ap.position[:2], end[2])
                return TakeOff(end[2])
            case Cmd.NAV_LOITER_TURNS:
                self._target = None
                return Circle(end, item.param3 or CIRCLE_RADIUS_M, max(1.0, item.param1))
            case Cmd.NAV_RETURN_TO_LAUNCH:
                self._target = None
                return Return(ap.return_plan())
            case Cmd.NAV_LAND:
                self._target = None
                return _LandAt(end[:2]) if item.x or item.y else Land()
            case Cmd.NAV_DELAY:
                return _Here(Hold(self._target))
        self._target = end
        after = self._after(ap, seq, end) if item.param1 == 0.0 else ()
        if item.command not in PASSING:
            after = ()
        return FlyTo(end, after, start=start, previous=previous)

    def _after(self, ap: Autopilot, seq: int, end: Point3) -> tuple[Point3, ...]:
        """The points that follow without a stop, as far as speed needs to know."""
        points: list[Point3] = []
        for item in ap.mission_items.items[seq + 1 :]:
            if item.command == Cmd.DO_JUMP or len(points) == LOOK_AHEAD:
                break
            if not MISSION_SPECS[item.command].nav:
                continue
            if item.command not in PASSING:
                break
            points.append(self._point(ap, item, points[-1] if points else end))
            if item.param1 > 0.0:
                break
        return tuple(points)

    def _point(self, ap: Autopilot, item: MissionItem, default: Point3 | None = None) -> Point3:
        """Where an item lies; what it leaves at zero is where we are."""
        here = default or self._target or ap.position
        if item.x or item.y:
            east, north = ap.frame.metres(item.lat_deg, item.lon_deg)
        else:
            east, north = here[0], here[1]
        if item.z == 0.0 and item.command != Cmd.NAV_LAND:
            return (east, north, here[2])
        return (east, north, ap.up_of(item.z, Frame(item.frame)))

    def _run_do_commands(self, ap: Autopilot) -> None:
        if self._condition is not None and not self._condition_met(ap):
            return
        self._condition = None
        last = min(self._do_until, len(ap.mission_items.items))
        while self._do_next < last and self._condition is None:
            self._do_next += 1
            self._start_do(ap, self._do_next - 1)

    def _start_do(self, ap: Autopilot, seq: int) -> None:
        item = ap.mission_items.items[seq]
        ap.say(6, f"Mission: {seq} {MISSION_SPECS[item.command].label}")
        if item.command in (Cmd.CONDITION_DELAY, Cmd.CONDITION_DISTANCE, Cmd.CONDITION_YAW):
            self._condition, self._condition_since_s = seq, ap.t_s
        do_command(ap, item)
        self._condition_yaw_rad = ap.nose.yaw_rad

    def _condition_met(self, ap: Autopilot) -> bool:
        assert self._condition is not None
        item = ap.mission_items.items[self._condition]
        if item.command == Cmd.CONDITION_DELAY:
            return ap.t_s - self._condition_since_s >= item.param1
        if item.command == Cmd.CONDITION_DISTANCE:
            return self._target is None or (
                math.dist(ap.position[:2], self._target[:2]) < item.param1
            )
        # the leg that began after the command took the nose; the command takes it back
        ap.nose.hold(self._condition_yaw_rad)
        return abs(wrap_pi(self._condition_yaw_rad - ap.body.yaw_rad)) < YAW_DONE_RAD


@dataclass(slots=True)
class _Here:
    """Holds, and is done from the start; the item's stay does the waiting."""

    hold: Hold

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done at once."""
        self.hold.run(craft, dt_s)
        return True


@dataclass(slots=True)
class _LandAt:
    """Flies over a point at the present height and lands there."""

    over: tuple[float, float]
    fly: FlyTo | None = None
    land: Land | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done on the ground."""
        if self.land is not None:
            return self.land.run(craft, dt_s)
        if self.fly is None:
            self.fly = FlyTo((*self.over, craft.position[2]))
        if self.fly.run(craft, dt_s):
            self.land = Land(at=self.over)
        return False
