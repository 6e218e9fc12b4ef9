"""What the live map is told of a flight, against the simulator's own truth."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from droneteam.missions.flight import reserve
from droneteam.missions.flight.live import LiveState, Sample, live_state
from droneteam.missions.mavlink.messages import Attitude
from sitl.faults import FaultSpec
from tests.missions.test_flight import flying_at
from tests.missions.test_fly_sitl import virtual_order
from tests.missions.virtual import STEP_S, Air, Spell, fly_in

AT = datetime(2026, 3, 10, 9, tzinfo=UTC)


def sampled(flight: object, now_s: float = 100.0, **more: float) -> LiveState:
    found = live_state(flight, Sample(1, "drone-01", AT, now_s, **more))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_roll_and_pitch_are_those_of_the_simulated_body_in_flight(tmp_path: Path) -> None:
    """Each sample is the attitude at a moment of the last half second."""
    air = Air()
    lately: deque[tuple[float, float]] = deque(maxlen=round(0.5 / STEP_S))
    seen: list[LiveState] = []
    off_deg: list[float] = []

    def look(_now_s: float) -> None:
        body = air.vehicles[0].body
        lately.append((math.degrees(body.roll_rad), math.degrees(body.pitch_rad)))

    def told(state: LiveState) -> None:
        seen.append(state)
        if state.roll_deg is not None and state.pitch_deg is not None:
            shown = np.array([state.roll_deg, state.pitch_deg])
            off_deg.append(float(np.abs(np.array(lately) - shown).max(axis=1).min()))

    air.meddle = look
    fly_in(air, [virtual_order(tmp_path)], on_state=told, until=lambda: air.now_s > 80.0)
    aloft = [state for state in seen if state.alt_home_m > 2.0]
    assert len(aloft) > 50
    assert all(state.roll_deg is not None for state in aloft)
    assert max(abs(state.pitch_deg or 0.0) for state in aloft) > 5.0  # it did lean
    assert np.median(off_deg) < 0.1
    assert max(off_deg) < 2.0  # what a body that begins to lean turns in one of our looks
    flying = [state for state in seen if state.phase == "flying"]
    assert all(s.home_s is not None and 5.0 < s.home_s < 300.0 for s in flying)
    assert {state.link_pct for state in flying} == {100.0}
    assert max(state.silent_s or 0.0 for state in flying) < 1.0


def test_a_link_that_loses_packets_is_told_by_its_share(tmp_path: Path) -> None:
    air, seen = Air(), []
    spells = [Spell(40.0, FaultSpec(loss=0.3)), Spell(70.0, cut=True)]
    fly_in(
        air,
        [virtual_order(tmp_path)],
        spells,
        on_state=lambda state: seen.append((air.now_s, state)),
        until=lambda: air.now_s > 84.0,
    )
    clean = [s.link_pct for t, s in seen if 20.0 < t < 40.0]
    poor = [s.link_pct for t, s in seen if 51.0 < t < 70.0]
    assert set(clean) == {100.0}
    assert all(one is not None and 55.0 < one < 85.0 for one in poor)
    last = seen[-1][1]
    assert last.link_pct is None
    assert last.silent_s == pytest.approx(14.0, abs=1.0)


def test_an_old_attitude_is_not_shown() -> None:
    flight = flying_at(50.8197, 80.0)
    position = flight.readings.position
    assert position is not None
    for age_s, known in ((0.0, True), (0.9, True), (1.1, False)):
        attitude = Attitude(position.boot_s - age_s, 5.0, -3.0, 90.0)
        state = sampled(replace(flight, readings=replace(flight.readings, attitude=attitude)))
        assert (state.roll_deg, state.pitch_deg) == ((5.0, -3.0) if known else (None, None))


def test_the_way_home_is_that_by_which_the_controller_decides() -> None:
    flight = flying_at(50.8197 + 0.005, 80.0)
    position, order = flight.readings.position, flight.order
    assert position is not None
    state = sampled(flight)
    assert state.home_s == reserve.way_home_s(
        position, order.home, order.rtl_alt_m, order.headwind_mps
    )
    assert state.home_battery_pct == flight.battery_needed_pct(80.0)
    grounded = replace(flight.readings, position=replace(position, alt_home_m=0.0))
    assert sampled(replace(flight, readings=grounded)).home_s is None


def test_silence_is_counted_from_what_was_heard_last() -> None:
    flight = replace(flying_at(50.8197, 80.0), heard_at_s=90.0)
    assert sampled(flight, 97.5).silent_s == 7.5
    assert sampled(replace(flight, heard_at_s=None)).silent_s is None


def test_what_a_silent_vehicle_said_is_of_when_it_was_heard() -> None:
    """The controller writes on; the moment that its words are of stands still."""
    flight = replace(flying_at(50.8197, 80.0), heard_at_s=90.0)
    told = {}
    for later_s in (0.0, 2.0, 60.0):
        at = AT + timedelta(seconds=later_s)
        state = live_state(flight, Sample(1, "drone-01", at, 90.0 + later_s))
        assert state is not None
        told[later_s] = (state.at - AT, state.heard_at - AT)
    for later_s, (written, heard) in told.items():
        assert written == timedelta(seconds=later_s)
        assert abs(heard) < timedelta(milliseconds=1)
