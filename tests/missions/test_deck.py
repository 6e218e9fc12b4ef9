"""Stopping the deck by hand: in flight it is an error, while logs are fetched it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from droneteam.missions.flight.fly import FlightDeck
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder, SortieResult
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.transports import LinkAddress
from tests.missions.conftest import PLACE
from tests.missions.test_flight import mission_items

AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def deck(tmp_path: Path) -> FlightDeck:
    order = flight_order(1, mission_items(), PLACE)
    address = LinkAddress.parse("tcp:127.0.0.1:9")
    return FlightDeck([SortieOrder(order, 1, "drone-01", address, tmp_path, fetch_log=True)])


def test_who_stops_the_fetching_of_logs_keeps_the_sorties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def landed_then_stopped(self: FlightDeck, *_args: Any) -> None:
        for runner in self._runners:
            sortie = runner.sortie
            runner.result = SortieResult(
                1, 1, Ending.COMPLETED, "", AT, AT, sortie.tlog_path, sortie.journal_path, 0
            )
        raise KeyboardInterrupt

    monkeypatch.setattr(FlightDeck, "_loop", landed_then_stopped)
    (result,) = deck(tmp_path).fly()
    assert result.ending is Ending.COMPLETED
    assert result.onboard_log is None


def test_who_stops_a_flight_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(self: FlightDeck, *_args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FlightDeck, "_loop", stopped)
    with pytest.raises(KeyboardInterrupt):
        deck(tmp_path).fly()
