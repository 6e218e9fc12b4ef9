"""Random schedules of a bad link: the aircraft is safe at every moment; the judge can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.linkfaults import short_order
from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.flight.state import Ending
from tests.missions.conftest import PLACE
from tests.missions.safety import Judge, try_schedule
from tests.missions.test_separation import line_mission
from tests.missions.virtual import Air, fly_in, in_folder

ORDER = flight_order(1, line_mission(20.0, -20.0, 20.0), PLACE)


@pytest.mark.parametrize("seed", [3, 8])
def test_a_schedule_of_faults_ends_landed_or_with_the_pilot(tmp_path: Path, seed: int) -> None:
    verdict = try_schedule(seed, ORDER, tmp_path)
    assert verdict.found == ()
    assert verdict.ending in {ending.value for ending in Ending}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_forty_schedules_over_a_whole_survey(tmp_path: Path, seed: int) -> None:
    assert try_schedule(seed, short_order(), tmp_path).found == ()


def judged(order: FlightOrder, watched: FlightOrder, folder: Path) -> list[str]:
    """What the judge of one order says of a flight by another."""
    air = Air()
    judge = Judge(air.vehicles[0], watched)
    air.meddle = lambda _: judge.look()
    fly_in(air, [in_folder(order, 1, folder)])
    judge.at_rest()
    return judge.found


def test_the_judge_sees_a_missing_failsafe_another_mission_and_a_breached_fence(
    tmp_path: Path,
) -> None:
    careless = tuple(one for one in ORDER.profile if one.name != "FS_GCS_ENABLE")
    found = judged(replace(ORDER, profile=careless), ORDER, tmp_path / "1")
    assert len(found) == 1
    assert found[0].startswith("armed with FS_GCS_ENABLE 0")
    elsewhere = flight_order(1, line_mission(20.0, -20.0, 70.0), PLACE)
    found = judged(elsewhere, ORDER, tmp_path / "2")
    assert any(one.startswith("AUTO on a mission that is not the approved") for one in found)
    assert any(one.startswith("outside the fence at ") for one in found)
