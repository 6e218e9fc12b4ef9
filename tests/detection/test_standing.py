"""Standing conditions are stepped only when something changes, and change what looking at every
moment would."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.detection import alert
from droneteam.detection.alert import AlertChange, AlertRules, Condition
from droneteam.detection.standing import Standing
from tests.detection.radio import START

RULES = AlertRules(clear_after_s=14.75)
"""Between two looks, so that no look is at the very moment of a clearing."""
STEP_S = 0.5
KINDS: tuple[alert.Kind, ...] = ("unregistered_flight", "suspected_spoof", "geozone_breach")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def condition(number: int, evidence: str = "e") -> Condition:
    return Condition(KINDS[number], "track:1", 1, (evidence,))


def told(changes: Sequence[AlertChange]) -> list[tuple[str, str, float]]:
    """Each change, and the first look that sees it."""
    return sorted((one.change, one.alert.condition.kind, look(one.at)) for one in changes)


def look(moment: datetime) -> float:
    return math.ceil((moment - START).total_seconds() / STEP_S - 1e-4) * STEP_S


def looked_at_always(script: Sequence[tuple[Condition, ...]]) -> list[tuple[str, str, float]]:
    """Every moment looked at, and the one just before: the rules themselves."""
    book: alert.Book = {}
    changes: list[AlertChange] = []
    before: tuple[Condition, ...] = ()
    for number, said in enumerate(script):
        now = at(number * STEP_S)
        for moment, holds in ((now - timedelta(microseconds=1), before), (now, said)):
            book, found = alert.step(book, holds, moment, RULES)
            changes += found
        before = said
    return told(changes)


def said_once(script: Sequence[tuple[Condition, ...]], every: int) -> list[tuple[str, str, float]]:
    """Told only what changes, and asked for what is due now and then."""
    standing = Standing(RULES)
    changes: list[AlertChange] = []
    before: tuple[Condition, ...] = ()
    for number, said in enumerate(script):
        if said != before:
            changes += standing.say("a", said, at(number * STEP_S))
        if number % every == 0:
            changes += standing.pass_to(at(number * STEP_S))
        before = said
    return told(changes + standing.pass_to(at((len(script) - 1) * STEP_S)))


said = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ef")), max_size=3).map(
    lambda some: tuple({KINDS[n]: condition(n, e) for n, e in some}.values())
)
runs = st.lists(st.tuples(said, st.integers(1, 40)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(runs=runs, every=st.integers(1, 50))
def test_what_is_said_once_changes_what_looking_always_would(
    runs: list[tuple[tuple[Condition, ...], int]], every: int
) -> None:
    script = [said for said, count in runs for _ in range(count)]
    assert said_once(script, every) == looked_at_always(script)


def test_an_alert_is_due_to_the_microsecond_and_changes_then_whoever_asks_when() -> None:
    standing = Standing(AlertRules(raise_after_s=1.2345678))
    assert standing.due is None
    assert standing.say("a", (condition(0),), START) == []
    assert standing.due == START + timedelta(microseconds=1_234_568)
    assert standing.pass_to(at(1.23)) == []
    (raised,) = standing.pass_to(at(500.0))
    assert (raised.change, raised.at) == ("raised", START + timedelta(microseconds=1_234_568))
    assert standing.due is None


def test_what_is_said_at_the_moment_it_is_due_decides() -> None:
    standing = Standing(RULES)
    standing.say("a", (condition(0),), START)
    assert standing.say("a", (), at(RULES.raise_after_s)) == []
    assert standing.pass_to(at(60.0)) == []
    standing.say("a", (condition(0),), at(100.0))
    (raised,) = standing.say("a", (condition(0, "other"),), at(100.0 + RULES.raise_after_s))
    assert (raised.change, raised.alert.condition.evidence) == ("raised", ("other",))


def test_owners_do_not_meddle_and_are_forgotten_when_nothing_is_left() -> None:
    standing = Standing(RULES)
    for number in range(50):
        standing.say(f"track:{number}", (condition(0),), at(0.01 * number))
    changes = standing.pass_to(at(10.0))
    assert [change.at for change in changes] == [at(2.0 + 0.01 * n) for n in range(50)]
    for number in range(50):
        standing.say(f"track:{number}", (), at(20.0))
    assert len(standing) == 50
    assert [change.change for change in standing.pass_to(at(35.0))] == ["cleared"] * 50
    assert (len(standing), standing.due) == (0, None)


@pytest.mark.parametrize("back_s", [0.0, 5.0, 3600.0])
def test_time_that_runs_back_is_taken_as_no_time(back_s: float) -> None:
    standing = Standing(RULES)
    standing.say("a", (condition(0),), at(10.0))
    standing.say("a", (condition(0), condition(1)), at(10.0 - back_s))
    assert [change.at for change in standing.pass_to(at(60.0))] == [at(12.0)] * 2


def test_facts_follow_without_a_new_alert() -> None:
    standing = Standing(RULES)
    for second in range(5):
        facts = (("distance_m", 100.0 - second),)
        said = Condition("conflict", "k", 1, ("e",), facts)
        changes = standing.say("a", (said,), at(float(second))) + standing.pass_to(
            at(float(second))
        )
        assert [change.change for change in changes] == (["raised"] if second == 2 else [])
    standing.say("a", (), at(5.0))
    (cleared,) = standing.pass_to(at(60.0))
    assert dict(cleared.alert.condition.facts) == {"distance_m": 96.0}
