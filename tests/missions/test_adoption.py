"""A controller that comes back adopts what it finds, tells the pilot, commands nothing unasked."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from droneteam.missions.flight.asks import AskBox, asks_path, put_ask
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.flight.state import Ending
from droneteam.missions.record.journal import Entry, read_journal
from sitl.modes import Mode
from tests.missions.conftest import PLACE
from tests.missions.safety import Judge
from tests.missions.test_separation import line_mission
from tests.missions.virtual import Air, fly_in, in_folder

ORDER = flight_order(1, line_mission(20.0, -30.0, 30.0), PLACE)


def killed(air: Air, folder: Path, moment: str) -> SortieOrder:
    """A sortie whose controller was ended at a moment that the vehicle's truth names."""
    ap = air.vehicles[0]
    reached = {
        "armed": lambda: ap.armed,
        "climbing": lambda: ap.body.up_m > 5.0,
        "on the mission": lambda: ap.mode is Mode.AUTO and ap.body.east_m > 0.0,
        "returning": lambda: ap.armed and ap.mission_run.current >= 5,
        "landed": lambda: ap.armings == 1 and not ap.armed,
    }[moment]
    order = in_folder(ORDER, 1, folder)
    fly_in(air, [order], until=reached)
    return order


def later(order: SortieOrder, before: int) -> list[Entry]:
    return read_journal(order.journal_path)[before:]


def unasked(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind in ("intent", "arming")]


@pytest.mark.parametrize("moment", ["on the mission", "returning"])
def test_a_flight_on_its_mission_or_its_way_home_is_adopted_and_nothing_is_commanded(
    tmp_path: Path, moment: str
) -> None:
    air = Air()
    judge = Judge(air.vehicles[0], ORDER)
    air.meddle = lambda _: judge.look()
    order = killed(air, tmp_path, moment)
    before = len(read_journal(order.journal_path))
    (result,) = fly_in(air, [order]).results
    assert result.ending in (Ending.COMPLETED, Ending.RETURNED)
    entries = later(order, before)
    assert [entry.kind for entry in entries].count("adopted") == 1
    assert unasked(entries) == []
    (found,) = [entry.detail for entry in entries if entry.kind == "found"]
    assert "of 5; the fence on board is the approved one" in found
    judge.at_rest()
    assert judge.found == []


def test_one_that_hovers_waits_for_its_pilot_and_goes_on_when_asked(tmp_path: Path) -> None:
    air, states, asked = Air(), [], []
    order = killed(air, tmp_path, "climbing")
    before = len(read_journal(order.journal_path))

    def asks() -> list[Wish]:
        if states and states[-1].phase == "paused" and len(states) > 80 and not asked:
            asked.append(air.now_s)
            return [Wish(1, "resume")]
        return []

    (result,) = fly_in(air, [order], on_state=states.append, asks=asks).results
    assert result.ending is Ending.COMPLETED
    entries = later(order, before)
    alarms = [entry.detail for entry in entries if entry.kind == "alarm"]
    assert alarms == ["it waits for the pilot: ask for resume, rtl or land"]
    asking = next(place for place, entry in enumerate(entries) if entry.kind == "pilot")
    assert unasked(entries[:asking]) == []
    assert unasked(entries[asking:]) != []
    assert air.vehicles[0].armings == 1


def test_one_whose_take_off_was_the_last_word_is_landed_when_its_pilot_asks(
    tmp_path: Path,
) -> None:
    air, states = Air(), []
    order = killed(air, tmp_path, "armed")
    before = len(read_journal(order.journal_path))

    def asks() -> list[Wish]:
        waits = states and states[-1].phase == "paused" and states[-1].alt_home_m > 10.0
        return [Wish(1, "land")] if waits else []

    (result,) = fly_in(air, [order], on_state=states.append, asks=asks).results
    assert result.ending is Ending.RETURNED
    entries = later(order, before)
    asking = next(place for place, entry in enumerate(entries) if entry.kind == "pilot")
    assert unasked(entries[:asking]) == []
    assert air.vehicles[0].armings == 1
    assert not air.vehicles[0].armed


def test_one_that_has_landed_is_not_flown_again_without_a_new_approval(tmp_path: Path) -> None:
    air = Air()
    order = killed(air, tmp_path, "landed")
    (result,) = fly_in(air, [order]).results
    assert result.ending is Ending.REFUSED
    assert "new approval" in result.reason
    assert air.vehicles[0].armings == 1


def test_another_fence_on_board_is_an_alarm_and_no_reason_to_leave_the_flight(
    tmp_path: Path,
) -> None:
    air = Air()
    order = killed(air, tmp_path, "on the mission")
    items = air.vehicles[0].fence_items.items
    items[0] = replace(items[0], x=items[0].x + 50)
    (result,) = fly_in(air, [order]).results
    assert result.ending is Ending.COMPLETED
    alarms = [e.detail for e in read_journal(order.journal_path) if e.kind == "alarm"]
    assert len(alarms) == 1
    assert alarms[0].startswith("its fence is not the approved one: item 0: ")


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 20))]
)
def test_a_controller_ended_at_any_moment_leaves_a_safe_aircraft(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    air, states, asked = Air(seed=seed), [], []
    judge = Judge(air.vehicles[0], ORDER)
    air.meddle = lambda _: judge.look()
    ends_s = rng.uniform(0.0, 130.0)
    order = in_folder(ORDER, 1, tmp_path)
    fly_in(air, [order], until=lambda: air.now_s >= ends_s)
    away_s = rng.choice((0.0, 2.0, 30.0))
    until_s = air.now_s + away_s
    while air.now_s < until_s:
        air.step()

    def asks() -> list[Wish]:
        waits = states and states[-1].phase == "paused" and not asked
        asked.extend([1] * bool(waits))
        return [Wish(1, "rtl")] if waits else []

    flown = fly_in(air, [order], on_state=states.append, asks=asks)
    assert not flown.hung
    judge.at_rest()
    assert judge.found == []
    assert judge.armings <= 1


# What pilots ask for


def test_a_pilot_pauses_resumes_and_brakes_and_the_sortie_is_completed(tmp_path: Path) -> None:
    air, wishes, places = Air(), ["pause", "resume", "brake", "resume"], []
    ap = air.vehicles[0]
    due = [0.0]

    def told(state: LiveState) -> None:
        places.append((state.phase, ap.mode, ap.body.ground_speed_mps, ap.body.east_m))

    def asks() -> list[Wish]:
        flies = bool(places) and places[-1][0] in ("flying", "paused") and ap.body.east_m > -20.0
        if not wishes or not flies or air.now_s < due[0]:
            return []
        due[0] = air.now_s + 6.0
        return [Wish(1, wishes.pop(0))]

    order = in_folder(ORDER, 1, tmp_path)
    (result,) = fly_in(air, [order], on_state=told, asks=asks).results
    assert result.ending is Ending.COMPLETED
    assert wishes == []
    paused = [row for row in places if row[0] == "paused"]
    assert {row[1] for row in paused} == {Mode.AUTO, Mode.BRAKE}
    assert min(row[2] for row in paused) < 0.2  # it stood
    kinds = [entry.kind for entry in read_journal(order.journal_path)]
    assert kinds.count("pilot") == 4
    assert ap.armings == 1


def test_a_wish_that_makes_no_sense_is_answered_and_not_sent(tmp_path: Path) -> None:
    air, asked = Air(), []

    def asks() -> list[Wish]:
        if air.now_s > 10.0 and not asked:
            asked.append(True)
            return [Wish(1, "resume"), Wish(1, "rtl")]
        return []

    order = in_folder(ORDER, 1, tmp_path)
    fly_in(air, [order], asks=asks, limit_s=20.0)
    details = [e.detail for e in read_journal(order.journal_path) if e.kind == "pilot"]
    assert sum("not sent: nothing of ours is flying" in detail for detail in details) == 2
    assert air.vehicles[0].mode is not Mode.RTL


NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def test_only_wishes_put_in_since_the_controller_began_are_taken_and_each_once(
    tmp_path: Path,
) -> None:
    path = asks_path(tmp_path / "logs", 7)
    put_ask(path, "land", 3, NOW)
    box = AskBox(path, 12)
    assert box.take() == []
    put_ask(path, "pause", 3, NOW, roles={"pilot"})
    put_ask(path, "rtl", None, NOW)
    assert box.take() == [Wish(12, "pause", "user 3 (pilot)"), Wish(12, "rtl", "the system")]
    assert box.take() == []


def test_a_line_that_is_still_being_written_or_says_nothing_known_does_no_harm(
    tmp_path: Path,
) -> None:
    path = asks_path(tmp_path, 7)
    box = AskBox(path, 12)
    path.write_bytes(b'{"what": "explode"}\nnot json\n{"what": "rt')
    assert box.take() == []
    with path.open("ab") as file:
        file.write(b'l"}\n[]\n')
    assert box.take() == [Wish(12, "rtl", "the system")]
