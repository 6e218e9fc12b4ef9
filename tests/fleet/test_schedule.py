"""Behind the bars night and hours on call, and on them what can no longer be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from droneteam.errors import NotAllowed, NotFound
from droneteam.fleet import service
from droneteam.fleet.agreement.hours import ServiceHours
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.daylight import is_daylight
from droneteam.fleet.problem import Place
from droneteam.fleet.schedule import shades, troubles
from droneteam.fleet.terms import Reason, Window
from tests.fleet.conftest import NOW, Actors
from tests.fleet.drafting import solve_draft
from tests.fleet.test_allocation import job, problem_of

BRUSSELS_PLACE = Place(50.85, 4.35)
HOURS = ServiceHours(time(7), time(23), holidays_on_call=True)
Submit = Callable[..., int]


def of_kind(kind: str, window: Window) -> list[tuple[datetime, datetime]]:
    found = shades(HOURS, window, BRUSSELS_PLACE)
    return [(one.start_at, one.end_at) for one in found if one.kind == kind]


def test_the_core_hours_of_a_working_day_are_not_shaded() -> None:
    day = Window(datetime(2026, 5, 4, 22, tzinfo=UTC), datetime(2026, 5, 5, 22, tzinfo=UTC))
    assert of_kind("on_call", day) == [
        (day.start_at, datetime(2026, 5, 5, 5, tzinfo=UTC)),
        (datetime(2026, 5, 5, 21, tzinfo=UTC), day.end_at),
    ]


def test_a_holiday_is_on_call_as_a_whole() -> None:
    labour_day = Window(datetime(2026, 4, 30, 22, tzinfo=UTC), datetime(2026, 5, 1, 22, tzinfo=UTC))
    assert of_kind("on_call", labour_day) == [(labour_day.start_at, labour_day.end_at)]


def test_core_hours_follow_the_wall_clock_when_it_changes() -> None:
    """25 October 2026: 25 hours; 07:00 is 05:00 UTC the day before and 06:00 UTC that day."""
    night = Window(datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    ends = [end for _, end in of_kind("on_call", night)][:2]
    assert ends == [
        datetime(2026, 10, 24, 5, tzinfo=UTC),
        datetime(2026, 10, 25, 6, tzinfo=UTC),
    ]


def test_a_day_of_midsummer_has_a_short_night_and_one_of_midwinter_a_long_one() -> None:
    def dark_h(day: datetime) -> float:
        spans = of_kind("night", Window(day, day + timedelta(days=1)))
        return sum((end - start) / timedelta(hours=1) for start, end in spans)

    # Civil twilight in Brussels (almanac): 04:45 to 22:45 in June, 08:05 to 17:16 in December.
    assert 5.5 < dark_h(datetime(2026, 6, 21, 10, tzinfo=UTC)) < 6.5
    assert 14.4 < dark_h(datetime(2026, 12, 21, 10, tzinfo=UTC)) < 15.1


@settings(max_examples=15, deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 50),
)
def test_every_minute_is_shaded_exactly_when_it_is_dark(start: datetime, hours: int) -> None:
    start = start.replace(second=0, microsecond=0)
    window = Window(start, start + timedelta(hours=hours))
    spans = of_kind("night", window)
    for minute in range(7, hours * 60, 97):
        at = start + timedelta(minutes=minute)
        shaded = any(begin <= at < end for begin, end in spans)
        near = any(abs(at - edge) <= timedelta(minutes=1) for span in spans for edge in span)
        assert near or shaded is not is_daylight(at, BRUSSELS_PLACE)


def test_a_plan_that_can_be_kept_has_no_troubles() -> None:
    problem = problem_of(job(1), job(2))
    assert troubles(problem, solve(problem).assignments) == {}


def test_what_comes_after_the_plan_stands_against_it_by_name() -> None:
    problem = problem_of(job(1), job(2))
    plan = solve(problem)
    first, second = (plan.assignment(number) for number in (1, 2))
    assert first is not None
    assert second is not None
    grounded = Reason("drone.defect", {"drone": f"drone-{first.drone_id}", "text": "motor"})
    ill = Window(second.visit.start_at, second.visit.end_at)
    later = replace(
        problem,
        drones=tuple(
            replace(drone, blocks=(grounded,)) if drone.id == first.drone_id else drone
            for drone in problem.drones
        ),
        pilots=tuple(
            replace(pilot, absences=(ill,)) if pilot.id == second.pilot_ids[0] else pilot
            for pilot in problem.pilots
        ),
    )
    found = troubles(later, plan.assignments)
    assert found[1] == (grounded,)
    assert [reason.code for reason in found[2]] == ["pilot.absent"]
    expired = (Credential("national", date(2026, 1, 1), NOW.date() - timedelta(days=1)),)
    without = replace(
        problem, pilots=tuple(replace(pilot, credentials=expired) for pilot in problem.pilots)
    )
    assert {r.code for rs in troubles(without, plan.assignments).values() for r in rs} == {
        "pilot.expired"
    }


def test_what_is_gone_or_held_twice_is_said() -> None:
    problem = problem_of(job(1), job(2))
    plan = solve(problem)
    gone = replace(problem, drones=(), pilots=())
    codes = {r.code for rs in troubles(gone, plan.assignments).values() for r in rs}
    assert codes == {"drone.gone", "pilot.gone"}
    one, other = plan.assignments
    twice = [one, replace(other, drone_id=one.drone_id, pilot_ids=one.pilot_ids)]
    found = troubles(problem, twice)
    assert {r.code for r in found[1]} == {r.code for r in found[2]} == {"drone.busy", "pilot.busy"}
    assert found[1][0].params["requests"] == "2"


def test_a_defect_after_publishing_shows_in_the_schedule(
    session: Session, actors: Actors, submit: Submit
) -> None:
    number = submit("north")
    plan = solve_draft(session, actors["coordinator"], NOW)
    service.publish_plan(session, actors["coordinator"], plan.id, plan.base_plan_id, NOW)
    window = Window(NOW, NOW + timedelta(days=1))
    before = service.plan_schedule(session, actors["manager"], plan.id, window, NOW)
    assert before.troubles == {}
    (given,) = plan.assignments
    service.report_defect(session, actors["pilot"], given.drone_id, "cracked arm", NOW)
    after = service.plan_schedule(session, actors["pilot"], plan.id, window, NOW)
    assert [reason.code for reason in after.troubles[number]] == ["drone.defect"]
    assert {shade.kind for shade in after.shades} == {"night", "on_call"}
    service.mark_request_state(session, actors["pilot"], number, "in_progress", given.start_at)
    started = service.plan_schedule(session, actors["pilot"], plan.id, window, given.start_at)
    assert started.started == {number}
    with pytest.raises(NotAllowed):
        service.plan_schedule(session, actors["north"], plan.id, window, NOW)
    with pytest.raises(NotFound):
        service.plan_schedule(session, actors["pilot"], 999, window, NOW)
