"""What many receptions at once make of the tracks is what they would make of them one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from droneteam.detection import rid
from droneteam.detection.records import Received
from droneteam.detection.track import Tracker
from tests.detection.radio import START, Aircraft

N_AIRCRAFT = 30
RECEIVERS = ("roof", "van", "mast")


def fleet(seed: int, seconds: int = 14) -> list[Received]:
    """Aircraft with one radio each, heard by three receivers with copies, losses and lateness."""
    chance = random.Random(seed)
    heard = []
    for number in range(N_AIRCRAFT):
        one = Aircraft(
            f"02:00:00:00:04:{number:02x}",
            f"SERIAL{number:04d}",
            east_m=chance.uniform(-3000.0, 3000.0),
            north_m=chance.uniform(-3000.0, 3000.0),
            course_deg=chance.uniform(0.0, 359.0),
        )
        for second in range(seconds):
            for received in sent(one, second):
                heard += list(receptions(received, second, chance))
    return sorted(heard, key=lambda received: received.at)


def sent(one: Aircraft, second: int) -> Iterator[Received]:
    """A pack of identity and position, or a position alone; the operator with a new time each."""
    (received, *_) = one.receptions(float(second))
    identity = rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, one.uas_id or "")
    system = rid.System(50.8, 4.4, at=START + timedelta(seconds=second))
    pack = rid.encode_pack((identity, one.location(float(second)), system))
    yield replace(received, payload=pack) if second % 2 == 0 else received


def receptions(received: Received, second: int, chance: random.Random) -> Iterator[Received]:
    for receiver in RECEIVERS:
        if chance.random() < 0.3:
            continue
        late_s = chance.choice((0.0, 0.1, 0.2, 2.5))
        at = received.at + timedelta(seconds=late_s + chance.uniform(0.0, 0.05))
        strength = chance.choice((None, chance.randint(-90, -40)))
        yield replace(
            received, at=at, receiver=receiver, rssi_dbm=strength, counter=second * 3 % 256
        )


def parts(heard: Sequence[Received], span_s: float) -> Iterator[list[Received]]:
    part: list[Received] = []
    for received in heard:
        if part and (received.at - part[0].at).total_seconds() >= span_s:
            yield part
            part = []
        part.append(received)
    yield part


def followed(batches: Iterator[list[Received]]) -> tuple[Tracker, list[int]]:
    tracker = Tracker()
    return tracker, [one for part in batches for one in tracker.observe_many(part)]


def assert_same(one: Tracker, other: Tracker) -> None:
    """Every track, with everything that is known of its radios."""
    assert len(one.tracks) == len(other.tracks)
    for a, b in zip(one.tracks, other.tracks, strict=True):
        numbers = {"lat_deg": 1e-8, "lon_deg": 1e-8} | dict.fromkeys(
            ("speed_mps", "course_deg", "sigma_m"), 1e-3
        )
        blank = dict.fromkeys(numbers, 0.0)
        assert replace(a, **blank, covariance=None) == replace(b, **blank, covariance=None)  # type: ignore[arg-type]
        # The bank puts what comes late where it belongs, to some hundred thousandths of a metre.
        for name, margin in numbers.items():
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=0.0, abs=margin)
        assert one.transmissions(a.id) == other.transmissions(b.id)


@pytest.mark.parametrize("seed", [1])
def test_many_at_once_are_what_they_are_one_by_one(seed: int) -> None:
    heard = fleet(seed)
    single, ids = followed([received] for received in heard)
    for span_s in (0.5, 2.0):
        many, found = followed(parts(heard, span_s))
        assert len(many._steady.rows) == N_AIRCRAFT, "every radio became plain"
        assert ids == found
        assert_same(single, many)


def test_what_passes_at_once_is_told_as_changed_and_nothing_else_is() -> None:
    heard = fleet(3)
    tracker, _ = followed(parts(heard, 1.0))
    tracker.changes()
    assert tracker.changes() == ([], set())
    again = [replace(r, at=r.at + timedelta(seconds=0.2)) for r in heard[-50:]]
    tracker.observe_many(again)
    assert tracker.changes() == ([], set()), "copies change nothing"


def later(one: Aircraft, second: int, **change: object) -> Received:
    (received, *_) = one.receptions(float(second), receiver="roof")
    return replace(received, **change)  # type: ignore[arg-type]


ODD = Aircraft("02:00:00:00:04:00", "SERIAL0000")
FAR = replace(ODD, north_m=9000.0)
DEPARTURES: dict[str, Callable[[int], list[Received]]] = {
    "a counter that runs back": lambda s: [later(ODD, s, counter=(s - 9) * 3 % 256)],
    "a clock that is off": lambda s: [
        later(ODD, s, at=START + timedelta(seconds=s + 1.2, minutes=9))
    ],
    "another place": lambda s: [later(FAR, s)],
    "another place and back": lambda s: [later(FAR, s), later(ODD, s)],
    "another serial": lambda s: [
        later(ODD, s, payload=rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "OTHER")))
    ],
    "a receiver that is new": lambda s: [later(ODD, s, receiver="bridge")],
    "the serial of another radio": lambda s: [
        later(ODD, s, payload=rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "SERIAL0001")))
    ],
    "another radio with the serial": lambda s: [
        later(
            ODD,
            s,
            transmitter="02:00:00:00:05:00",
            payload=rid.encode_pack(
                (rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "SERIAL0000"), FAR.location(float(s)))
            ),
        )
    ],
    "a position without a time": lambda s: [
        later(
            ODD,
            s,
            payload=rid.encode(replace(ODD.location(float(s)), second_of_hour_s=None)),
        )
    ],
    "no place": lambda s: [
        later(
            ODD,
            s,
            payload=rid.encode(replace(ODD.location(float(s)), lat_deg=None, lon_deg=None)),
        )
    ],
    "a broken payload": lambda s: [later(ODD, s, payload=b"\xf0\x19")],
    "a replay of what is over": lambda s: [
        replace(later(ODD, 0), at=START + timedelta(seconds=s + 40.0)),
        replace(later(ODD, 0), at=START + timedelta(seconds=s + 41.0)),
    ],
}


@pytest.mark.parametrize("what", DEPARTURES)
def test_what_is_out_of_the_ordinary_is_seen_among_many(what: str) -> None:
    """The others' messages of the same second hide nothing of what one radio does."""
    heard = [
        later(
            replace(ODD, transmitter=f"02:00:00:00:04:{n:02x}", uas_id=f"SERIAL{n:04d}"),
            second,
            counter=second * 3 % 256,
            payload=rid.encode_pack(
                (
                    rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, f"SERIAL{n:04d}"),
                    replace(ODD, east_m=200.0 * n).location(float(second)),
                )
            ),
        )
        for second in range(12)
        for n in range(N_AIRCRAFT)
        if n or second < 10
    ]
    odd = [*DEPARTURES[what](10), *DEPARTURES[what](11)]
    rest = heard[-2 * (N_AIRCRAFT - 1) :]
    many, single = Tracker(), Tracker()
    for part in parts(heard[: -len(rest)], 0.5):
        many.observe_many(part)
    assert len(many._steady.rows) == N_AIRCRAFT
    many.observe_many([*rest, *odd])
    for received in [*heard, *odd]:
        single.observe_many([received])
    assert_same(single, many)


def test_a_row_that_is_used_again_remembers_nothing_of_the_track_before() -> None:
    tracker, _ = followed(parts(fleet(4, seconds=8), 1.0))
    assert tracker.end_silent(START + timedelta(hours=1))
    assert tracker._steady.rows == {}
    day = timedelta(hours=2)
    later_heard = [replace(r, at=r.at + day) for r in fleet(4, seconds=8)]
    for part in parts(later_heard, 1.0):
        tracker.observe_many(part)
    fresh, _ = followed(parts(later_heard, 1.0))
    assert [track.n_fixes for track in tracker.tracks] == [track.n_fixes for track in fresh.tracks]
    assert {len(tracker.transmissions(track.id).signals) for track in tracker.tracks} <= set(
        range(1, 9)
    )


def test_a_radio_that_sends_a_serial_and_a_sessions_id_keeps_its_serial() -> None:
    serial = rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "SERIAL")
    session = rid.BasicId(rid.IdType.SESSION_ID, 2, "0a" + "00" * 19)
    for order in ((serial, session), (session, serial)):
        tracker = Tracker()
        for second in range(6):
            messages = (*order, ODD.location(float(second)))
            tracker.observe(later(ODD, second, payload=rid.encode_pack(messages)))
        (track,) = tracker.tracks
        assert track.uas_id == "SERIAL"
        assert track.n_fixes == 6


def test_thousands_of_rows_grow_without_mixing_tracks() -> None:
    tracker = Tracker()
    for second in range(3):
        heard = []
        for n in range(300):
            one = replace(ODD, transmitter=f"{n}", uas_id=None, east_m=50.0 * n)
            heard.append(later(one, second))
        tracker.observe_many(heard)
    assert [track.n_fixes for track in tracker.tracks] == [3] * 300
    lon_deg = np.array([track.lon_deg for track in tracker.tracks])
    assert np.all(np.diff(lon_deg) > 0.0)
