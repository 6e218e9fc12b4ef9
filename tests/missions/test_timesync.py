"""Offsets lie within their stated uncertainty; clocks that jump are named, others are not."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.missions.mavlink.messages import SystemTime, TimeSync
from droneteam.missions.mavlink.timesync import ClockWatch, clock_step

START_S = 1_790_000_000.0


@dataclass
class World:
    """Two clocks and a link of known delays."""

    seed: int = 1
    boot_offset_s: float = 1_789_999_000.0
    gps_error_s: float = 0.0
    delay_s: float = 0.02
    jitter_s: float = 0.05
    loss: float = 0.0
    own_jump_s: float = 0.0
    now_s: float = 100.0
    calendar_told_s: float = 0.0
    state: ClockWatch = field(default_factory=ClockWatch)
    notes: list[str] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def true_s(self) -> float:
        return START_S + self.now_s - 100.0

    @property
    def unix_s(self) -> float:
        return self.true_s + self.own_jump_s

    def vehicle_s(self) -> float:
        return self.true_s - self.boot_offset_s

    def take(self, message: TimeSync | SystemTime | None) -> None:
        self.state, sends, notes = clock_step(self.state, message, self.now_s, self.unix_s)
        self.notes += notes
        for request in sends:
            assert isinstance(request, TimeSync)
            self.asked += 1
            self._exchange(request)

    def _exchange(self, request: TimeSync) -> None:
        if self.rng.random() < self.loss:
            return
        self.now_s += self.delay_s + self.rng.random() * self.jitter_s
        theirs_ns = round(self.vehicle_s() * 1e9)
        self.now_s += self.delay_s + self.rng.random() * self.jitter_s
        self.take(TimeSync(theirs_ns, request.ours_ns))

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 0.1
            self.take(None)
            if self.now_s - self.calendar_told_s >= 1.0:
                self.calendar_told_s = self.now_s
                at = datetime.fromtimestamp(self.true_s + self.gps_error_s, UTC)
                self.take(SystemTime(at, round(self.vehicle_s(), 3)))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.5),
    st.floats(0.0, 0.5),
    st.floats(-5.0, 5.0),
)
def test_the_true_offset_lies_within_the_stated_uncertainty(
    seed: int, delay_s: float, jitter_s: float, loss: float, gps_error_s: float
) -> None:
    world = World(seed, gps_error_s=gps_error_s, delay_s=delay_s, jitter_s=jitter_s, loss=loss)
    world.run(60.0)
    found, sigma_s = world.state.calendar_offset_s, world.state.uncertainty_s
    assert found is not None
    assert sigma_s is not None
    assert abs(found - gps_error_s) <= sigma_s + 0.002
    assert sigma_s <= delay_s + jitter_s + 0.001
    assert len(world.notes) == 1
    assert "within" in world.notes[0]


def test_the_quickest_exchange_counts() -> None:
    world = World(jitter_s=0.5, delay_s=0.01)
    world.run(30.0)
    assert world.state.uncertainty_s is not None
    assert 0.01 <= world.state.uncertainty_s < 0.15


def test_questions_come_quickly_at_first_and_then_rarely() -> None:
    world = World()
    world.run(60.0)
    assert 25 <= world.asked <= 40


def test_our_own_clock_set_in_mid_flight_is_named_and_the_offset_found_anew() -> None:
    world = World(gps_error_s=0.0)
    world.run(20.0)
    world.own_jump_s = 3600.0
    world.run(20.0)
    assert world.notes[1] == "this machine's clock jumped by +3600.000 s"
    assert world.state.calendar_offset_s == pytest.approx(-3600.0, abs=0.1)
    assert len(world.notes) == 3


def test_a_vehicle_that_restarts_is_named() -> None:
    world = World()
    world.run(20.0)
    world.boot_offset_s = world.true_s - 1.0
    world.run(20.0)
    assert any(note == "the vehicle's clock restarted" for note in world.notes)
    assert world.state.calendar_offset_s == pytest.approx(0.0, abs=0.1)


def test_a_calendar_that_jumps_is_named_with_its_size() -> None:
    world = World()
    world.run(20.0)
    world.gps_error_s = -1.0
    world.run(10.0)
    assert "the vehicle's calendar jumped by -1.000 s" in world.notes


def test_one_stray_answer_is_no_jump() -> None:
    world = World()
    world.run(20.0)
    told = len(world.notes)
    ours_ns = round(world.unix_s * 1e9)
    world.state = replace(world.state, waiting=(ours_ns,))
    world.take(TimeSync(round((world.vehicle_s() - 500.0) * 1e9), ours_ns))
    world.run(20.0)
    assert len(world.notes) == told


def test_answers_from_the_future_or_the_distant_past_say_nothing() -> None:
    world = World()
    for ours_s in (world.unix_s + 5.0, world.unix_s - 60.0):
        ours_ns = round(ours_s * 1e9)
        world.state = replace(world.state, waiting=(ours_ns,))
        world.take(TimeSync(1_000_000_000, ours_ns))
    assert world.state.best is None


def test_answers_to_another_ground_station_and_questions_of_the_vehicle_are_not_ours() -> None:
    world = World()
    world.run(5.0)
    before = world.state.kept
    world.take(TimeSync(1_000_000_000, round((world.unix_s - 0.01) * 1e9)))
    world.take(TimeSync(0, round(world.unix_s * 1e9)))
    assert world.state.kept == before


def test_a_vehicle_without_a_calendar_has_an_offset_but_no_date() -> None:
    state = ClockWatch()
    state, _, _ = clock_step(state, SystemTime(None, 3.0), 0.0, START_S)
    assert state.calendar_offset_s is None


def test_a_simulator_that_runs_faster_does_not_seem_to_jump() -> None:
    state, now_s, notes = ClockWatch(scale=20.0), 0.0, []
    while now_s < 30.0:
        now_s += 0.5
        theirs_s = 50.0 + 20.0 * (now_s - 0.005)
        ours_ns = round((START_S + now_s - 0.01) * 1e9)
        message = TimeSync(round(theirs_s * 1e9), ours_ns)
        state = replace(state, waiting=(ours_ns,))
        state, _, more = clock_step(state, message, now_s, START_S + now_s)
        notes += more
    assert notes == []
    assert len(state.kept) == 12
