"""A request becomes a job whose start times make sense now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.allocation.candidates import (
    MAX_SLOTS,
    earliest_arrival,
    flexible_slots,
    shrinking_slots,
)
from droneteam.fleet.demand import Demand, Standing, job_of
from droneteam.fleet.problem import Job, Place, Placement, SpeedTable
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.requirements import requirement
from droneteam.fleet.terms import RequestKind, Window

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
BASE = Place(50.8268, 4.3956)
SCENE = Place(50.8197, 4.3908)


def job(
    kind: RequestKind, priority: str, start_min: int, end_min: int, standing: Standing | None = None
) -> Job:
    demand = Demand(
        request_id=1,
        organisation_id=1,
        priority=priority,
        window=Window(NOW + timedelta(minutes=start_min), NOW + timedelta(minutes=end_min)),
        place=SCENE,
        requirement=requirement(kind, payload=None, sensitive=False, low_noise=False),
        submitted_at=NOW,
        sla=parse(SLA_V1),
    )
    return job_of(demand, now=NOW, bases=(BASE,), speed=SpeedTable(), standing=standing)


def test_a_planned_demonstration_keeps_exactly_its_window() -> None:
    found = job(RequestKind.DEMONSTRATION, "P3", 1440, 1620)
    assert [(slot.start_at, slot.end_at) for slot in found.slots] == [
        (NOW + timedelta(minutes=1440), NOW + timedelta(minutes=1620))
    ]
    assert (found.setup_min, found.exempt, found.crew) == (30, False, 1)


def test_a_planned_photogrammetry_may_lie_anywhere_in_its_window_and_is_never_late() -> None:
    found = job(RequestKind.PHOTOGRAMMETRY, "P3", 1440, 1680)
    assert found.due_at is None
    assert len(found.slots) == 13
    assert {slot.end_at - slot.start_at for slot in found.slots} == {timedelta(hours=1)}


def test_an_urgent_search_starts_as_soon_as_a_crew_can_arrive() -> None:
    found = job(RequestKind.SEARCH, "P0", 0, 180)
    travel_min = SpeedTable().minutes(BASE, SCENE, emergency=True)
    assert found.slots[0].start_at == NOW + timedelta(minutes=10 + travel_min)
    assert {slot.end_at for slot in found.slots} == {NOW + timedelta(minutes=180)}
    assert found.due_at == NOW + timedelta(minutes=20)
    assert (found.emergency, found.exempt) == (True, True)


def test_a_passed_window_is_settled_without_a_slot() -> None:
    found = job(RequestKind.EVENT, "P3", -120, -60)
    assert found.slots == ()
    assert [reason.code for reason in found.blocks] == ["window.past"]


def test_the_published_start_stays_among_the_choices() -> None:
    start_at = NOW + timedelta(minutes=1447)
    standing = Standing(Placement(1, (1,), start_at), start_at + timedelta(hours=1))
    found = job(RequestKind.PHOTOGRAMMETRY, "P3", 1440, 1680, standing)
    assert start_at in {slot.start_at for slot in found.slots}
    assert found.published == standing.placement


@pytest.mark.parametrize(("second", "minute"), [(0, 31), (1, 32), (59, 32)])
def test_a_crew_called_now_starts_on_the_next_whole_minute(second: int, minute: int) -> None:
    assert earliest_arrival(NOW.replace(second=second), 11, 10, 10) == NOW.replace(minute=minute)


WINDOWS = st.tuples(st.integers(0, 10_000), st.integers(1, 10_080)).map(
    lambda drawn: Window(
        NOW + timedelta(minutes=drawn[0]), NOW + timedelta(minutes=drawn[0] + drawn[1])
    )
)


@given(WINDOWS, st.integers(1, 600))
def test_slots_lie_in_the_window_start_with_it_and_are_few(window: Window, minutes: int) -> None:
    for slots in (
        flexible_slots(window, minutes, lambda _: 10),
        shrinking_slots(window, minutes, lambda _: 10),
    ):
        assert slots[0].start_at == window.start_at
        assert 1 <= len(slots) <= MAX_SLOTS
        assert len({slot.start_at for slot in slots}) == len(slots)
        for slot in slots:
            assert window.start_at <= slot.start_at < slot.end_at <= window.end_at


@given(WINDOWS, st.integers(1, 600))
def test_late_help_still_lasts_as_long_as_is_useful(window: Window, least_min: int) -> None:
    least = min(timedelta(minutes=least_min), window.end_at - window.start_at)
    for slot in shrinking_slots(window, least_min, lambda _: 10):
        assert slot.end_at == window.end_at
        assert slot.end_at - slot.start_at >= least
