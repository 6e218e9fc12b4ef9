"""Drones of one fleet under different controllers: what is shared, its age, who is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, update

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.errors import DecodeError
from droneteam.fleet import service as fleet
from droneteam.missions import models
from droneteam.missions.flight.airwatch import Advice, AirWatch, craft_of, shared_of
from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.neighbours import KEPT, air_of_others, share_air
from droneteam.missions.flight.runner import Clocks, SortieOrder
from droneteam.missions.flight.separation import AS_PLANNED, HORIZON_S, Craft, forecast_of, futures
from droneteam.missions.flight.sharedair import STALE_S, SharedCraft, from_json, to_json
from droneteam.missions.flight.state import Ending, Flight, Phase
from droneteam.missions.items import HomePoint
from droneteam.missions.mavlink.messages import CopterMode
from droneteam.missions.mavlink.tlog import TlogWriter
from droneteam.missions.record.journal import read_journal
from tests.missions.conftest import NOW, PLACE, Office
from tests.missions.test_separation import craft, flying, line_order
from tests.missions.virtual import EXACT_TIMES, Air, in_folder

HERE = HomePoint(PLACE.lat_deg, PLACE.lon_deg, PLACE.alt_amsl_m)
BESIDE = HomePoint(PLACE.lat_deg + 0.001, PLACE.lon_deg - 0.002, 40.0)


def shared(flight: Flight, drone_id: int = 2, name: str = "b") -> SharedCraft:
    found = shared_of(name, drone_id, flight, 100.0, NOW)
    assert found is not None
    return found


# What is shared


def test_what_is_shared_reads_back_whole_after_it_went_through_a_database() -> None:
    told = shared(flying(CopterMode.AUTO))
    document = json.loads(json.dumps(to_json(told)))
    assert from_json(2, NOW, document) == told
    assert told.craft.ahead  # the rest of its mission is in it


def test_a_newer_release_may_share_more_and_what_is_no_craft_is_named() -> None:
    document = to_json(shared(flying(CopterMode.AUTO)))
    document["craft"]["something_new"] = 1
    assert from_json(2, NOW, document).craft.name == "b"
    for broken in ({}, {"origin": {}, "craft": {}}, document | {"craft": None}):
        with pytest.raises(DecodeError, match="drone 2 cannot be read"):
            from_json(2, NOW, broken)
    document["craft"]["place_m"] = [1.0, float("nan"), 2.0]
    with pytest.raises(DecodeError, match="is no place"):
        from_json(2, NOW, document)


def test_a_craft_is_the_same_place_on_earth_about_another_origin() -> None:
    flight = flying(CopterMode.AUTO)
    told = SharedCraft(2, NOW, BESIDE, craft_of("b", flight, BESIDE))
    moved, direct = told.about(HERE, NOW), craft_of("b", flight, HERE)
    assert moved.place_m == pytest.approx(direct.place_m, abs=0.01)
    assert moved.home_m == pytest.approx(direct.home_m, abs=0.01)
    assert [(w.east_m, w.north_m, w.up_m) for w in moved.ahead] == [
        pytest.approx((w.east_m, w.north_m, w.up_m), abs=0.01) for w in direct.ahead
    ]


def test_who_is_on_the_ground_shares_nothing() -> None:
    assert shared_of("b", 2, replace(flying(CopterMode.AUTO), armed=False), 100.0, NOW) is None
    ended = replace(flying(CopterMode.AUTO), ending=Ending.COMPLETED)
    assert shared_of("b", 2, ended, 100.0, NOW) is None


@pytest.mark.parametrize("age_s", [0.0, 0.7, 3.0, 5.0])
def test_what_was_flown_since_it_was_shared_is_forecast_too(age_s: float) -> None:
    fresh = craft("a", 0.0, 1.0)
    old = forecast_of(replace(fresh, age_s=age_s))
    for track, plain in zip(old.tracks, futures(fresh, HORIZON_S + age_s), strict=True):
        seconds = np.array([0.0, 1.0, 10.0, 30.0])
        assert track.at(seconds) == pytest.approx(plain.at(seconds + age_s), abs=1e-9)


def test_a_drone_whose_own_link_is_silent_is_forecast_from_when_it_was_heard() -> None:
    silent = replace(flying(CopterMode.AUTO), heard_at_s=90.0)
    told = shared(silent)
    assert told.craft.age_s == pytest.approx(10.0)
    assert told.about(HERE, NOW + timedelta(seconds=2)).age_s == pytest.approx(12.0)
    assert told.about(HERE, NOW - timedelta(seconds=2)).age_s == pytest.approx(10.0)  # their clock


# Who is told, and when nobody knows any more


def looked(watch: AirWatch, now_s: float, other: SharedCraft, age_s: float = 0.0) -> list[Advice]:
    """What is said of an own drone and another that was shared so long ago."""
    at = NOW + timedelta(seconds=now_s)
    shared_then = replace(other, at=at - timedelta(seconds=age_s))
    return watch.look({"a": flying(CopterMode.AUTO)}, now_s, [shared_then], at)


def test_one_own_drone_is_watched_against_those_of_others() -> None:
    watch, other = AirWatch(), shared(flying(CopterMode.AUTO))
    (told,) = looked(watch, 1.0, other)
    assert told.drones == ("a", "b")
    assert AS_PLANNED in told.text
    assert looked(watch, 4.0, other) == []  # told once
    (clear,) = looked(watch, 7.0, far(other))
    assert "keep clear again" in clear.text


def far(other: SharedCraft) -> SharedCraft:
    away = HomePoint(other.origin.lat_deg + 0.05, other.origin.lon_deg, other.origin.alt_amsl_m)
    return replace(other, origin=away)


def test_two_drones_of_others_are_their_own_controllers_business() -> None:
    both = [far(shared(flying(CopterMode.AUTO), n, name)) for n, name in ((2, "b"), (3, "c"))]
    own = {"a": flying(CopterMode.AUTO)}
    assert AirWatch().look(own, 1.0, both, NOW) == []
    assert AirWatch().look({}, 1.0, both, NOW) == []


def test_a_drone_not_heard_of_is_told_once_and_never_called_clear() -> None:
    watch, other = AirWatch(), shared(flying(CopterMode.AUTO))
    assert len(looked(watch, 1.0, other)) == 1
    assert looked(watch, 4.0, other) == []
    (told,) = looked(watch, 10.0, other, age_s=STALE_S + 0.1)
    assert told.drones == ("a",)
    assert "b has not been heard of for 5 s" in told.text
    assert looked(watch, 13.0, other, age_s=STALE_S + 3.1) == []
    (again,) = looked(watch, 16.0, other)
    assert AS_PLANNED in again.text


def test_nobody_in_the_air_of_ours_means_nothing_to_tell() -> None:
    watch, other = AirWatch(), shared(flying(CopterMode.AUTO))
    landed = {"a": replace(flying(CopterMode.AUTO), armed=False)}
    assert watch.look(landed, 1.0, [other], NOW) == []
    assert watch.look(landed, 9.0, [other], NOW + timedelta(seconds=20)) == []


# The rows


def drone_ids(engine: Engine, office: Office) -> list[int]:
    with session_scope(engine) as session:
        return [drone.id for drone in fleet.list_drones(session, SYSTEM)]


def test_rows_come_and_go_with_the_drones_and_each_controller_sees_the_others(
    any_office: Office,
) -> None:
    (mine, *_) = drone_ids(any_office.engine, any_office)
    one = shared(flying(CopterMode.AUTO), mine)
    with session_scope(any_office.engine) as session:
        share_air(session, {mine}, [one])
    later = replace(one, at=NOW + timedelta(seconds=1))
    with session_scope(any_office.engine) as session:
        share_air(session, {mine}, [later])
        assert air_of_others(session, {mine}, NOW) == ()
        assert air_of_others(session, {mine + 1}, NOW) == (later,)
        assert air_of_others(session, {mine + 1}, later.at + KEPT) == ()
        share_air(session, {mine}, [])
        assert air_of_others(session, {mine + 1}, NOW) == ()


def test_a_row_that_cannot_be_read_is_left_out_and_named(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    (mine, *_) = drone_ids(office.engine, office)
    with session_scope(office.engine) as session:
        share_air(session, {mine}, [shared(flying(CopterMode.AUTO), mine)])
        session.flush()
        session.execute(update(models.SharedAir).values(craft={"origin": 3}))
        assert air_of_others(session, {mine + 1}, NOW) == ()
    assert f"drone {mine} cannot be read" in caplog.text


# Two controllers in one air


@dataclass
class Controller:
    """A deck of its own with a record and a memory of what it told."""

    deck: FlightDeck
    told: list[Advice]


def controllers(air: Air, orders: Sequence[SortieOrder]) -> list[Controller]:
    """One controller for each order; they see each other through what they share alone."""
    board: dict[int, Sequence[SharedCraft]] = {}

    def link(sortie: SortieOrder, tlog: TlogWriter) -> object:
        return air.connect(sortie.drone_id, tlog)

    def one(order: SortieOrder) -> Controller:
        told: list[Advice] = []
        me = order.drone_id
        deck = FlightDeck(
            [order],
            clocks=Clocks(air.clock, air.utc),
            timing=EXACT_TIMES,
            connect=link,  # type: ignore[arg-type]
            on_advice=told.append,
            on_air=lambda aloft: board.update({me: aloft}),
            neighbours=lambda: [c for who, all_ in board.items() if who != me for c in all_],
        )
        return Controller(deck, told)

    return [one(order) for order in orders]


def fly_both(air: Air, both: Sequence[Controller]) -> None:
    for each in both:
        each.deck.begin()
    due_s = 0.0
    while any(each.deck.busy for each in both):
        assert air.now_s < 1000.0
        air.step()
        if air.waiting or air.now_s >= due_s:
            due_s = air.now_s + both[0].deck.tick_s
            for each in both:
                each.deck.turn()
    for each in both:
        each.deck.close()


def test_two_controllers_whose_drones_cross_each_tell_their_own_pilot(tmp_path: Path) -> None:
    air = Air(drones=2)
    lines = {1: (20.0, -60.0, 60.0), 2: (20.0, 60.0, -60.0)}
    orders = [in_folder(line_order(n, *line), n, tmp_path / str(n)) for n, line in lines.items()]
    both = controllers(air, orders)
    fly_both(air, both)
    for each, order in zip(both, orders, strict=True):
        (result,) = each.deck.results()
        assert result.ending is Ending.COMPLETED
        texts = [advice.text for advice in each.told]
        assert any(AS_PLANNED in text and "proposed: " in text for text in texts)
        assert any("keep clear again" in text for text in texts)
        assert not any("has not been heard" in text for text in texts)
        entries = read_journal(order.journal_path)
        assert any(entry.kind == "separation" for entry in entries)
        assert not any("DO_SET_MODE" in e.detail and "17.0" in e.detail for e in entries)


def test_a_drone_that_was_handed_over_is_still_shared_where_it_stands() -> None:
    taken = replace(flying(CopterMode.LOITER), phase=Phase.HANDED_OVER)
    found: Craft = shared(taken).craft
    assert found.holding
    assert not found.returning
