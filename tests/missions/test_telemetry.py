"""What a decision rests on is asked for until it is heard; late reports turn no clock back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from droneteam.missions.flight.control import READY_LIMIT_S
from droneteam.missions.flight.state import Ending, Flight, Heard, Phase
from droneteam.missions.mavlink.handshake import Timing
from droneteam.missions.mavlink.messages import CommandAck, CommandLong, CopterMode, Position
from tests.missions.fake_copter import FakeCopter, Outcome, fly_fake
from tests.missions.fake_vehicle import BadLink
from tests.missions.test_flight import a_flight, changing, commands, notes

STREAM, ARM = 511, 400
POSITION, STATUS, GPS, EKF, MISSION, ATTITUDE = 33, 1, 24, 193, 42, 30
WAIT_S = Timing().telemetry_s


@dataclass
class HardOfHearing(FakeCopter):
    """Acknowledges every request for a message, and does not begin some: its first ask was lost,
    and the echo of another one's acknowledgement was taken for its."""

    lost: set[int] = field(default_factory=set)

    def hear(self, message: object, now_s: float) -> list[object]:
        if isinstance(message, CommandLong) and message.command == STREAM:
            wanted = int(message.params[0])
            if wanted in self.lost:
                self.lost.discard(wanted)
                return [CommandAck(STREAM, 0)]
        return super().hear(message, now_s)


def asked(outcome: Outcome, message_id: int) -> list[float]:
    """When a message was asked for, in seconds."""
    return [
        at
        for at, m in outcome.sent
        if isinstance(m, CommandLong) and m.command == STREAM and m.params[0] == message_id
    ]


@pytest.mark.parametrize("lost", [{GPS}, {EKF}, {STATUS}, {POSITION}, {POSITION, STATUS, EKF}])
def test_a_request_that_was_lost_behind_another_ones_echo_is_made_again(lost: set[int]) -> None:
    outcome = fly_fake(a_flight(), HardOfHearing(lost=set(lost)))
    assert outcome.flight.ending is Ending.COMPLETED
    assert {one: len(asked(outcome, one)) for one in lost} == dict.fromkeys(lost, 2)


def test_what_comes_is_not_asked_for_again() -> None:
    outcome = fly_fake(a_flight(), FakeCopter())
    needed = (POSITION, STATUS, GPS, EKF, MISSION, ATTITUDE)
    assert [len(asked(outcome, one)) for one in needed] == [1] * 6


@pytest.mark.parametrize("seed", range(8))
def test_echoes_and_loss_together_leave_no_sortie_waiting(seed: int) -> None:
    link = BadLink(loss=0.3, duplicate=0.3, delay_s=0.1, jitter_s=1.9, seed=seed)
    outcome = fly_fake(a_flight(), FakeCopter(), link)
    assert outcome.flight.ending in set(Ending)
    assert "not ready" not in outcome.flight.reason


@dataclass
class Silent(FakeCopter):
    """Sends no position while something holds, whatever it is asked; waits at item 2 so long."""

    silent: Callable[[FakeCopter], bool] = lambda _: True

    def tick(self, now_s: float) -> list[object]:
        quiet = self.silent(self)
        if quiet and self.seq == 2:
            self.item_since_s = self.boot_s
        told = super().tick(now_s)
        return [one for one in told if not (quiet and isinstance(one, Position))]


def at_the_second_item(until_s: float) -> Callable[[FakeCopter], bool]:
    return lambda copter: copter.seq == 2 and copter.boot_s < until_s


def test_a_vehicle_that_never_tells_where_it_is_is_not_waited_for() -> None:
    outcome = fly_fake(a_flight(), Silent())
    assert outcome.flight.ending is Ending.REFUSED
    assert "has not told its position for 60 s" in outcome.flight.reason
    assert ARM not in commands(outcome)
    assert 10 <= len(asked(outcome, POSITION)) <= 14


def test_the_pilot_is_told_once_that_positions_stay_away_and_nothing_is_commanded() -> None:
    outcome = fly_fake(a_flight(), Silent(silent=at_the_second_item(120.0)))
    assert outcome.flight.ending is Ending.COMPLETED
    (alarm,) = notes(outcome, "alarm")
    assert "does not tell its position" in alarm
    assert notes(outcome, "telemetry") == ["its position comes again"]
    undisturbed = fly_fake(a_flight(), FakeCopter())
    assert changing(outcome) == changing(undisturbed)
    again_s = asked(outcome, POSITION)[1:]
    assert len(again_s) >= 5
    assert min(b - a for a, b in pairwise(again_s)) >= WAIT_S - 0.01


def test_a_short_gap_is_asked_about_and_not_told() -> None:
    outcome = fly_fake(a_flight(), Silent(silent=lambda copter: 30.0 < copter.boot_s < 38.0))
    assert outcome.flight.ending is Ending.COMPLETED
    assert len(asked(outcome, POSITION)) == 2
    assert notes(outcome, "alarm") + notes(outcome, "telemetry") == []


def test_after_handing_over_nothing_is_asked_for() -> None:
    taken: list[float] = []

    def meddle(now_s: float, copter: FakeCopter) -> None:
        if copter.mode == CopterMode.AUTO and copter.seq == 3 and not taken:
            copter.set_mode(CopterMode.LOITER)
            taken.append(now_s)
        if taken:
            copter.streams.clear()
        if taken and now_s > taken[0] + 60.0:
            copter.set_mode(CopterMode.LAND)

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert outcome.flight.ending is Ending.HANDED_OVER
    assert [at for at, m in outcome.sent if isinstance(m, CommandLong) and at > taken[0] + 3] == []


# Late reports


def late(age_s: float) -> Callable[[float, FakeCopter], Heard | None]:
    """Beside the punctual reports, one a second that was overtaken on the way."""

    def meddle(now_s: float, copter: FakeCopter) -> Heard | None:
        if POSITION not in copter.streams or round(copter.boot_s * 10) % 10 or copter.boot_s < 9.0:
            return None
        boot_s = copter.boot_s - age_s
        old = Position(boot_s, copter.lat_deg, copter.lon_deg, 50.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return Heard(old, now_s)

    return meddle


@pytest.mark.parametrize("age_s", [1.2, 2.0, 2.9])
def test_late_reports_do_not_put_off_the_refusal_of_a_vehicle_that_never_gets_ready(
    age_s: float,
) -> None:
    outcome = fly_fake(a_flight(), FakeCopter(ekf_ready_s=1e9), meddle=late(age_s))
    assert outcome.flight.ending is Ending.REFUSED
    assert f"not ready after {READY_LIMIT_S:.0f} s: position estimate" in outcome.flight.reason


def test_a_late_report_is_not_taken_for_where_the_vehicle_is() -> None:
    heights_m: list[tuple[float, float]] = []

    def watch(copter: FakeCopter, flight: Flight) -> None:
        position = flight.readings.position
        if position is not None and flight.phase is Phase.FLYING:
            heights_m.append((copter.alt_m, position.alt_home_m))

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=late(2.0), watch=watch)
    assert outcome.flight.ending is Ending.COMPLETED
    assert heights_m
    assert max(abs(true_m - told_m) for true_m, told_m in heights_m) < 1.0
