"""The crew's checklist bars signatures and arming until it is answered or lifted with a reason."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from droneteam.audit import AuditEntry
from droneteam.db import session_scope
from droneteam.errors import NotAllowed
from droneteam.fleet.models import Pilot
from droneteam.missions import service as missions
from droneteam.missions.fieldlog import CHECKS, FieldEntry, joined
from droneteam.missions.flight import arming, flying
from droneteam.missions.flight.checklist import (
    VALID_FOR,
    CheckBar,
    CheckFault,
    ChecklistUnmet,
    checklist_bars,
)
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.standing import standing_bars
from tests.missions.conftest import NOW, SPEC, Office, answer_checklist

LATER = NOW + timedelta(minutes=5)


def entry(n: int, item: str, value: str, user: int = 1, *, behind: bool = False) -> FieldEntry:
    return FieldEntry(str(n), "check", item, value, NOW, NOW, user, "somebody", behind)


def all_yes() -> list[FieldEntry]:
    return [entry(n, item, "yes") for n, item in enumerate(CHECKS)]


def test_a_list_that_is_answered_with_yes_bars_nothing_and_an_empty_one_bars_with_every_check() -> (
    None
):
    assert checklist_bars(joined(all_yes()), NOW) == ()
    bars = checklist_bars(joined([]), NOW)
    assert [bar.item for bar in bars] == list(CHECKS)
    assert {bar.fault for bar in bars} == {CheckFault.OPEN}


@given(st.lists(st.sampled_from(["yes", "no", "open"]), min_size=len(CHECKS), max_size=len(CHECKS)))
def test_exactly_what_is_not_yes_bars(answers: list[str]) -> None:
    pairs = list(zip(CHECKS, answers, strict=True))
    log = joined([entry(n, item, said) for n, (item, said) in enumerate(pairs) if said != "open"])
    faults = {"no": CheckFault.FAILED, "open": CheckFault.OPEN}
    expected = [CheckBar(item, faults[said]) for item, said in pairs if said != "yes"]
    assert list(checklist_bars(log, NOW)) == expected


def test_a_check_that_two_people_answer_differently_bars_until_one_decides() -> None:
    disputed = [*all_yes(), entry(50, "weather", "no", 2, behind=True)]
    assert checklist_bars(joined(disputed), NOW) == (CheckBar("weather", CheckFault.DISPUTED),)
    assert checklist_bars(joined([*disputed, entry(51, "weather", "yes", 2)]), NOW) == ()


def test_what_an_earlier_shift_looked_at_counts_no_longer() -> None:
    log = joined(all_yes())
    assert checklist_bars(log, NOW + VALID_FOR) == ()
    stale = checklist_bars(log, NOW + VALID_FOR + timedelta(seconds=1))
    assert {bar.fault for bar in stale} == {CheckFault.STALE}


def test_what_was_lifted_bars_no_longer_but_the_same_check_does_for_another_reason() -> None:
    lifted = {CheckBar("weather", CheckFault.OPEN)}
    rest = [entry(n, item, "yes") for n, item in enumerate(CHECKS) if item != "weather"]
    assert checklist_bars(joined(rest), NOW, lifted) == ()
    failed = [*rest, entry(60, "weather", "no")]
    assert checklist_bars(joined(failed), NOW, lifted) == (CheckBar("weather", CheckFault.FAILED),)


# With the database


@pytest.fixture
def mission_id(office: Office) -> int:
    """An approved mission whose checklist nobody has looked at."""
    with session_scope(office.engine) as session:
        view = missions.plan_mission(session, office.pilot, office.assignment_id, SPEC, NOW)
        missions.approve_mission(session, office.pilot, view.id, NOW, reason="map consulted")
        query = update(Pilot).where(Pilot.id == view.pilot_id)
        session.execute(query.values(user_id=office.pilot.user_id))
    return view.id


def answer(office: Office, mission_id: int, at: datetime = NOW, **answers: str) -> None:
    with session_scope(office.engine) as session:
        answer_checklist(session, office.pilot, mission_id, at, **answers)


def sign_both(office: Office, mission_id: int, at: datetime = NOW) -> arming.Clearance:
    with session_scope(office.engine) as session:
        missions.sign_arming(session, office.coordinator, mission_id, at)
        return missions.sign_arming(session, office.pilot, mission_id, at)


@pytest.mark.parametrize("said", ["open", "no"])
def test_nobody_signs_while_a_check_is_open_or_failed(
    office: Office, mission_id: int, said: str
) -> None:
    answer(office, mission_id, batteries=said)
    word = {"open": "not looked at", "no": "answered with no"}[said]
    for person in (office.pilot, office.coordinator):
        with (
            session_scope(office.engine) as session,
            pytest.raises(ChecklistUnmet, match=rf"batteries \({word}\)") as refused,
        ):
            missions.sign_arming(session, person, mission_id, NOW)
        assert [bar.item for bar in refused.value.bars] == ["batteries"]
    answer(office, mission_id)
    assert sign_both(office, mission_id).complete


def test_a_check_that_fails_after_the_signatures_bars_the_flight(
    office: Office, mission_id: int
) -> None:
    answer(office, mission_id)
    assert sign_both(office, mission_id).complete
    answer(office, mission_id, LATER, people_clear="no")
    with session_scope(office.engine) as session:
        found = missions.clearance(session, office.pilot, mission_id, LATER)
        assert not found.complete
        assert found.missing == ()
    with (
        session_scope(office.engine) as session,
        pytest.raises(ChecklistUnmet, match="people_clear"),
    ):
        arming.begin_flight(session, office.pilot, mission_id, LATER)


def test_a_check_that_is_taken_back_while_the_drone_is_readied_is_told_the_controller(
    office: Office, mission_id: int
) -> None:
    answer(office, mission_id)
    sign_both(office, mission_id)
    with session_scope(office.engine) as session:
        arming.begin_flight(session, office.pilot, mission_id, NOW)
        assert standing_bars(session, [mission_id], NOW) == {mission_id: ()}
    answer(office, mission_id, LATER, people_clear="no")
    with session_scope(office.engine) as session:
        (text,) = standing_bars(session, [mission_id], LATER)[mission_id]
    assert text == "the crew's checklist: people_clear (answered with no)"


def test_a_coordinator_lifts_what_stands_with_a_reason_and_the_pilot_may_not(
    office: Office, mission_id: int
) -> None:
    answer(office, mission_id, storage="no")
    with session_scope(office.engine) as session, pytest.raises(NotAllowed):
        missions.sign_arming(session, office.pilot, mission_id, NOW, reason="it will do")
    with session_scope(office.engine) as session, pytest.raises(ChecklistUnmet):
        missions.sign_arming(session, office.coordinator, mission_id, NOW, reason="  ")
    with session_scope(office.engine) as session:
        why = "no photos are needed: a look from above"
        missions.sign_arming(session, office.coordinator, mission_id, NOW, reason=why)
        found = missions.sign_arming(session, office.pilot, mission_id, NOW)
        assert found.complete
        (lifting,) = [one for one in found.signatures if one.lifted]
        assert (lifting.user_id, lifting.reason) == (office.coordinator.user_id, why)
        assert lifting.lifted == (CheckBar("storage", CheckFault.FAILED),)
        logged = session.scalars(select(AuditEntry).where(AuditEntry.action == "mission.sign"))
        assert why in [row.reason for row in logged]


def test_what_fails_after_it_was_lifted_bars_again_and_a_lift_ends_with_its_signature(
    office: Office, mission_id: int
) -> None:
    answer(office, mission_id, storage="open", weather="open")
    with session_scope(office.engine) as session:
        missions.sign_arming(session, office.coordinator, mission_id, NOW, reason="by radio")
        assert missions.sign_arming(session, office.pilot, mission_id, NOW).complete
        end = NOW + arming.VALID_FOR
        bars = missions.clearance(session, office.pilot, mission_id, end).bars
        assert [bar.item for bar in bars] == ["weather", "storage"]
    answer(office, mission_id, LATER, storage="open", weather="no")
    with session_scope(office.engine) as session:
        bars = missions.clearance(session, office.pilot, mission_id, LATER).bars
    assert bars == (CheckBar("weather", CheckFault.FAILED),)


def test_a_reason_where_nothing_bars_lifts_nothing(office: Office, mission_id: int) -> None:
    answer(office, mission_id)
    with session_scope(office.engine) as session:
        found = missions.sign_arming(session, office.coordinator, mission_id, NOW, reason="why not")
    assert [(one.reason, one.lifted) for one in found.signatures] == [("", ())]


def test_every_bar_survives_its_way_into_a_row() -> None:
    bars = tuple(CheckBar(item, fault) for item, fault in itertools.product(CHECKS, CheckFault))
    assert arming._from_text(arming._to_text(bars)) == bars


def test_the_controller_looks_it_up_until_the_drone_is_armed_and_arms_nothing_while_blind(
    office: Office, mission_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(office, mission_id, weather="no")
    clock = [100.0]
    monkeypatch.setattr(flying.time, "monotonic", lambda: clock[0])
    with session_scope(office.engine) as session:
        barrier = flying._Barrier({mission_id: 7}, session, NOW)
    assert barrier.bars() == {7: ("the crew's checklist: weather (answered with no)",)}
    answer(office, mission_id, LATER)
    with session_scope(office.engine) as session:
        barrier.look(session, LATER)
    assert barrier.bars() == {7: ()}
    clock[0] += flying.BLIND_S + 1.0
    assert barrier.bars() == {7: (flying.BLIND,)}
    state = LiveState(7, "d", NOW, 50.0, 4.0, 0.0, 0.0, 0.0, 0.0, None, "", False, mission_id)
    barrier.told(replace(state, phase="readying"))
    assert barrier.bars() == {7: (flying.BLIND,)}
    barrier.told(replace(state, phase="arming"))
    assert barrier.bars() == {}
