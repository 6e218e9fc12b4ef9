"""A search for a plan keeps nobody out, notices what overtook it, and loads its solver late."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict, InputError, NotAllowed
from droneteam.fleet import models, planning, service
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.head import read_head, touch_head
from droneteam.fleet.problem import Plan, Problem
from tests.fleet.conftest import DEMONSTRATION, NOW, Actors


@pytest.fixture
def while_solving(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], list[int]]:
    """Does something in the middle of each search; returns the seeds that were searched with."""

    def arrange(act: Callable[[], None]) -> list[int]:
        searched: list[int] = []

        def solve(problem: Problem, *, seed: int, time_limit_s: float) -> Plan:
            searched.append(seed)
            act()
            return allocation.solve(problem, seed=seed, time_limit_s=time_limit_s)

        monkeypatch.setattr(planning, "solve", solve)
        return searched

    return arrange


def submit(engine: Engine, actors: Actors) -> int:
    with session_scope(engine) as session:
        return service.submit_request(session, actors["north"], DEMONSTRATION, NOW).id


def test_others_write_while_a_plan_is_searched(
    fleet_engine: Engine,
    actors: Actors,
    while_solving: Callable[[Callable[[], None]], list[int]],
) -> None:
    asked = submit(fleet_engine, actors)
    meanwhile: list[int] = []
    while_solving(lambda: meanwhile.append(submit(fleet_engine, actors)))
    plan = service.draft_plan(fleet_engine, actors["coordinator"], NOW)
    assert [assignment.request_id for assignment in plan.assignments] == [asked]
    with read_scope(fleet_engine) as session:
        kept = service.get_request(session, actors["north"], meanwhile[0], NOW)
    assert kept.id == meanwhile[0] != asked


def test_a_search_that_was_overtaken_is_repeated_on_what_holds_now(
    fleet_engine: Engine,
    actors: Actors,
    while_solving: Callable[[Callable[[], None]], list[int]],
) -> None:
    first = submit(fleet_engine, actors)
    second = submit(fleet_engine, actors)

    def cancel_once() -> None:
        if len(searched) == 1:
            with session_scope(fleet_engine) as session:
                service.cancel_request(session, actors["north"], first, "event_cancelled", NOW)

    searched = while_solving(cancel_once)
    plan = service.draft_plan(fleet_engine, actors["coordinator"], NOW, seed=4)
    assert searched == [4, 4]
    assert [assignment.request_id for assignment in plan.assignments] == [second]
    with session_scope(fleet_engine) as session:
        published = service.publish_plan(session, actors["coordinator"], plan.id, None, NOW)
    assert published.state == "published"


def test_a_search_that_is_always_overtaken_gives_up_and_leaves_no_draft(
    fleet_engine: Engine,
    actors: Actors,
    while_solving: Callable[[Callable[[], None]], list[int]],
) -> None:
    submit(fleet_engine, actors)

    def change() -> None:
        with session_scope(fleet_engine) as session:
            touch_head(session)

    searched = while_solving(change)
    with pytest.raises(Conflict, match=r"changed during each of 3 searches"):
        service.draft_plan(fleet_engine, actors["coordinator"], NOW)
    assert len(searched) == planning.MAX_ATTEMPTS
    with read_scope(fleet_engine) as session:
        assert read_head(session) == (None, planning.MAX_ATTEMPTS)
        assert session.query(models.Plan).count() == 0


def test_only_coordinators_draft_and_only_for_a_horizon_that_makes_sense(
    fleet_engine: Engine, actors: Actors
) -> None:
    with pytest.raises(NotAllowed):
        service.draft_plan(fleet_engine, actors["north"], NOW)
    with pytest.raises(InputError, match="horizon_days"):
        service.draft_plan(fleet_engine, actors["coordinator"], NOW, 0)


def test_importing_the_service_loads_no_solver() -> None:
    code = (
        "import sys, droneteam.fleet.service, droneteam.fleet.allocation.solving\n"
        "late = {'ortools', 'scipy.optimize'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(late)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
