"""Receivers whose clocks are off harm nobody, and what is over is not followed again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.detection import reception, service
from droneteam.detection.clocks import OFF_S, Clocks
from droneteam.detection.feeds import Inbox, Outlet
from droneteam.detection.listen import Listener, batches, listen
from droneteam.detection.records import MAX_RECEIVERS, Alive, Received, Record
from droneteam.detection.watch import Known, Watch
from tests.detection.radio import START, Aircraft, fly
from tests.detection.test_rules import kinds, moments
from tests.detection.test_service import nothing_known


def after(second: float) -> datetime:
    return START + timedelta(seconds=second)


def verdicts(clocks: Clocks, receiver: str, lags_s: list[float]) -> list[tuple[str, float]]:
    """What each record, sent every second, was held to be, and how far it was moved."""
    said = []
    for second, lag_s in enumerate(lags_s):
        record = Alive(after(second - lag_s), receiver)
        dated, verdict = clocks.judge(record, after(second))
        said.append((verdict, (dated.at - record.at).total_seconds()))
    return said


def test_small_lags_are_the_networks() -> None:
    said = verdicts(Clocks(), "roof", [0.1, 2.0, OFF_S - 1.0, 0.0, -5.0])
    assert said == [("right", 0.0)] * 5


@pytest.mark.parametrize("lag_s", [7200.0, -7200.0, 86_400.0, 40.0])
def test_a_clock_that_is_off_is_dated_by_its_lag(lag_s: float) -> None:
    clocks = Clocks()
    verdicts(clocks, "roof", [0.0] * 3)
    said = verdicts(clocks, "van", [lag_s, lag_s + 1.0, lag_s])
    assert said == [("moved", lag_s), ("moved", lag_s + 1.0), ("moved", lag_s)]
    side = "behind" if lag_s > 0.0 else "ahead"
    assert f"{abs(lag_s) / 3600.0:.2f} h {side}: 3 records" in clocks.remark("van")
    assert clocks.remark("roof") == clocks.remark("nobody") == ""


def test_one_receiver_with_dates_of_its_own_is_right_for_itself() -> None:
    clocks = Clocks()
    assert verdicts(clocks, "file", [1e7, 1e7 - 9.0, 1e7 - 20.0]) == [("right", 0.0)] * 3
    # until one is heard whose clock agrees with this machine's
    verdicts(clocks, "roof", [0.0])
    assert verdicts(clocks, "file", [1e7 - 20.0])[0][0] == "moved"


def test_a_receiver_that_repeats_yesterday_is_not_followed_until_it_is_done() -> None:
    clocks = Clocks()
    said = verdicts(clocks, "roof", [0.1] * 3 + [86_400.0, 86_399.0, 50_000.0] + [0.2] * 2)
    assert [verdict for verdict, _ in said] == ["right"] * 3 + ["over"] * 3 + ["right"] * 2
    assert clocks.remark("roof") == ""
    verdicts(clocks, "roof", [86_400.0])
    assert "4 records were not followed" in clocks.remark("roof")


def test_a_clock_that_jumps_ahead_and_back_is_followed_all_the_time() -> None:
    said = verdicts(Clocks(), "roof", [0.0, -7200.0, -7201.0, 0.5, 0.1])
    assert [verdict for verdict, _ in said] == ["right", "moved", "moved", "right", "right"]
    assert [moved_s for _, moved_s in said[1:3]] == [-7200.0, -7201.0]


def test_made_up_names_fill_no_memory() -> None:
    clocks = Clocks()
    for number in range(3 * MAX_RECEIVERS):
        record = Alive(after(-7200.0 * (number % 2)), f"name {number}")
        clocks.judge(record, after(0.0))
    assert len(clocks._lags) == MAX_RECEIVERS


def test_a_receiver_hours_ahead_neither_ends_the_others_tracks_nor_stops_their_rules(
    engine: Engine,
) -> None:
    ahead = Aircraft("02:00:00:00:00:02", "AHEAD", north_m=3000.0)
    listener = Listener(engine, nothing_known, START)
    for received in fly(Aircraft(), ahead, seconds=30):
        heard, late = received, received.at
        if received.transmitter == ahead.transmitter:
            heard = replace(received, receiver="van", at=received.at + timedelta(hours=2))
        for batch in batches(listener.arrive([heard], late)):
            listener.hear(batch)
    listener.flush()
    with session_scope(engine) as session:
        tracks = service.list_tracks(session, SYSTEM)
        alerts = service.list_alerts(session, SYSTEM, open_only=True)
        rows = {row.name: row for row in reception.list_receivers(session, SYSTEM, after(30.0))}
    assert {track.uas_id for track in tracks} == {"1581F4BND2280", "AHEAD"}
    assert all(after(28.0) <= track.last_at <= after(32.0) for track in tracks)
    assert [alert.kind for alert in alerts] == ["unregistered_flight"] * 2
    assert "2.00 h ahead" in rows["van"].problem
    assert rows["roof"].problem == ""


def test_yesterday_again_raises_nothing_and_is_kept_as_it_came(engine: Engine) -> None:
    flown = list(fly(Aircraft(), seconds=20))
    listener = Listener(engine, nothing_known, START)
    for received in flown:
        listener.hear(listener.arrive([received], received.at))
    day = timedelta(days=1)
    for received in flown:
        today = replace(received, transmitter="02:00:00:00:00:09", at=received.at + day)
        sign = Alive(today.at, "roof")
        again = replace(received, transmitter="02:00:00:00:00:03")
        listener.hear(listener.arrive([sign, today, again], today.at))
    listener.flush()
    with session_scope(engine) as session:
        tracks = service.list_tracks(session, SYSTEM, ended=True)
        (alert, *_) = service.list_alerts(session, SYSTEM, open_only=True)
        messages = service.alert_messages(session, SYSTEM, alert.id)
    assert len(tracks) == 2
    assert {message.transmitter for message in messages} == {"02:00:00:00:00:09"}


def test_what_is_older_than_any_track_is_counted_and_not_followed() -> None:
    watching = Watch(lambda _at: Known())
    late = Aircraft("02:00:00:00:00:05", "LATE")
    now = [replace(r, at=r.at + timedelta(hours=3)) for r in fly(Aircraft(), seconds=20)]
    mixed: list[Received] = []
    for received, old in zip(now, fly(late, seconds=20), strict=True):
        mixed += [received, old]
    found = moments(watching, mixed)
    assert kinds(found) == [("raised", "unregistered_flight")]
    assert {track.uas_id for track, _ in found[-1].tracks} == {"1581F4BND2280"}
    assert watching.late == len(now)


def through_a_feed(
    listener: Listener, heard: Iterable[Received], stamp: Callable[[Received], datetime]
) -> None:
    """A receiver beside the loop, whose stamps are what `stamp` says; heard at the true time."""
    inbox = Inbox()
    for received in heard:
        feed = Outlet(received.receiver, "wifi", inbox, clock=lambda at=received.at: at)  # type: ignore[misc]
        feed.alive()
        feed.put(replace(received, at=stamp(received)))
        for batch in batches(listener.arrive_from_feeds(inbox.drain(), received.at)):
            listener.hear(batch)
    listener.flush()


def alerts_and_rows(engine: Engine) -> tuple[list[str], dict[str, reception.ReceiverView]]:
    with session_scope(engine) as session:
        alerts = service.list_alerts(session, SYSTEM, open_only=True)
        rows = reception.list_receivers(session, SYSTEM, after(30.0))
    return [alert.kind for alert in alerts], {row.name: row for row in rows}


@pytest.mark.parametrize("hours", [2.0, -2.0, 26.0])
def test_a_feed_whose_clock_is_hours_off_is_followed_at_the_true_time(
    engine: Engine, hours: float
) -> None:
    listener = Listener(engine, nothing_known, START)
    through_a_feed(
        listener, fly(Aircraft(), seconds=30), lambda one: one.at + timedelta(hours=hours)
    )
    kinds_, rows = alerts_and_rows(engine)
    assert kinds_ == ["unregistered_flight"]
    assert f"{abs(hours):.2f} h {'ahead' if hours > 0 else 'behind'}" in rows["roof"].problem
    with session_scope(engine) as session:
        (track,) = service.list_tracks(session, SYSTEM)
    assert after(28.0) <= track.last_at <= after(32.0)


def test_a_feed_that_repeats_yesterday_is_not_followed_though_it_says_that_it_lives(
    engine: Engine,
) -> None:
    listener = Listener(engine, nothing_known, START)
    day = timedelta(days=1)
    old = Aircraft("02:00:00:00:00:03", "YESTERDAY")
    flown = sorted([*fly(Aircraft(), old, seconds=30)], key=lambda one: one.at)
    through_a_feed(
        listener, flown, lambda one: one.at - day if one.transmitter == old.transmitter else one.at
    )
    kinds_, _ = alerts_and_rows(engine)
    with session_scope(engine) as session:
        tracks = service.list_tracks(session, SYSTEM, ended=True)
    assert kinds_ == ["unregistered_flight"]
    assert {track.uas_id for track in tracks} == {"1581F4BND2280"}
    n_old = sum(one.transmitter == old.transmitter for one in flown)
    assert listener.arrive_from_feeds([replace(flown[-1], at=START - day)], after(31.0)) == []
    assert f"{n_old + 1} records were not followed" in listener.clocks.remark("roof")


def test_a_network_position_may_be_a_minute_late_and_no_more_and_not_early() -> None:
    clocks = Clocks()
    clocks.agree()
    (received, *_) = fly(Aircraft(), seconds=1)
    for lag_s, verdict in ((50.0, "right"), (7200.0, "over"), (61.0, "moved"), (-7200.0, "moved")):
        late = replace(received, at=after(-lag_s), receiver="dss", transport="network")
        assert clocks.judge(late, after(0.0))[1] == verdict
    slow = replace(received, at=after(-50.0), receiver="van")
    assert clocks.judge(slow, after(0.0))[1] == "moved"


class FastSimulator:
    """Stands in for a socket: eighty seconds of flight in some milliseconds, then the end."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        ahead = datetime.now(UTC) - START
        flown = (replace(one, at=one.at + ahead) for one in fly(Aircraft(), seconds=80))
        self._batches = list(batches(flown))

    def receive_many(self, _wait_s: float, _most: int) -> list[Record]:
        if not self._batches:
            self._stop.set()
            return []
        return self._batches.pop(0)


@pytest.mark.parametrize(("own_time", "length_s"), [(True, (75.0, 81.0)), (False, (0.0, 60.0))])
def test_a_simulator_that_runs_faster_than_the_clock_is_believed_when_asked_to(
    engine: Engine, own_time: bool, length_s: tuple[float, float]
) -> None:
    stop = threading.Event()
    listener = Listener(engine, nothing_known, START)
    listen(listener, FastSimulator(stop), stop, own_time=own_time)  # type: ignore[arg-type]
    with session_scope(engine) as session:
        tracks = service.list_tracks(session, SYSTEM, ended=True)
        alerts = service.list_alerts(session, SYSTEM)
    flown_s = max((one.last_at - one.started_at).total_seconds() for one in tracks)
    assert length_s[0] <= flown_s <= length_s[1]
    assert "unregistered_flight" in {alert.kind for alert in alerts}
