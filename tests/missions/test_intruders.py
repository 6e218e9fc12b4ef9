"""Aircraft of others near a drone in flight: told to its pilot and its record, never acted upon."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from droneteam.commands.intruders import intruders_near
from droneteam.db import session_scope
from droneteam.detection.models import AlertRow
from droneteam.missions.flight.airwatch import Advice
from droneteam.missions.flight.flying import _Publisher
from droneteam.missions.flight.intruders import Intruder, IntruderBook
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.messages import CopterMode
from droneteam.missions.record.journal import read_journal
from tests.missions.conftest import NOW, PLACE, Office
from tests.missions.test_bad_input import short_items
from tests.missions.test_separation import flying
from tests.missions.test_shared_air import drone_ids, shared
from tests.missions.virtual import Air, fly_in, in_folder

NEAR = Intruder("drone-01", "ZZZZ0001", "turn_right", "ZZZZ0001 may come within 12 m of drone-01")


def conflict(**changes: object) -> AlertRow:
    facts = {"drone": "drone-01", "in_s": 21.4, "distance_m": 12.3, "probability": 0.81}
    fields: dict[str, object] = {
        "kind": "conflict",
        "key": "own:drone-01/track:7",
        "uas_id": "ZZZZ0001",
        "evidence": [],
        "facts": facts | {"advice": "turn_right"},
        "raised_at": NOW,
        "updated_at": NOW,
    }
    return AlertRow(**(fields | changes))


def read(session: Session, *rows: AlertRow) -> list[Intruder]:
    session.add_all(rows)
    session.flush()
    return intruders_near(session)


def test_an_open_conflict_of_the_live_watch_becomes_a_line_with_its_proposal(
    office: Office,
) -> None:
    with session_scope(office.engine) as session:
        (found,) = read(
            session,
            conflict(),
            conflict(cleared_at=NOW),
            conflict(origin="replay"),
            conflict(kind="zone"),
            conflict(facts={"drone": "drone-01"}),
        )
    assert (found.drone_name, found.key, found.proposal) == ("drone-01", "ZZZZ0001", "turn_right")
    assert found.text == (
        "ZZZZ0001 may come within 12 m of drone-01 in 21 s (probability 0.81); "
        "proposed: turn right; the pilot decides"
    )


def test_an_encounter_is_told_once_again_when_the_proposal_changes_and_at_its_end() -> None:
    book = IntruderBook()
    assert book.news([NEAR]) == [Advice(("drone-01",), NEAR.text)]
    nearer = Intruder(NEAR.drone_name, NEAR.key, NEAR.proposal, "within 9 m")
    assert book.news([nearer]) == []
    other = Intruder(NEAR.drone_name, NEAR.key, "stop", "within 5 m; proposed: stop")
    assert [one.text for one in book.news([other])] == ["within 5 m; proposed: stop"]
    assert [one.text for one in book.news([])] == ["ZZZZ0001 is no longer on a collision course"]
    assert book.news([]) == []


def test_the_pilot_is_told_and_the_flight_goes_on_as_it_was(tmp_path: Path) -> None:
    air, told = Air(), []
    order = in_folder(flight_order(1, short_items(), PLACE), 1, tmp_path)
    stranger = Intruder("drone-99", "ZZZZ0002", "stop", "of nobody's concern here")

    def seen() -> list[Intruder]:
        return [NEAR, stranger] if 60.0 < air.now_s < 70.0 else []

    (result,) = fly_in(air, [order], intruders=seen, on_advice=told.append).results
    assert result.ending is Ending.COMPLETED
    notes = [e.detail for e in read_journal(result.journal_path) if e.kind == "intruder"]
    assert notes == [NEAR.text, "ZZZZ0001 is no longer on a collision course"]
    assert [advice.text for advice in told] == notes


def test_what_one_controller_stores_another_reads_while_both_run(office: Office) -> None:
    (mine, *_) = drone_ids(office.engine, office)
    aloft = shared(flying(CopterMode.AUTO), mine)
    with session_scope(office.engine) as session:
        session.add(conflict())
    with (
        _Publisher(office.engine, frozenset({mine}), None) as one,
        _Publisher(office.engine, frozenset({mine + 1}), None, intruders_near) as other,
    ):
        one.share([replace(aloft, at=datetime.now(UTC))])
        until_s = time.monotonic() + 90.0
        while not (other.others and other.intruders):
            assert time.monotonic() < until_s
            time.sleep(0.02)
        assert other.others[0].craft == aloft.craft
        assert one.others == ()
        assert [intruder.key for intruder in other.intruders] == ["ZZZZ0001"]
    with _Publisher(office.engine, frozenset({mine + 1}), None) as late:
        late._store()
        assert late.others == ()  # who ended its flights took them away
