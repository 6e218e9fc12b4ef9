"""What share of a vehicle's packets arrives, against packets that were dropped on purpose."""

from __future__ import annotations

import random

import pytest

from droneteam.missions.mavlink.framing import Frame
from droneteam.missions.mavlink.lossmeter import WINDOW_S, LossMeter, PacketNumbers


def frame(number: int, component: int = 1, version: int = 2) -> Frame:
    raw = bytearray(12)
    raw[0] = 0xFD if version == 2 else 0xFE
    raw[4 if version == 2 else 2] = number % 256
    return Frame(bytes(raw), 1, component, 30)


def heard(loss: float, seed: int, seconds: float, rate_hz: float = 27.0) -> tuple[float, float]:
    """The meter's answer, and the true share of the last ten seconds' packets."""
    rng, meter, arrived = random.Random(seed), LossMeter(), []
    count = round(seconds * rate_hz)
    for number in range(count):
        came = number == 0 or number == count - 1 or rng.random() >= loss
        arrived.append(came)
        if came:
            meter.take(frame(number), number / rate_hz)
    last = arrived[-round(WINDOW_S * rate_hz) :]
    share = meter.arrived_pct((count - 1) / rate_hz)
    assert share is not None
    return share, 100.0 * sum(last) / len(last)


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.3, 0.6])
def test_the_share_is_that_of_the_packets_that_came(loss: float) -> None:
    for seed in range(5):
        found, true = heard(loss, seed, 60.0)
        assert found == pytest.approx(true, abs=1.5)


def test_what_was_lost_long_ago_is_forgotten() -> None:
    meter = LossMeter()
    meter.take(frame(0), 0.0)
    meter.take(frame(100), 1.0)
    assert meter.arrived_pct(1.0) == pytest.approx(100.0 * 2 / 101)
    for number in range(101, 200):
        meter.take(frame(number), 1.0 + 0.1 * (number - 100))
    assert meter.arrived_pct(11.0) == 100.0


def test_of_a_silent_link_nothing_is_known() -> None:
    meter = LossMeter()
    assert meter.arrived_pct(0.0) is None
    meter.take(frame(7), 5.0)
    assert meter.arrived_pct(5.0 + 0.99 * WINDOW_S) == 100.0
    assert meter.arrived_pct(5.0 + WINDOW_S) is None


def test_components_number_for_themselves_and_an_overtaken_packet_is_not_a_loss() -> None:
    numbers = PacketNumbers()
    pairs = [(250, 1), (3, 1), (10, 154), (11, 154), (2, 1), (4, 1), (4, 1)]
    assert [numbers.gap_before(frame(n, c)) for n, c in pairs] == [0, 8, 0, 0, 0, 0, 0]
    assert numbers.gap_before(frame(7, 1, version=1)) == 2
