"""The stored picture: one row per track and alert, operators only for those who need them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from droneteam import accounts, jobs
from droneteam.accounts import SYSTEM, Actor
from droneteam.db import session_scope
from droneteam.detection import rid, service
from droneteam.detection.listen import Listener, listen, replay
from droneteam.detection.models import RidMessage
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.retention import (
    HANDLERS,
    JOB_KIND,
    Retention,
    ask_for_erasure,
    erase_expired,
)
from droneteam.detection.track import Received
from droneteam.detection.watch import Known
from droneteam.errors import NotAllowed, NotFound
from droneteam.settings import Settings
from tests.detection.radio import LAT_DEG, LON_DEG, START, Aircraft, fly

MANAGER = replace(SYSTEM, roles=frozenset({"manager"}))
REQUESTER = replace(SYSTEM, roles=frozenset({"requester"}))


def nothing_known(session: Session, at: datetime) -> Known:
    return Known()


def sky() -> Iterator[Received]:
    for received in fly(Aircraft(), seconds=20):
        system = rid.encode(rid.System(LAT_DEG, LON_DEG))
        yield replace(received, payload=system)
        yield received


@pytest.fixture
def filled(engine: Engine) -> Engine:
    replay(Listener(engine, nothing_known, START), sky(), None)
    return engine


def test_one_flight_is_one_track_and_one_alert(filled: Engine) -> None:
    with session_scope(filled) as session:
        (track,) = service.list_tracks(session, SYSTEM)
        (alert,) = service.list_alerts(session, SYSTEM, open_only=True)
        assert (alert.kind, alert.uas_id, alert.track_id) == (
            "unregistered_flight",
            "1581F4BND2280",
            track.id,
        )
        way = service.track_way(session, SYSTEM, track.id)
        assert len(way) >= 18
        assert [at for at, _, _ in way] == sorted(at for at, _, _ in way)


def test_the_payloads_behind_an_alert_prove_it(filled: Engine) -> None:
    with session_scope(filled) as session:
        (alert,) = service.list_alerts(session, SYSTEM)
        messages = service.alert_messages(session, SYSTEM, alert.id)
        decoded = [rid.decode(bytes.fromhex(m.payload_hex)).messages[0] for m in messages]
        assert any(isinstance(m, rid.BasicId) for m in decoded)
        assert sum(isinstance(m, rid.Location) for m in decoded) >= 18


def test_the_operators_place_is_for_those_who_need_it(filled: Engine) -> None:
    with session_scope(filled) as session:
        assert service.list_tracks(session, SYSTEM)[0].operator_lat_deg == LAT_DEG
        assert service.list_tracks(session, MANAGER)[0].operator_lat_deg is None
        with pytest.raises(NotAllowed):
            service.list_tracks(session, REQUESTER)


def test_an_acknowledgement_is_kept_once(filled: Engine) -> None:
    pilot = with_pilot(filled)
    with session_scope(filled) as session:
        (alert,) = service.list_alerts(session, pilot)
        first = service.acknowledge_alert(session, pilot, alert.id, START)
        later = START + timedelta(minutes=1)
        again = service.acknowledge_alert(session, SYSTEM, alert.id, later)
        assert (again.acknowledged_at, again.acknowledged_by) == (START, first.acknowledged_by)
        with pytest.raises(NotAllowed):
            service.acknowledge_alert(session, MANAGER, alert.id, START)
        with pytest.raises(NotFound):
            service.acknowledge_alert(session, pilot, 999, START)


def with_pilot(engine: Engine) -> Actor:
    with session_scope(engine) as session:
        kind = accounts.OrganisationKind.DRONE_TEAM
        accounts.add_organisation(session, code="TEAM", kind=kind, names=("t", "t", "t"))
        new = accounts.NewUser("pilot3", "pilot 3", "TEAM", ("pilot",), "a long password")
        return accounts.add_user(session, new)


def test_a_restart_closes_what_it_left_and_goes_on(filled: Engine) -> None:
    later = START + timedelta(hours=1)
    moved = (replace(r, at=r.at + timedelta(hours=1)) for r in fly(Aircraft(), seconds=20))
    replay(Listener(filled, nothing_known, later), moved, None)
    with session_scope(filled) as session:
        alerts = service.list_alerts(session, SYSTEM)
        assert [alert.cleared_at is None for alert in alerts] == [True, False]
        assert alerts[1].facts["cleared_by"] == "restart of the watch"
        assert len(service.list_tracks(session, SYSTEM)) == 1
        assert len(service.list_tracks(session, SYSTEM, ended=True)) == 2


def test_old_payloads_are_erased_but_not_those_behind_an_open_alert(filled: Engine) -> None:
    later = START + timedelta(days=2)
    with session_scope(filled) as session:
        session.add(RidMessage(**OLD))
        session.flush()
        before = session.scalar(select(func.count()).select_from(RidMessage))
        assert erase_expired(session, SYSTEM, later).messages >= 1
        left = session.scalar(select(func.count()).select_from(RidMessage)) or 0
        assert 18 <= left < (before or 0)
        service.close_previous_watch(session, later)
        erase_expired(session, SYSTEM, later)
        assert session.scalar(select(func.count()).select_from(RidMessage)) == 0


def test_each_kind_is_erased_in_its_own_time(filled: Engine) -> None:
    kept = Retention(operator=timedelta(hours=2), way=timedelta(hours=3))
    with session_scope(filled) as session:
        service.close_previous_watch(session, START)
        early = erase_expired(session, SYSTEM, START + timedelta(hours=1), kept)
        assert (early.messages, early.operators, early.points) == (0, 0, 0)
        first = erase_expired(session, SYSTEM, START + timedelta(hours=2, minutes=1), kept)
        assert (first.messages, first.operators, first.points) == (0, 1, 0)
        (track,) = service.list_tracks(session, SYSTEM, ended=True)
        assert (track.operator_lat_deg, track.operator_id) == (None, None)
        then = erase_expired(session, SYSTEM, START + timedelta(hours=4), kept)
        assert then.points >= 18
        assert service.track_way(session, SYSTEM, track.id) == []
        with pytest.raises(NotAllowed):
            erase_expired(session, MANAGER, START, kept)


def test_a_job_erases_once_an_hour(filled: Engine, tmp_path: Path) -> None:
    settings = Settings(tmp_path, "sqlite://", "secret")
    now = datetime.now(UTC)
    with session_scope(filled) as session:
        service.close_previous_watch(session, START)
        assert ask_for_erasure(session, now) is not None
        assert ask_for_erasure(session, now) is None
    assert jobs.run_once(filled, settings, HANDLERS)
    with session_scope(filled) as session:
        done = jobs.latest(session, JOB_KIND)
        assert done is not None
        assert (done.state, done.error) == ("done", None)
        assert session.scalar(select(func.count()).select_from(RidMessage)) == 0
        assert ask_for_erasure(session, now + timedelta(minutes=59)) is None
        assert ask_for_erasure(session, now + timedelta(minutes=61)) is not None


OLD = {
    "at": START,
    "receiver": "roof",
    "transport": "wifi-beacon",
    "transmitter": "x",
    "payload_hex": "00",
}


def test_datagrams_reach_the_database(sqlite_engine: Engine) -> None:
    receiver = DatagramReceiver("127.0.0.1", 0)
    stop = threading.Event()
    listener = Listener(sqlite_engine, nothing_known, START)
    thread = threading.Thread(target=listen, args=(listener, receiver, stop))
    thread.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"not json", receiver.address)
            for received in fly(Aircraft(), seconds=10):
                sender.sendto(datagram(received), receiver.address)
                time.sleep(0.002)
        wait_until(lambda: receiver.tally.received == 14)
        wait_until(lambda: has_alert(sqlite_engine))
    finally:
        stop.set()
        thread.join()
        receiver.close()
    assert receiver.tally.refused == 1


def datagram(received: Received) -> bytes:
    fields = {
        "at": received.at.isoformat(),
        "receiver": received.receiver,
        "transport": received.transport,
        "transmitter": received.transmitter,
        "rssi_dbm": received.rssi_dbm,
        "payload": received.payload.hex(),
    }
    return json.dumps(fields).encode()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_alert(engine: Engine) -> bool:
    with session_scope(engine) as session:
        return bool(service.list_alerts(session, SYSTEM))
