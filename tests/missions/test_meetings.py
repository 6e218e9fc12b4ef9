"""Own drones that may come too close, as the live map is told of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.missions.flight.airwatch import LOOK_S, AirWatch
from droneteam.missions.flight.neighbours import Meeting, air_meetings, share_air
from droneteam.missions.flight.separation import conflicts
from droneteam.missions.flight.sharedair import STALE_S, Nearing, SharedCraft, from_json, to_json
from droneteam.missions.mavlink.messages import CopterMode
from tests.missions.conftest import NOW, Office
from tests.missions.test_separation import flying
from tests.missions.test_shared_air import far, looked, shared

NEAR = Nearing("drone-b", 12.0, 1.5, 0.5, 0)


def told(name: str, *nearing: Nearing, drone_id: int = 2) -> SharedCraft:
    found = shared(flying(CopterMode.AUTO), drone_id, name)
    return replace(found, nearing=nearing)


def test_the_watch_tells_what_its_forecast_found_and_counts_down_until_the_next_look() -> None:
    watch, other = AirWatch(), shared(flying(CopterMode.AUTO))
    looked(watch, 1.0, other)
    (near,) = watch.nearing("a", 1.0)
    (truth,) = conflicts([shared(flying(CopterMode.AUTO), 1, "a").craft, other.craft])
    assert (near.name, near.rank) == ("b", truth.rank)
    assert (near.apart_m, near.above_m) == pytest.approx((truth.apart_m, truth.above_m), abs=0.1)
    (later,) = watch.nearing("a", 1.0 + LOOK_S / 2)
    assert later.in_s == pytest.approx(max(0.0, near.in_s - LOOK_S / 2))
    assert watch.nearing("c", 1.0) == ()
    looked(watch, 4.0, far(other))
    assert watch.nearing("a", 4.0) == (), "what keeps clear again is no longer shown"


def test_a_drone_that_flies_alone_nears_nobody() -> None:
    watch, other = AirWatch(), shared(flying(CopterMode.AUTO))
    looked(watch, 1.0, other)
    assert watch.nearing("a", 1.0)
    watch.look({"a": flying(CopterMode.AUTO)}, 9.0, [], NOW)
    assert watch.nearing("a", 9.0) == ()


def test_what_is_shared_of_it_reads_back_and_an_older_release_shared_none() -> None:
    one = told("drone-a", NEAR, replace(NEAR, name="drone-c", rank=2))
    document = json.loads(json.dumps(to_json(one)))
    assert from_json(2, NOW, document) == one
    del document["nearing"]
    assert from_json(2, NOW, document).nearing == ()


def meetings(office: Office, later_s: float, *aloft: SharedCraft) -> tuple[Meeting, ...]:
    with session_scope(office.engine) as session:
        ids = [drone.id for drone in fleet.list_drones(session, SYSTEM)]
        rows = [replace(one, drone_id=ids[n]) for n, one in enumerate(aloft)]
        share_air(session, {one.drone_id for one in rows}, rows)
        session.flush()
        return air_meetings(session, NOW + timedelta(seconds=later_s))


def test_a_pair_that_both_controllers_tell_of_is_one_meeting_the_likeliest(office: Office) -> None:
    mine = told("drone-a", replace(NEAR, rank=1, in_s=3.0))
    theirs = told("drone-b", replace(NEAR, name="drone-a"))
    (found,) = meetings(office, 1.0, mine, theirs)
    assert found == Meeting("drone-a", "drone-b", NOW + timedelta(seconds=12), 1.5, 0.5, 0)


def test_what_a_controller_said_too_long_ago_is_not_shown(office: Office) -> None:
    one = told("drone-a", NEAR)
    assert len(meetings(office, STALE_S - 0.1, one)) == 1
    assert meetings(office, STALE_S + 0.1, one) == ()


def test_drones_that_keep_clear_have_no_meeting(office: Office) -> None:
    assert meetings(office, 1.0, told("drone-a"), told("drone-b")) == ()
