"""What another flight left on a vehicle, or a link that ends, does not change how ours is flown."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import Conflict
from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.pilot import Wish
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.tlog import TlogReader, TlogWriter
from droneteam.missions.record.sortie import read_sortie
from sitl.items import Cmd, MissionItem
from sitl.modes import Mode
from tests.missions.conftest import PLACE
from tests.missions.test_separation import line_mission
from tests.missions.virtual import Air, Spell, fly_in, in_folder

ORDER = flight_order(1, line_mission(0.0, 5.0, 40.0), PLACE)


def test_a_way_home_begun_close_to_home_keeps_its_height_and_ends_at_home(tmp_path: Path) -> None:
    """The vehicle comes with ArduCopter's cone and a rally point of somebody's last flight."""
    air = Air(params=(("RALLY_INCL_HOME", 0.0), ("RTL_CONE_SLOPE", 3.0)))
    (ap,) = air.vehicles
    elsewhere = MissionItem(
        Cmd.RALLY_POINT,
        x=round((PLACE.lat_deg + 60.0 / 111_200.0) * 1e7),
        y=round(PLACE.lon_deg * 1e7),
        z=20.0,
    )
    ap.rally_items.items.append(elsewhere)
    heights_m: list[float] = []
    asked: list[float] = []

    def asks() -> list[Wish]:
        if not asked and ap.mode is Mode.AUTO and ap.body.up_m > 14.0 and ap.body.east_m > 1.0:
            asked.append(ap.body.east_m)
            return [Wish(1, "rtl")]
        return []

    air.meddle = lambda _now_s: heights_m.append(ap.body.up_m)
    (result,) = fly_in(air, [in_folder(ORDER, 1, tmp_path)], asks=asks).results
    assert result.ending is Ending.RETURNED
    assert 1.0 < asked[0] < 10.0
    assert abs(max(heights_m) - ORDER.rtl_alt_m) < 1.0
    assert math.hypot(ap.body.east_m, ap.body.north_m) < 2.0


def test_signatures_that_run_out_before_arming_bar_it_and_later_change_nothing(
    tmp_path: Path,
) -> None:
    air = Air()
    late = in_folder(ORDER, 1, tmp_path / "1", arm_until=air.utc() + timedelta(seconds=20.0))
    (result,) = fly_in(air, [late]).results
    assert result.ending is Ending.REFUSED
    assert "its signatures have run out" in result.reason
    assert air.vehicles[0].armings == 0

    in_time = in_folder(ORDER, 1, tmp_path / "2", arm_until=air.utc() + timedelta(minutes=1.0))
    (result,) = fly_in(air, [in_time]).results
    assert result.ending is Ending.COMPLETED
    assert result.ended_at > in_time.arm_until


def test_a_second_controller_of_one_sortie_is_refused_by_name(tmp_path: Path) -> None:
    air, order = Air(), in_folder(ORDER, 1, tmp_path)
    deck = FlightDeck([order], connect=lambda sortie, tlog: air.connect(1, tlog))
    deck.begin()
    with pytest.raises(Conflict, match="another controller is flying this sortie"):
        FlightDeck([order], connect=lambda sortie, tlog: air.connect(1, tlog)).begin()
    deck.close()
    again = FlightDeck([order], connect=lambda sortie, tlog: air.connect(1, tlog))
    again.begin()
    again.close()


def test_telemetry_goes_on_over_the_spare_link(tmp_path: Path) -> None:
    """ArduCopter streams over each link only what was asked for there."""
    air, cut_at_s = Air(), 60.0

    def twice(order: object, tlog: TlogWriter) -> object:
        return air.connect(1, tlog, ((Spell(cut_at_s, cut=True),), ()))

    (result,) = fly_in(air, [in_folder(ORDER, 1, tmp_path)], connect=twice).results  # type: ignore[arg-type]
    assert result.ending is Ending.COMPLETED
    records = TlogReader(result.tlog_path.read_bytes()).records()
    at_s = [one.at.timestamp() for one in records if one.frame.message_id == 33]
    assert at_s[-1] - at_s[0] > 20.0
    gaps_s = np.diff(at_s)
    assert 1.0 < float(np.max(gaps_s)) < 5.0  # the cut is seen, and it is bridged
    log = read_sortie(result.tlog_path)
    assert log.landed_at is not None
