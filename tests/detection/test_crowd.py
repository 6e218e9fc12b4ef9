"""Hundreds of random skies: no identified drone ever changes its track or shares it, and no
registered drone is ever called unregistered for a frame that was damaged or said only a part."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import pytest

from droneteam.detection import rid
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.records import Received
from droneteam.detection.track import NO_TRACK, Tracker
from droneteam.detection.watch import Known, Watch
from tests.detection.crowd import Sent, over_the_air, sky
from tests.detection.radio import START

BATCH_S = 0.1
SETTLED_S = 8.0


def batches(heard: Sequence[Sent]) -> Iterator[list[Sent]]:
    part: list[Sent] = []
    for sent in heard:
        if part and (sent.received.at - part[0].received.at).total_seconds() >= BATCH_S:
            yield part
            part = []
        part.append(sent)
    yield part


def followed(heard: Sequence[Sent]) -> dict[str, list[int]]:
    """The tracks that each aircraft's positions went to, once their radio had said who it is."""
    tracker, found = Tracker(), dict[str, list[int]]()
    named: set[tuple[str, str]] = set()
    for part in batches(heard):
        ids = tracker.observe_many([sent.received for sent in part])
        for sent, track_id in zip(part, ids, strict=True):
            settled = sent.received.at >= START + timedelta(seconds=SETTLED_S)
            known = (sent.name, sent.received.transmitter) in named
            if sent.located and known and settled and track_id != NO_TRACK:
                found.setdefault(sent.name, []).append(track_id)
        named |= {(sent.name, sent.received.transmitter) for sent in part if not sent.located}
    return found


def switches(found: dict[str, list[int]]) -> list[str]:
    """Every change of an aircraft's track, and every track of two aircraft, in words."""
    said = [
        f"{name} went from {before} to {after}"
        for name, ids in found.items()
        for before, after in itertools.pairwise(ids)
        if before != after
    ]
    owners: dict[int, set[str]] = {}
    for name, ids in found.items():
        for track_id in ids:
            owners.setdefault(track_id, set()).add(name)
    return said + [f"{track_id} is {names}" for track_id, names in owners.items() if len(names) > 1]


def check_identities(seed: int, *, in_step: bool = False) -> None:
    flyers, heard = sky(random.Random(seed), in_step=in_step)
    found = followed(heard)
    assert found.keys() == {one.name for one in flyers}, seed
    assert switches(found) == [], seed


@pytest.mark.parametrize("seed", range(8))
def test_identified_drones_never_switch(seed: int) -> None:
    check_identities(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_identified_drones_never_switch_in_hundreds_of_skies(seed: int) -> None:
    check_identities(seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_clone_that_copies_every_new_address_at_once_takes_nothing_over(seed: int) -> None:
    check_identities(seed, in_step=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3000, 3100))
def test_a_clone_in_step_takes_nothing_over_in_a_hundred_skies(seed: int) -> None:
    check_identities(seed, in_step=True)


def test_the_measure_of_switches_sees_them() -> None:
    assert switches({"a": [1, 1, 2, 2], "b": [3]}) == ["a went from 1 to 2"]
    assert len(switches({"a": [1], "b": [1]})) == 1


def partial(heard: Iterable[Sent], chance: random.Random) -> Iterator[Received]:
    """Through the air: one frame in ten damaged, as on recorded long-range Bluetooth."""
    for sent in heard:
        received = over_the_air(sent.received, chance, bad=False)
        assert received is not None
        yield received
        if chance.random() < 0.1:
            damaged = over_the_air(sent.received, chance, bad=True)
            if damaged is not None:
                yield damaged


def check_false_alerts(seed: int) -> None:
    chance = random.Random(seed)
    flyers, heard = sky(chance)
    honest = [sent for sent in heard if sent.name.startswith("real")]
    hour = timedelta(hours=1)
    serials = frozenset(one.serial for one in flyers)
    flight = RegisteredFlight("F", serials, START - hour, START + hour, ())
    watching = Watch(lambda _at: Known(flights=(flight,)))
    told = []
    for received in partial(honest, chance):
        _, moment = watching.feed_many([received])
        told += [] if moment is None else moment.changes
    said = [(change.change, change.alert.condition) for change in told]
    assert said == [], seed


@pytest.mark.parametrize("seed", [0, 1, 2, 2042, 2111])
def test_damaged_and_partial_frames_raise_no_false_alert(seed: int) -> None:
    check_false_alerts(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(2000, 2150), *range(4000, 4150)])
def test_damaged_and_partial_frames_raise_no_false_alert_in_hundreds_of_skies(seed: int) -> None:
    check_false_alerts(seed)


def test_a_damaged_frame_would_have_told_a_wrong_serial() -> None:
    """The oracle's other side: without the checksum these frames do lie."""
    chance, wrong = random.Random(3), 0
    _, heard = sky(chance, seconds=12)
    for sent in heard:
        assert over_the_air(sent.received, chance, bad=True) is None
        raw = bytearray(sent.received.payload)
        raw[chance.randrange(2, 22)] ^= 1 << chance.randrange(7)
        wrong += not sent.located and bytes(raw) != rid.encode(
            rid.decode(sent.received.payload).messages[0]
        )
    assert wrong > 10
