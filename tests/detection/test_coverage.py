"""Where receivers hear: counts by cell and band, reach by direction, against brute force."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from sqlalchemy import Engine, select

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection import coverage
from droneteam.detection.coverage import Cell, CellCount, CoverageBook, bearing_deg, view_of
from droneteam.detection.listen import Listener, replay
from droneteam.detection.models import CoverageCell, RidMessage
from droneteam.detection.suspicion import Site
from droneteam.errors import NotAllowed
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly
from tests.detection.test_rules import track_at
from tests.detection.test_service import REQUESTER, nothing_known

SITE = Site("roof", LAT_DEG, LON_DEG, 2500.0)


def test_every_message_of_a_flight_is_counted_once_where_it_flew(engine: Engine) -> None:
    listener = Listener(engine, nothing_known, START, {"roof": SITE})
    replay(listener, fly(Aircraft(speed_mps=25.0), seconds=60), None)
    listener.close(START + timedelta(minutes=5))
    with session_scope(engine) as session:
        (view,) = coverage.list_coverage(session, SYSTEM)
        stored = session.query(RidMessage).count()
        alike = {(row.band, row.north) for row in session.scalars(select(CoverageCell))}
    assert view.site == SITE
    assert stored * 0.9 <= view.n <= stored
    assert view.bands == ((1, view.n),)  # 40 m
    assert alike == {(1, math.floor(LAT_DEG / 0.002))}
    # It flew 1,500 m due east; only the cell that the receiver stands in has any direction.
    far = {one.bearing_deg for one in view.sectors if (one.reach_m or 0.0) > 300.0}
    assert far
    assert far <= {82.5, 97.5}
    farthest = max(one.reach_m or 0.0 for one in view.sectors)
    assert 1200.0 <= farthest <= 1700.0


def test_counts_add_up_over_restarts_and_keep_the_strongest_signal(engine: Engine) -> None:
    book = CoverageBook()
    track = track_at(0.0, 0.0, height_m=10.0)
    messages = [(one, track.id) for one in fly(Aircraft(), seconds=5)]
    for _ in range(2):
        book.note(messages, [track])
        with session_scope(engine) as session:
            book.store(session)
        assert len(book) == 0
    with session_scope(engine) as session:
        (row,) = session.scalars(select(CoverageCell))
        assert row.n == 2 * len(messages)
        signals = [one.rssi_dbm for one, _ in messages if one.rssi_dbm is not None]
        assert row.best_rssi_dbm == max(signals, default=None)
        assert row.heard_at == max(one.at for one, _ in messages)


@pytest.mark.parametrize("flag", sorted(coverage.DOUBTFUL))
def test_a_place_in_doubt_does_not_count(flag: str) -> None:
    book = CoverageBook()
    track = track_at(0.0, 0.0, flags=frozenset({flag}))
    book.note([(one, track.id) for one in fly(Aircraft(), seconds=5)], [track])
    assert len(book) == 0


def test_what_belongs_to_no_track_does_not_count() -> None:
    book = CoverageBook()
    book.note([(one, None) for one in fly(Aircraft(), seconds=5)], [track_at(0.0, 0.0)])
    assert len(book) == 0


def test_heights_fall_into_their_bands() -> None:
    bands = [coverage.band_of(height_m) for height_m in (-5.0, 29.9, 30.0, 60.0, 119.0, 120.0, 1e4)]
    assert bands == [0, 0, 1, 2, 2, 3, 3]
    assert coverage.band_of(None) == 4
    assert coverage.band_of(500.0, manned=True) == 5


@given(st.floats(-80.0, 80.0), st.floats(-180.0, 180.0), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_a_bearing_is_that_of_the_geodesic_on_a_sphere(
    lat_deg: float, lon_deg: float, north_deg: float, east_deg: float
) -> None:
    if abs(north_deg) + abs(east_deg) < 1e-3:
        return
    to = (lat_deg + north_deg, lon_deg + east_deg)
    expected, _, _ = Geod(a=6_371_000.0, b=6_371_000.0).inv(lon_deg, lat_deg, to[1], to[0])
    apart = (bearing_deg(lat_deg, lon_deg, *to) - expected + 180.0) % 360.0 - 180.0
    assert abs(apart) < 0.01


@given(
    st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 50)), max_size=40)
)
def test_reach_is_the_farthest_cell_that_was_heard_often_enough(
    found: list[tuple[int, int, int]],
) -> None:
    cells = [
        CellCount(1, *Cell(1, 25410 + north, 1463 + east).centre, n, None)
        for north, east, n in found
    ]
    view = view_of("roof", SITE, cells)
    assert view.n == sum(n for _, _, n in found) == sum(one.n for one in view.sectors)
    geod = Geod(a=6_371_008.8, b=6_371_008.8)
    for sector in view.sectors:
        reaches = []
        for cell in cells:
            azimuth, _, away_m = geod.inv(SITE.lon_deg, SITE.lat_deg, cell.lon_deg, cell.lat_deg)
            within = abs((azimuth - sector.bearing_deg + 180.0) % 360.0 - 180.0) < 7.5
            if within and cell.n >= coverage.ENOUGH:
                reaches.append(away_m)
        assert (sector.reach_m is None) is (not reaches)
        if reaches:
            assert sector.reach_m == pytest.approx(max(reaches), rel=0.002)


def test_a_receiver_without_a_place_has_counts_and_no_directions(engine: Engine) -> None:
    listener = Listener(engine, nothing_known, START)
    replay(listener, fly(Aircraft(), seconds=10), None)
    listener.close(START)
    with session_scope(engine) as session:
        (view,) = coverage.list_coverage(session, SYSTEM)
        assert (view.site, view.sectors) == (None, ())
        assert view.n > 5
        assert coverage.list_coverage(session, SYSTEM, receiver="van") == []
        assert coverage.list_coverage(session, SYSTEM, band=5)[0].n == 0
        with pytest.raises(NotAllowed):
            coverage.list_coverage(session, REQUESTER)
