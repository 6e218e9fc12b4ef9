"""What must hold of a simulated vehicle at every moment, judged from its truth alone.

The judge reads the simulator's vehicle, never the controller: what the controller believes is what
is on trial.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.preflight import FlightOrder
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.tlog import TlogReader
from droneteam.missions.record.journal import read_journal
from sitl.autopilot import Autopilot
from sitl.faults import FaultSpec
from sitl.modes import Mode
from tests.missions.virtual import Air, Spell, fly_in, in_folder, let_land

FENCE_OVERSHOOT_M = 10.0
"""Braking beyond the fence before RTL turns the vehicle back."""
HARDEST_TOUCH_MPS = 1.5
HOME_WITHIN_M = 3.0
PILOT_REACTS_S = 8.0
MUST_HOLD = {"FS_GCS_ENABLE": 1.0, "FENCE_ENABLE": 1.0, "BATT_FS_LOW_ACT": 2.0}


@dataclass
class Judge:
    """Watches one vehicle step by step; what it saw amiss is in `found`."""

    ap: Autopilot
    order: FlightOrder
    found: list[str] = field(default_factory=list)
    armings: int = 0
    highest_m: float = 0.0
    _armed: bool = False
    _compared: int = -1
    """The store's count of changes when the mission was last compared."""

    def __post_init__(self) -> None:
        frame = self.ap.frame
        corners = [frame.metres(item.x, item.y) for item in self.order.fence]
        self._allowed = shapely.Polygon(corners).buffer(FENCE_OVERSHOOT_M)
        shapely.prepare(self._allowed)
        self._ceiling_m = self.order.rtl_alt_m + 15.0 + FENCE_OVERSHOOT_M

    def look(self) -> None:
        """Judge this moment."""
        ap, body = self.ap, self.ap.body
        height_m = body.up_m
        if ap.armed and not self._armed:
            self.armings += 1
            self._require(self.armings == 1, "armed a second time")
            for name, value in MUST_HOLD.items():
                self._require(ap.params[name] == value, f"armed with {name} {ap.params[name]}")
            self._require(ap.fence_items.valid, "armed without a valid fence")
        if self._armed and not ap.armed:
            self._require(height_m < 0.3, f"motors stopped {height_m:.1f} m up")
        if ap.armed:
            self._judge_flight(height_m)
        if body.impact_mps is not None:
            hard = body.impact_mps > HARDEST_TOUCH_MPS
            self._require(not hard, f"hit the ground at {body.impact_mps:.1f} m/s")
        self._armed = ap.armed

    def _judge_flight(self, height_m: float) -> None:
        ap, body = self.ap, self.ap.body
        self.highest_m = max(self.highest_m, height_m)
        inside = shapely.contains_xy(self._allowed, body.east_m, body.north_m)
        self._require(bool(inside), f"outside the fence at {body.east_m:.0f}, {body.north_m:.0f} m")
        self._require(height_m <= self._ceiling_m, f"{height_m:.0f} m up, above the fence")
        if ap.mode is Mode.AUTO and ap.mission_items.changes != self._compared:
            self._compared = ap.mission_items.changes
            self._require(self._holds_the_approved(), "AUTO on a mission that is not the approved")

    def _holds_the_approved(self) -> bool:
        items = self.ap.mission_items.items
        wanted = self.order.items
        if len(items) != len(wanted):
            return False
        return all(
            (a.command, round(a.z, 1)) == (b.command, round(b.z, 1))
            and (b.command != 16 or (a.x, a.y) == (round(b.x * 1e7), round(b.y * 1e7)))
            for a, b in zip(items[1:], wanted[1:], strict=True)
        )

    def at_rest(self) -> None:
        """Judge where it came to rest."""
        body = self.ap.body
        self._require(not self.ap.armed and body.on_ground, "not at rest on the ground")
        away_m = math.hypot(body.east_m, body.north_m)
        self._require(
            away_m <= HOME_WITHIN_M or self.ap.mode is Mode.LAND,
            f"landed {away_m:.0f} m from home in {self.ap.mode.name}",
        )

    def _require(self, holds: bool, what: str) -> None:
        if not holds and what not in self.found:
            self.found.append(f"{what} (t {self.ap.t_s:.0f} s)")


def random_spells(rng: random.Random, *, longest_s: float = 180.0) -> list[Spell]:
    """A link that changes one to six times: loss, delay, duplicates, disorder, cuts.

    One schedule in ten cuts the link for good; a cut otherwise lasts a second to two minutes.
    """
    spells = [Spell(0.0, random_faults(rng))]
    for _ in range(rng.randint(0, 5)):
        begin_s = rng.uniform(0.0, longest_s)
        spells.append(Spell(begin_s, random_faults(rng)))
        if rng.random() < 0.5:
            spells.append(Spell(begin_s, cut=True))
            end_s = begin_s + math.exp(rng.uniform(0.0, math.log(120.0)))
            spells.append(Spell(end_s, random_faults(rng)))
    if rng.random() < 0.1:
        last_s = rng.uniform(30.0, longest_s)
        spells = [spell for spell in spells if spell.from_s < last_s] + [Spell(last_s, cut=True)]
    return spells


def random_faults(rng: random.Random) -> FaultSpec:
    """Half of the spells are mild, half as bad as the issue asks: 30 % loss, 2 s delay."""
    if rng.random() < 0.5:
        return FaultSpec(loss=rng.uniform(0.0, 0.1), delay_s=rng.uniform(0.0, 0.1))
    return FaultSpec(
        loss=rng.uniform(0.0, 0.4),
        delay_s=rng.choice((0.02, 0.1, 0.5, 2.0)) * rng.random(),
        jitter_s=rng.choice((0.0, 0.1, 0.5)) * rng.random(),
        duplication=rng.choice((0.0, 0.3)) * rng.random(),
        reordering=rng.choice((0.0, 0.3)) * rng.random(),
        reorder_s=rng.choice((0.5, 2.0)) * rng.uniform(0.02, 1.0),
    )


@dataclass(frozen=True)
class Verdict:
    """One schedule and what came of it; found : what was unsafe or wrong, empty when nothing."""

    seed: int
    ending: str
    reason: str
    took_s: float
    flew: bool
    found: tuple[str, ...]


def try_schedule(seed: int, order: FlightOrder, folder: Path) -> Verdict:
    """Fly one sortie over the link of a seed; the pilot takes over when told that he must."""
    rng = random.Random(seed)
    air = Air(seed=seed)
    judge = Judge(air.vehicles[0], order)
    pilot = _Pilot(rng, air)
    air.meddle = lambda now_s: (judge.look(), pilot.act(now_s))[0]
    sortie = in_folder(order, 1, folder)
    flown = fly_in(air, [sortie], random_spells(rng), on_state=pilot.told, limit_s=3000.0)
    ending = "hung" if flown.hung or not flown.results else flown.results[0].ending.value
    reason = flown.results[0].reason if flown.results else ""
    found = judge.found
    still_armed = air.vehicles[0].armed
    if ending in (Ending.COMPLETED, Ending.RETURNED, Ending.REFUSED) and still_armed:
        found.append(f"{ending} while armed")
    if ending == "hung":
        found.append("hung")
    if not let_land(air):
        found.append("never came to rest")
    judge.at_rest()
    found += record_faults(sortie.tlog_path, sortie.journal_path)
    return Verdict(seed, ending, reason, flown.took_s, judge.armings > 0, tuple(found))


def record_faults(tlog: Path, journal: Path) -> list[str]:
    """What is wrong with a sortie's record."""
    reader = TlogReader(tlog.read_bytes())
    packets = sum(1 for _ in reader.records())
    faults = [] if packets else ["an empty log"]
    if reader.skipped_bytes or reader.cut_bytes:
        faults.append(f"{reader.skipped_bytes + reader.cut_bytes} unreadable bytes in the log")
    kinds = [entry.kind for entry in read_journal(journal)]
    if "ended" not in kinds:
        faults.append("the journal does not say how it ended")
    if "handed over" in kinds:
        after = kinds[kinds.index("handed over") :]
        faults += ["commanded after handing over"] * ("intent" in after or "arming" in after)
    return faults


class _Pilot:
    """Takes over by transmitter in one sortie of eight, and lands what was handed over."""

    def __init__(self, rng: random.Random, air: Air) -> None:
        self._ap, self._air = air.vehicles[0], air
        self._takes_at_s = rng.uniform(60.0, 160.0) if rng.random() < 0.125 else np.inf
        self._lands_at_s = np.inf

    def told(self, state: LiveState) -> None:
        """What the pilot's screen shows."""
        if state.phase == "handed over" and self._lands_at_s == np.inf:
            self._lands_at_s = self._air.now_s + PILOT_REACTS_S

    def act(self, now_s: float) -> None:
        """What the pilot does with the transmitter, when it is due."""
        if not self._ap.armed:
            return
        if now_s >= self._takes_at_s and not self._ap.landed:
            self._takes_at_s = np.inf
            self._ap.rc.sticks_us[2] = 1500.0
            self._ap.change_mode(Mode.LOITER)
            self._lands_at_s = now_s + 2.0 * PILOT_REACTS_S
        if now_s >= self._lands_at_s:
            self._lands_at_s = np.inf
            self._ap.change_mode(Mode.LAND)
