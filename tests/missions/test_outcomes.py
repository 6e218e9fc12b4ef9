"""What came of a pilot's wishes, read from the controller's journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.missions.flight.outcomes import (
    HEARD_WITHIN,
    MAX_SHOWN,
    SILENT_AFTER,
    Ask,
    flight_record,
    outcomes,
)
from droneteam.missions.flight.pilot import WISHES
from droneteam.missions.record.journal import Entry

T0 = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def entry(seconds: float, kind: str, detail: str) -> Entry:
    return Entry(at(seconds), kind, detail)


def taken(seconds: float, what: str) -> Entry:
    return entry(seconds, "pilot", f"asks for {what}")


@pytest.mark.parametrize(
    ("what", "after", "state", "detail"),
    [
        ("rtl", ("returning", "the pilot asked to return"), "waiting", ""),
        ("rtl", ("intent", "CommandLong because: asked"), "ordered", ""),
        ("pause", ("paused", "the mission holds"), "ordered", "the mission holds"),
        ("resume", ("mission", "goes on"), "ordered", "goes on"),
        (
            "land",
            ("pilot", "land not sent: nothing of ours is flying"),
            "refused",
            "nothing of ours is flying",
        ),
        (
            "rtl",
            ("alarm", "the vehicle did not take the mode (timeout: x)"),
            "failed",
            "the vehicle did not take the mode (timeout: x)",
        ),
        (
            "brake",
            ("handed over", "the mode was changed to LOITER"),
            "overruled",
            "the mode was changed to LOITER",
        ),
        ("pause", ("text", "something that the vehicle says"), "waiting", ""),
    ],
)
def test_the_word_after_a_wish_settles_it(
    what: str, after: tuple[str, str], state: str, detail: str
) -> None:
    journal = [taken(0.1, what), entry(0.2, *after)]
    (one,) = outcomes([Ask(at(0), what, "k")], journal, at(60))
    assert (one.what, one.key, one.state, one.detail) == (what, "k", state, detail)


def test_a_vehicle_that_did_not_do_it_outweighs_that_it_was_told() -> None:
    journal = [
        taken(0.1, "rtl"),
        entry(0.1, "intent", "mode RTL"),
        entry(9.0, "alarm", "the vehicle did not take the mode"),
    ]
    (one,) = outcomes([Ask(at(0), "rtl")], journal, at(10))
    assert one.state == "failed"


def test_what_fails_after_it_was_done_is_another_matter() -> None:
    journal = [
        taken(0.1, "pause"),
        entry(0.5, "paused", "the mission holds"),
        entry(300.0, "handed over", "somebody else"),
    ]
    (one,) = outcomes([Ask(at(0), "pause")], journal, at(400))
    assert one.state == "ordered"


def test_without_a_word_a_wish_waits_and_then_nobody_has_heard_it() -> None:
    ask = Ask(at(0), "rtl")
    before, after = HEARD_WITHIN - timedelta(milliseconds=1), HEARD_WITHIN
    assert outcomes([ask], [], T0 + before)[0].state == "waiting"
    assert outcomes([ask], [], T0 + after)[0].state == "unheard"


def test_a_word_from_before_the_wish_is_not_its_answer() -> None:
    journal = [taken(-30, "rtl"), entry(-29, "intent", "mode RTL")]
    assert outcomes([Ask(at(0), "rtl")], journal, at(60))[0].state == "unheard"


def test_two_wishes_of_one_kind_have_each_their_own_answer() -> None:
    journal = [
        taken(0.1, "brake"),
        entry(0.2, "pilot", "brake not sent: it makes no sense while climbing"),
        taken(5.1, "brake"),
        entry(5.2, "intent", "mode BRAKE"),
    ]
    found = outcomes([Ask(at(0), "brake"), Ask(at(5), "brake")], journal, at(60))
    assert [one.state for one in found] == ["refused", "ordered"]


@given(st.lists(st.sampled_from(WISHES), max_size=20))
def test_each_wish_that_was_taken_and_sent_is_ordered_whatever_the_others_are(
    wishes: list[str],
) -> None:
    asks = [Ask(at(10.0 * n), what) for n, what in enumerate(wishes)]
    journal = [
        line
        for n, what in enumerate(wishes)
        for line in (taken(10.0 * n + 0.1, what), entry(10.0 * n + 0.2, "intent", "x"))
    ]
    found = outcomes(asks, journal, at(1e6))
    assert [(one.what, one.state) for one in found] == [(what, "ordered") for what in wishes]


def record(journal: list[Entry], phase: str = "flying", age_s: float | None = 0.0) -> object:
    heard_at = None if age_s is None else at(100 - age_s)
    return flight_record([], journal, phase=phase, heard_at=heard_at, now=at(100))


def test_the_pilot_sees_what_matters_newest_first_and_not_all_of_it() -> None:
    journal = [entry(n, "alarm" if n % 2 else "item", str(n)) for n in range(60)]
    found = flight_record([], journal, phase="", heard_at=None, now=at(100))
    assert [one.detail for one in found.notices] == [
        str(n) for n in range(59, 59 - 2 * MAX_SHOWN, -2)
    ]


@pytest.mark.parametrize(
    ("age_s", "there"),
    [(None, False), (0.0, True), (SILENT_AFTER.total_seconds(), True), (10.1, False)],
)
def test_a_controller_is_there_while_it_writes(age_s: float | None, there: bool) -> None:
    assert record([], age_s=age_s).controller is there  # type: ignore[attr-defined]


def test_a_takeover_is_told_while_it_lasts() -> None:
    journal = [entry(1, "handed over", "the mode was changed to LOITER by somebody else")]
    assert record(journal, "handed over").handed_over == journal[0].detail  # type: ignore[attr-defined]
    assert record(journal, "flying").handed_over is None  # type: ignore[attr-defined]
