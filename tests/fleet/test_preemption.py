"""Nobody is displaced beyond the agreement's table without an override that says why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.agreement.preemption import displaced_beyond
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.service import RequestState
from droneteam.fleet.terms import PRIORITIES, Window
from tests.fleet.conftest import NOW, Actors
from tests.fleet.drafting import solve_draft

Submit = Callable[..., int]
TABLE = {name: frozenset(rules["displaces"]) for name, rules in SLA_V1["classes"].items()}


@pytest.mark.parametrize("winner", PRIORITIES)
@pytest.mark.parametrize("loser", PRIORITIES)
def test_one_request_displaces_whom_its_class_may(winner: str, loser: str) -> None:
    found = displaced_beyond([1], [2], {1: loser, 2: winner}, TABLE)
    assert found == (() if loser in SLA_V1["classes"][winner]["displaces"] else (1,))


def test_where_nobody_wins_a_drone_nobody_is_displaced() -> None:
    assert displaced_beyond([1, 2], [], {1: "P3", 2: "P0"}, TABLE) == ()


@given(
    st.lists(st.sampled_from(PRIORITIES), max_size=5),
    st.lists(st.sampled_from(PRIORITIES), max_size=5),
)
def test_several_displace_together_whom_one_of_them_may(
    losers: list[str], winners: list[str]
) -> None:
    priorities = dict(enumerate([*losers, *winners]))
    lost, won = range(len(losers)), range(len(losers), len(priorities))
    found = displaced_beyond(lost, won, priorities, TABLE)
    for number in lost:
        alone = [displaced_beyond([number], [one], priorities, TABLE) for one in won]
        assert (number in found) == bool(alone and all(alone))


def full_day(session: Session, actors: Actors, submit: Submit, priority: str) -> service.PlanView:
    """A published plan in which every pilot is out at one time."""
    pilots = service.list_pilots(session, actors["pilot"], NOW)
    for _ in pilots:
        submit("north", priority=priority)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert len(plan.assignments) == len(pilots)
    return service.publish_plan(session, actors["coordinator"], plan.id, None, NOW)


def test_a_displacement_beyond_the_table_is_published_with_a_reason_only(
    session: Session, actors: Actors, submit: Submit
) -> None:
    base = full_day(session, actors, submit, "P4")
    urgent = submit("midi", priority="P3")
    me = actors["coordinator"]
    draft = solve_draft(session, me, NOW)
    (row,) = service.compare_plans(session, me, [draft.id])
    assert row.won == (urgent,)
    assert row.beyond == row.lost
    (loser,) = row.lost
    for empty in ("", " - "):
        with pytest.raises(InputError, match=f"request {loser}.*say why") as refused:
            service.publish_plan(session, me, draft.id, base.id, NOW, reason=empty)
        assert refused.value.field == "reason"
    current = service.current_plan(session, me)
    assert current is not None
    assert current.id == base.id
    service.publish_plan(session, me, draft.id, base.id, NOW, reason="Royal visit")
    assert service.get_request(session, me, loser, NOW).state == RequestState.DISPLACED
    (entry,) = audit.entries(session, action="plan.override")
    assert entry.reason == "Royal visit"
    assert entry.facts["displaced_beyond_agreement"] == [loser]


def test_a_displacement_within_the_table_needs_no_reason(
    session: Session, actors: Actors, submit: Submit
) -> None:
    base = full_day(session, actors, submit, "P4")
    submit("midi", priority="P2")
    me = actors["coordinator"]
    draft = solve_draft(session, me, NOW)
    (row,) = service.compare_plans(session, me, [draft.id])
    assert len(row.lost) == 1
    assert row.beyond == ()
    service.publish_plan(session, me, draft.id, base.id, NOW)


def test_who_loses_a_drone_to_a_defect_was_not_displaced(
    session: Session, actors: Actors, submit: Submit
) -> None:
    base = full_day(session, actors, submit, "P4")
    me = actors["coordinator"]
    pilot = base.assignments[0].pilot_id
    service.add_absence(session, me, pilot, Window(NOW, NOW + timedelta(days=3)), "illness", NOW)
    draft = solve_draft(session, me, NOW)
    (row,) = service.compare_plans(session, me, [draft.id])
    assert len(row.lost) == 1
    assert row.beyond == ()
    service.publish_plan(session, me, draft.id, base.id, NOW)


def test_the_table_of_version_1_never_lets_a_class_displace_a_more_urgent_one() -> None:
    for more, less in combinations(PRIORITIES, 2):
        assert more not in TABLE[less]
