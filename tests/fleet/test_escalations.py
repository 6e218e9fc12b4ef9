"""Each threshold of each clock is raised once, to whom the agreement names, by whoever looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.db import session_scope
from droneteam.errors import Conflict, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.sla import ClockStop
from droneteam.fleet.service import EscalationView
from tests.fleet.conftest import ACCIDENT, NOW, Actors, seed

Submit = Callable[..., int]
URGENT = replace(
    ACCIDENT, priority="P1", start_at=NOW, end_at=NOW + timedelta(hours=6), title="Urgent"
)

PATIENT = replace(
    URGENT,
    priority="P4",
    start_at=NOW + timedelta(days=30),
    end_at=NOW + timedelta(days=30, hours=2),
)


def raised(session: Session, seconds: float) -> list[tuple[str, float, str]]:
    found = service.raise_escalations(session, SYSTEM, NOW + timedelta(seconds=seconds))
    return [(view.clock, view.fraction, view.told) for view in found]


def test_a_p1_climbs_from_the_coordinator_to_the_crisis_centre(
    session: Session, submit: Submit
) -> None:
    """Acknowledge 120 s, decision 300 s, on scene 1,800 s: every threshold at its own second."""
    submit("north", URGENT)
    assert raised(session, 59) == []
    assert raised(session, 60) == [("acknowledge", 0.5, "coordinator")]
    assert raised(session, 60) == []
    assert raised(session, 96) == [("acknowledge", 0.8, "duty_officer")]
    assert raised(session, 120) == [("acknowledge", 1.0, "crisis_centre")]
    assert raised(session, 240) == [
        ("decision", 0.5, "coordinator"),
        ("decision", 0.8, "duty_officer"),
    ]
    assert raised(session, 10_000) == [
        ("decision", 1.0, "crisis_centre"),
        ("on_scene", 0.5, "coordinator"),
        ("on_scene", 0.8, "duty_officer"),
        ("on_scene", 1.0, "crisis_centre"),
    ]
    assert raised(session, 20_000) == []


def test_what_has_come_is_not_escalated(session: Session, actors: Actors, submit: Submit) -> None:
    request_id = submit("north", URGENT)
    service.acknowledge_request(session, actors["coordinator"], request_id, NOW)
    service.book_request(session, actors["coordinator"], request_id, NOW)
    assert raised(session, 850) == []
    assert raised(session, 900) == [("on_scene", 0.5, "coordinator")]
    service.mark_request_state(session, actors["pilot"], request_id, "in_progress", NOW)
    assert raised(session, 9_000) == []


def test_a_stopped_clock_does_not_escalate_while_it_stands(
    session: Session, actors: Actors, submit: Submit, tmp_path: Path
) -> None:
    request_id, coordinator = submit("north", URGENT), actors["coordinator"]
    service.acknowledge_request(session, coordinator, request_id, NOW)
    service.book_request(session, coordinator, request_id, NOW)
    proof = service.add_attachment(
        session, coordinator, request_id, "r.txt", b"storm", tmp_path, NOW
    )
    stop = ClockStop("on_scene", NOW, NOW + timedelta(hours=1), "weather", "storm")
    service.stop_clock(session, coordinator, request_id, stop, NOW, attachment_id=proof.id)
    assert raised(session, 3_600 + 899) == []
    assert raised(session, 3_600 + 900) == [("on_scene", 0.5, "coordinator")]


def test_the_board_shows_what_nobody_has_seen(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit("north", URGENT)
    raised(session, 100)
    views: list[EscalationView] = service.list_escalations(session, actors["manager"])
    assert [(view.title, view.told) for view in views] == [
        ("Urgent", "coordinator"),
        ("Urgent", "duty_officer"),
    ]
    for who in ("north", "midi"):
        with pytest.raises(NotAllowed):
            service.list_escalations(session, actors[who])
    with pytest.raises(NotAllowed):
        service.see_escalation(session, actors["manager"], views[0].id, NOW)
    service.see_escalation(session, actors["coordinator"], views[0].id, NOW)
    with pytest.raises(Conflict, match="seen already"):
        service.see_escalation(session, actors["second"], views[0].id, NOW)
    with pytest.raises(NotFound):
        service.see_escalation(session, actors["coordinator"], 999, NOW)
    assert [view.id for view in service.list_escalations(session, actors["pilot"])] == [views[1].id]


def test_many_who_look_at_once_raise_each_threshold_once(engine: Engine) -> None:
    actors = seed(engine)
    with session_scope(engine) as session:
        service.submit_request(session, actors["north"], URGENT, NOW)
        service.submit_request(session, actors["midi"], PATIENT, NOW)
    barrier = threading.Barrier(4)

    def look(_: int) -> int:
        barrier.wait(timeout=120)
        with session_scope(engine) as session:
            return len(raised(session, 130))

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(look, range(4)))
    assert sorted(counts) == [0, 0, 0, 3]
    with session_scope(engine) as session:
        assert session.query(models.Escalation).count() == 3
