"""Camera and gimbal, version 2: photos counted and asked for again, a gimbal claimed and turned."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink import camerawatch, gimbals
from droneteam.missions.mavlink.camerawatch import CameraWatch, camera_step
from droneteam.missions.mavlink.gimbals import GROUND, Look, look_step, start_look
from droneteam.missions.mavlink.handshake import Done, Failed, Timing
from droneteam.missions.mavlink.messages import (
    CameraFeedback,
    CameraInformation,
    CameraSettings,
    CaptureStatus,
    CommandAck,
    CommandLong,
    GimbalAttitude,
    GimbalManagerInformation,
    GimbalManagerStatus,
    ImageCaptured,
)
from droneteam.missions.record.journal import read_journal
from sitl.faults import FaultSpec
from sitl.modes import Mode
from tests.missions.fake_vehicle import BadLink
from tests.missions.test_link_faults import ORDER
from tests.missions.virtual import Air, Spell, fly_in, in_folder

TIMING = Timing()
BAD = [BadLink(loss=0.3, duplicate=0.3, delay_s=1.0, jitter_s=1.0, seed=seed) for seed in range(6)]


def shot(number: int) -> CameraFeedback:
    at = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    return CameraFeedback(at, number, 50.8, 4.4, 70.0, 20.0, 0.0, -90.0, 0.0)


def report(number: int) -> ImageCaptured:
    return ImageCaptured(shot(number), saved=True)


@dataclass
class FakeCamera:
    """Takes a photo a second, tells its count every two, repeats what it is asked for."""

    photos: int = 20
    repeats: bool = True
    silent: bool = False
    taken: int = 0
    asked: list[int] = field(default_factory=list)

    def hear(self, message: CommandLong) -> list[object]:
        if self.silent or message.command != 512:
            return []
        wanted, index = int(message.params[0]), int(message.params[1])
        if wanted == 259:
            said: list[object] = [CameraInformation("maker", "model", 24.0, 36.0, 8192, 5460)]
        elif wanted == 260:
            said = [CameraSettings(0, None, None)]
        else:
            self.asked.append(index + 1)
            said = [report(index + 1)] if self.repeats and index < self.taken else []
        return [CommandAck(512, 0 if said else 4), *said]

    def tick(self, second: int) -> list[object]:
        if self.silent:
            return []
        said: list[object] = []
        if second >= 5 and self.taken < self.photos:
            self.taken += 1
            said.append(report(self.taken))
        return [*said, CaptureStatus(self.taken, False)] if second % 2 else said


@dataclass
class FakeGimbal:
    """A manager that gives control to who claims it, and a mount that turns 30° a second."""

    holder: tuple[int, int] = (0, 0)
    greedy: bool = False
    stuck: bool = False
    absent: bool = False
    range_deg: tuple[float, float] = (-90.0, 20.0)
    pitch_deg: float = 0.0
    wanted_deg: float = 0.0
    commanded_by: list[tuple[int, int]] = field(default_factory=list)

    def hear(self, message: CommandLong) -> list[object]:
        match message.command, int(message.params[0]) if message.command != 1000 else 0:
            case 512, 280 if not self.absent:
                return [CommandAck(512, 0), GimbalManagerInformation(1, *self.range_deg)]
            case 512, 281:
                return [CommandAck(512, 0), GimbalManagerStatus(1, *self.holder)]
            case 1001, system:
                if not self.greedy:
                    self.holder = (system, int(message.params[1]))
                return [CommandAck(1001, 0)]
            case 1000, _:
                self.commanded_by.append(self.holder)
                self.wanted_deg = message.params[0]
                return [CommandAck(1000, 0)]
        return [CommandAck(message.command, 4)]

    def tick(self, second: int) -> list[object]:
        step = max(-30.0, min(30.0, self.wanted_deg - self.pitch_deg))
        self.pitch_deg += 0.0 if self.stuck else step
        return [GimbalAttitude(float(second), 0.0, self.pitch_deg, 0.0, False)]


def run(
    feed: Callable[[object | None, float], tuple[object, ...]],
    device: FakeCamera | FakeGimbal,
    link: BadLink,
    until: Callable[[float], bool],
) -> float:
    """A machine and a device over a bad link, in steps of 0.1 s; how long it took."""
    chance, order = random.Random(link.seed), itertools.count()
    queue: list[tuple[float, int, bool, object]] = []
    now_s = 0.0

    def post(message: object, up: bool) -> None:
        for _ in range(2 if chance.random() < link.duplicate else 1):
            if chance.random() >= link.loss:
                at_s = now_s + link.delay_s + chance.random() * link.jitter_s
                heapq.heappush(queue, (at_s, next(order), up, message))

    for tick in range(1, 6_000):
        now_s = tick / 10.0
        while queue and queue[0][0] <= now_s:
            _, _, up, message = heapq.heappop(queue)
            if up:
                for answer in device.hear(message):  # type: ignore[arg-type]
                    post(answer, False)
            else:
                for send in feed(message, now_s):
                    post(send, True)
        if tick % 10 == 0:
            for said in device.tick(tick // 10):
                post(said, False)
        for send in feed(None, now_s):
            post(send, True)
        if until(now_s):
            return now_s
    raise AssertionError("the machine hangs")


def watch(camera: FakeCamera, link: BadLink, seconds: float) -> CameraWatch:
    held = [CameraWatch(TIMING)]

    def feed(message: object | None, now_s: float) -> tuple[object, ...]:
        held[0], sends, _ = camera_step(held[0], message, now_s)  # type: ignore[arg-type]
        return sends

    run(feed, camera, link, lambda now_s: now_s >= seconds)
    return held[0]


# The camera


@pytest.mark.parametrize("link", BAD)
def test_every_photo_is_known_in_the_end_whatever_the_link_does(link: BadLink) -> None:
    camera = FakeCamera()
    found = watch(camera, link, 120.0)
    assert found.outcome == Done()
    assert (found.highest, found.gaps, found.lost) == (20, (), ())
    assert found.introduced == Done()
    assert set(camera.asked) <= set(range(1, 21))
    assert camera.asked, "nothing was lost: the link is not as bad as it should be"


def test_on_a_good_link_no_photo_is_asked_for() -> None:
    camera = FakeCamera()
    found = watch(camera, BadLink(), 60.0)
    assert (found.outcome, camera.asked) == (Done(), [])


def test_a_report_lost_at_the_very_end_is_found_by_the_count() -> None:
    state, _, _ = camera_step(CameraWatch(TIMING), CaptureStatus(7, False), 0.0)
    for number in (8, 9):
        state, _, _ = camera_step(state, report(number), 1.0)
    state, _, _ = camera_step(state, CaptureStatus(10, False), 2.0)
    assert [gap.number for gap in state.gaps] == [10]
    state, sends, _ = camera_step(state, None, 3.1)
    assert CommandLong(512, (263.0, 9.0), component=0) in sends
    state, _, _ = camera_step(state, report(10), 3.5)
    assert state.outcome == Done()


def test_a_photo_that_never_comes_is_given_up_by_number_and_is_not_lost_when_it_comes_late() -> (
    None
):
    found = watch(FakeCamera(repeats=False), BadLink(loss=0.3, seed=2), 120.0)
    assert isinstance(found.outcome, Failed)
    assert found.outcome.name == "photo-unreported"
    assert found.gaps == ()
    first, *rest = found.lost
    assert f"{len(found.lost)} photos" in found.outcome.detail
    late, _, _ = camera_step(found, report(first), 130.0)
    assert list(late.lost) == rest


def test_a_camera_that_never_repeats_is_not_asked_for_each_photo_anew() -> None:
    camera = FakeCamera(photos=40, repeats=False)
    found = watch(camera, BadLink(loss=0.5, seed=1), 120.0)
    assert found.repeats is False
    assert len(found.lost) > 8
    assert len(set(camera.asked)) <= camerawatch.TOGETHER


def test_a_camera_that_is_not_there_is_left_alone_after_its_tries() -> None:
    state, sent = CameraWatch(TIMING), 0
    for second in range(60):
        state, sends, _ = camera_step(state, None, float(second))
        sent += len(sends)
    assert state.introduced == Failed("camera-silent", "no camera information")
    assert sent == 2 * camerawatch.TRIES
    assert state.outcome == Done()


def test_a_camera_that_was_restarted_and_an_absurd_count_are_no_thousand_lost_photos() -> None:
    state, _, _ = camera_step(CameraWatch(TIMING), CaptureStatus(100, False), 0.0)
    state, _, _ = camera_step(state, report(101), 1.0)
    state, _, notes = camera_step(state, CaptureStatus(0, False), 2.0)
    assert ["restarted" in note for note in notes] == [True]
    state, _, _ = camera_step(state, report(1), 3.0)
    assert state.outcome == Done()
    state, _, _ = camera_step(state, CaptureStatus(2_000_000_000, False), 4.0)
    assert state.gaps == ()


def watched(*steps: tuple[float, object]) -> tuple[CameraWatch, list[str]]:
    """A watch after messages at times, and what it noted."""
    state, noted = CameraWatch(TIMING), []
    for at_s, message in steps:
        state, _, notes = camera_step(state, message, at_s)  # type: ignore[arg-type]
        noted += notes
    return state, noted


def test_a_camera_whose_count_began_at_nought_is_noticed_when_it_restarts_in_flight() -> None:
    flown = [(0.0, CaptureStatus(0, False)), *((2.0 * n, report(n)) for n in range(1, 8))]
    state, noted = watched(*flown, (40.0, CaptureStatus(0, False)))
    assert noted == ["the camera counts 0 photos after 7: it was restarted"]
    assert (state.begun_at, state.highest, state.outcome) == (0, 0, Done())
    state, _, _ = camera_step(state, report(2), 42.0)
    assert [gap.number for gap in state.gaps] == [1], "its first photo is missed as any other"


def test_photos_after_a_restart_are_missed_unless_they_were_told_before_it_was_noticed() -> None:
    flown = [(0.0, CaptureStatus(0, False)), *((2.0 * n, report(n)) for n in range(1, 8))]
    state, noted = watched(
        *flown, (30.0, report(1)), (34.0, report(3)), (36.0, CaptureStatus(4, False))
    )
    assert len(noted) == 1
    assert [gap.number for gap in state.gaps] == [2, 4]
    assert isinstance(state.outcome, Failed)


@pytest.mark.parametrize("late_s", [0.1, 2.0, 9.0])
def test_a_count_that_only_came_late_is_no_restart(late_s: float) -> None:
    counts = [(n + 0.0, CaptureStatus(n, False)) for n in range(1, 6)]
    reports = [(n + 0.1, report(n)) for n in range(2, 6)]
    in_turn = sorted([*counts, *reports], key=lambda one: one[0])
    state, noted = watched(*in_turn, (5.1 + late_s, CaptureStatus(2, False)))
    assert noted == []
    assert (state.highest, state.outcome) == (5, Done())


def taken(number: int, at_s: float) -> ImageCaptured:
    """A photo whose report says when it was taken."""
    at = shot(number).at + timedelta(seconds=at_s)
    return ImageCaptured(replace(shot(number), at=at), saved=True)


def run_of(photos: int, since_s: float) -> list[tuple[float, object]]:
    """A camera's run: a photo a second, and its count every two, from its power-on."""
    reports = [(since_s + n, taken(n, since_s + n)) for n in range(1, photos + 1)]
    counts = [(at_s, CaptureStatus(n, False, float(n))) for n, (at_s, _) in enumerate(reports, 1)]
    return sorted([*reports, *counts[1::2]], key=lambda one: one[0])


@pytest.mark.parametrize("second", [3, 5, 6, 9, 30])
@pytest.mark.parametrize("told", [{1}, {2, 3}, {1, 2, 3, 4, 5}])
def test_a_restart_is_noticed_though_the_camera_soon_passes_its_old_count(
    second: int, told: set[int]
) -> None:
    later = [
        (at_s, said)
        for at_s, said in run_of(second, 7.0)
        if not isinstance(said, ImageCaptured) or said.shot.index in told
    ]
    landed = (second + 20.0, CaptureStatus(second, False, second + 13.0))
    state, noted = watched((0.0, CaptureStatus(0, False, 0.0)), *run_of(5, 0.0), *later, landed)
    assert ["restarted" in note for note in noted] == [True]
    assert state.highest == second
    assert {gap.number for gap in state.gaps} == set(range(1, second + 1)) - told


@pytest.mark.parametrize("late_s", [0.5, 4.0, 9.0])
def test_what_comes_late_from_before_a_restart_is_no_photo_of_after_it(late_s: float) -> None:
    before, after = run_of(9, 0.0), run_of(2, 20.0)
    late: list[tuple[float, object]] = [
        (22.0 + late_s, taken(7, 7.0)),
        (22.0 + late_s, CaptureStatus(8, False, 8.0)),
    ]
    state, noted = watched((0.0, CaptureStatus(0, False, 0.5)), *before, *after, *late)
    assert len(noted) == 1
    assert (state.highest, state.gaps, state.outcome) == (2, (), Done())


def test_a_count_whose_clock_went_back_is_a_restarted_cameras_whatever_it_says() -> None:
    steady: list[tuple[float, object]] = [(0.0, CaptureStatus(0, False, 600.0))]
    steady += [(float(n), report(n)) for n in range(1, 4)]
    state, noted = watched(*steady, (4.0, CaptureStatus(3, False, 604.0)))
    assert noted == []
    state, _, notes = camera_step(state, CaptureStatus(6, False, 3.0), 9.0)
    assert len(notes) == 1
    assert [gap.number for gap in state.gaps] == [1, 2, 3, 4, 5, 6]
    state, _, notes = camera_step(state, CaptureStatus(6, False, 5.0), 11.0)
    assert notes == ()


def test_two_reports_of_one_photo_and_two_cameras_that_fire_together_are_no_restart() -> None:
    feedback = [(n + 0.1, taken(n, n + 0.02).shot) for n in range(1, 9)]
    captured = [(n + 0.4, taken(n, n + 30.0)) for n in range(1, 9)]  # its clock is ahead
    other = [(n + 0.5, taken(n, n + 30.3)) for n in range(1, 9)]
    again = [(n + 5.0, taken(n, n + 30.0)) for n in range(1, 9)]
    steps = sorted([*feedback, *captured, *other, *again], key=lambda one: one[0])
    state, noted = watched((0.0, CaptureStatus(0, False, 9.0)), *steps)
    assert noted == []
    assert (state.highest, state.outcome) == (8, Done())


# The gimbal


def look(gimbal: FakeGimbal, link: BadLink, pitch_deg: float = -60.0) -> tuple[Look, float]:
    first, sends = start_look(pitch_deg, TIMING, 0.0)
    held, waiting = [first], list(sends)

    def feed(message: object | None, now_s: float) -> tuple[object, ...]:
        held[0], sends = look_step(held[0], message, now_s)  # type: ignore[arg-type]
        out = (*waiting, *sends)
        waiting.clear()
        return out

    took_s = run(feed, gimbal, link, lambda _: held[0].outcome is not None)
    return held[0], took_s


@pytest.mark.parametrize("link", [BadLink(), *BAD])
def test_a_gimbal_is_claimed_turned_and_seen_where_it_was_wanted(link: BadLink) -> None:
    gimbal = FakeGimbal(holder=(254, 1))
    found, took_s = look(gimbal, link)
    assert found.outcome == Done()
    assert gimbal.pitch_deg == pytest.approx(-60.0, abs=gimbals.WITHIN_DEG)
    assert set(gimbal.commanded_by) == {GROUND}, "commanded while somebody else held it"
    assert took_s < 120.0


@pytest.mark.parametrize(
    ("gimbal", "pitch_deg", "name", "word"),
    [
        (FakeGimbal(holder=(254, 1), greedy=True), -60.0, "gimbal-held", "system 254"),
        (FakeGimbal(stuck=True), -60.0, "gimbal-off", "at 0°"),
        (FakeGimbal(absent=True), -60.0, "gimbal-absent", "no gimbal manager"),
        (FakeGimbal(range_deg=(-30.0, 10.0)), -60.0, "gimbal-limits", "-30° to 10°"),
    ],
)
def test_what_goes_wrong_with_a_gimbal_has_a_name(
    gimbal: FakeGimbal, pitch_deg: float, name: str, word: str
) -> None:
    found, took_s = look(gimbal, BadLink(), pitch_deg)
    assert isinstance(found.outcome, Failed)
    assert found.outcome.name == name
    assert word in found.outcome.detail
    assert took_s < 30.0


def test_a_gimbal_that_says_nothing_is_given_up() -> None:
    found, took_s = look(FakeGimbal(), BadLink(loss=1.0))
    assert found.outcome == Failed("gimbal-silent", "no answer while asking")
    assert gimbals.TRIES - 1 <= took_s <= gimbals.TRIES + 2


# Through the simulator


def test_photos_whose_reports_the_link_lost_are_fetched_again_and_the_pilot_turns_the_camera(
    tmp_path: Path,
) -> None:
    air = Air(params=(("SIM_CAM_V2", 1.0),))
    ap, asked = air.vehicles[0], []

    def meddle(_now_s: float) -> None:
        flies = ap.mode is Mode.AUTO and ap.body.east_m > -20.0 and ap.shutter.count < 20
        if bool(ap.shutter.distance_m) is not flies:
            ap.shutter.by_distance(2.0 if flies else 0.0)

    def asks() -> list[Wish]:
        if not asked and ap.shutter.count > 5:
            asked.append(air.now_s)
            return [Wish(1, "look_down", "user 3 (pilot)")]
        return []

    air.meddle = meddle
    order = in_folder(ORDER, 1, tmp_path)
    lossy = FaultSpec(loss=0.25, delay_s=0.1)
    (result,) = fly_in(air, [order], [Spell(60.0, lossy)], asks=asks).results
    assert result.ending in (Ending.COMPLETED, Ending.RETURNED)
    said = read_journal(order.journal_path)
    assert ap.shutter.count > 10
    assert not [one for one in said if "without a report" in one.detail]
    assert any("camera droneteam sitl" in one.detail for one in said)
    assert ap.gimbal.holder == GROUND
    assert math.degrees(ap.gimbal.pitch_rad) == pytest.approx(-90.0, abs=1.0)
    (turned,) = [one for one in said if one.kind == "camera" and "looks -90°" in one.detail]
    intents = [one for one in said if "command=1000" in one.detail or "PITCHYAW" in one.detail]
    assert {one.by for one in intents} == {"user 3 (pilot)"}
    assert turned.at >= intents[0].at
