"""Our own telemetry as tracks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection.air import Air
from droneteam.detection.feeds import Backoff, Feed, Inbox
from droneteam.detection.records import Alive, Plot, Record
from droneteam.detection.sources.fleet import SIGMA_M, Fleet
from droneteam.detection.watch import Known, Watch
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.service import LiveState
from tests.detection.sources.waiting import gather, troubles

QUICK = Backoff(first_s=0.02, limit_s=0.1)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@contextmanager
def followed(source: Fleet, inbox: Inbox) -> Iterator[Feed]:
    feed = Feed("fleet", source, inbox, QUICK)
    feed.start()
    try:
        yield feed
    finally:
        feed.close()


def plots(records: list[Record]) -> list[Plot]:
    return [one for one in records if isinstance(one, Plot)]


@pytest.fixture
def seeded(sqlite_engine: Engine) -> Engine:
    with session_scope(sqlite_engine) as session:
        fleet.seed_reference(session, datetime.now(UTC))
    return sqlite_engine


def flying(engine: Engine, at: datetime, *, armed: bool = True, east_deg: float = 0.0) -> str:
    """One drone of the fleet says where it is; gives its serial number."""
    with session_scope(engine) as session:
        drone = fleet.list_drones(session, SYSTEM)[0]
        state = LiveState(
            *(drone.id, drone.name, at, 50.8, 4.4 + east_deg, 70.0, 14.0, 90.0, 5.0),
            *(80.0, "AUTO", armed, None, "flying", 0.4),
        )
        missions.update_live_states(session, [state])
    return drone.remote_id_serial


def test_a_flying_drones_telemetry_is_a_plot_once_per_report(seeded: Engine, inbox: Inbox) -> None:
    now = datetime.now(UTC)
    serial = flying(seeded, now)
    with followed(Fleet(seeded, 43.5), inbox):
        records = gather(inbox, lambda found: bool(plots(found)))
        flying(seeded, now + timedelta(seconds=1), east_deg=0.0001)
        records += gather(inbox, lambda found: bool(plots(found)))
    first, second = plots(records)
    assert first == Plot(
        at=now,
        sensor="fleet",
        transport="telemetry",
        lat_deg=50.8,
        lon_deg=4.4,
        sigma_m=SIGMA_M,
        identity=serial,
        alt_ellipsoid_m=113.5,
    )
    assert (second.lon_deg, second.identity) == (4.4001, serial)
    assert any(isinstance(one, Alive) and one.kind == "telemetry" for one in records)


def test_heights_are_handed_on_only_where_the_geoid_is_known(seeded: Engine, inbox: Inbox) -> None:
    flying(seeded, datetime.now(UTC))
    with followed(Fleet(seeded), inbox):
        records = gather(inbox, lambda found: bool(plots(found)))
    assert plots(records)[0].alt_ellipsoid_m is None


def test_a_drone_on_the_ground_is_no_track(seeded: Engine, inbox: Inbox) -> None:
    flying(seeded, datetime.now(UTC), armed=False)
    with followed(Fleet(seeded), inbox) as feed:
        records = gather(inbox, lambda _found: feed.connections == 1)
        flying(seeded, datetime.now(UTC) + timedelta(seconds=1))
        records += gather(inbox, lambda found: bool(plots(found)))
    assert len(plots(records)) == 1


def test_own_telemetry_is_followed_as_our_own(seeded: Engine) -> None:
    now = datetime.now(UTC)
    serial = flying(seeded, now)
    with session_scope(seeded) as session:
        known = Air(43.5)(session, now)
    watch = Watch(lambda _at: Known(own=known.own))
    moment = None
    for second in range(4):
        at = now + timedelta(seconds=second)
        plot = Plot(at, "fleet", "telemetry", 50.8, 4.4, SIGMA_M, identity=serial)
        moment = watch.feed(plot)[1] or moment
    assert moment is not None
    ((track, found),) = moment.tracks
    assert (track.uas_id, track.alt_ellipsoid_m) == (serial, None)
    assert (found.kind, found.evidence) == ("own", ("own_serial", "telemetry_agrees"))
    assert moment.changes == ()


def test_a_database_that_is_not_there_is_named(inbox: Inbox, tmp_path: object) -> None:
    engine = db.make_engine(f"sqlite:///{tmp_path}/empty.db")
    with followed(Fleet(engine), inbox):
        records = gather(inbox, lambda found: bool(troubles(found)))
    engine.dispose()
    assert "the database: no such table" in troubles(records)[0]


def test_a_silent_drone_is_not_plotted_again_where_it_no_longer_is(
    seeded: Engine, inbox: Inbox
) -> None:
    """Its controller writes its last place on and on, and says for how long it has been silent."""
    heard = datetime.now(UTC)
    flying(seeded, heard)
    with followed(Fleet(seeded, 43.5), inbox):
        records = gather(inbox, lambda found: bool(plots(found)))
        for silent_s in (1.0, 2.0):
            with session_scope(seeded) as session:
                [state] = missions.live_states(session)
                later = heard + timedelta(seconds=silent_s)
                missions.update_live_states(session, [replace(state, at=later, silent_s=silent_s)])
            # Of two signs of life the second comes after a look at the new state.
            records += gather(inbox, lambda found: sum(isinstance(x, Alive) for x in found) >= 2)
        flying(seeded, heard + timedelta(seconds=3), east_deg=0.0001)
        records += gather(inbox, lambda found: bool(plots(found)))
    assert [one.at - heard for one in plots(records)] == [timedelta(0), timedelta(seconds=3)]
