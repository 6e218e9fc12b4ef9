"""Weather, light, airspace and roads of the day: a plan keeps to them and names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.airspace import AirspaceNote, AirspaceState, clearance_of
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.assembly import load_situation
from droneteam.fleet.explanations import explain
from droneteam.fleet.problem import DEFAULT_SPEED, Place, SpeedTable
from droneteam.fleet.terms import Window
from droneteam.fleet.views import PlanView
from droneteam.fleet.weather import Period
from tests.fleet.conftest import ACCIDENT, DEMONSTRATION, NOW, Actors
from tests.fleet.drafting import solve_draft

Submit = Callable[..., int]
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
START, END = DEMONSTRATION.start_at, DEMONSTRATION.end_at
GRANTED = AirspaceNote(AirspaceState.GRANTED, "skeyes", "SK-26-117", START - HOUR, END + HOUR)


def limit_all(session: Session, actors: Actors, gust_mps: float, rain_mm_h: float) -> None:
    for name in {drone.model for drone in service.list_drones(session, actors["coordinator"], NOW)}:
        service.set_model_limits(session, actors["coordinator"], name, (gust_mps, rain_mm_h), NOW)


def forecast(
    session: Session, actors: Actors, window: Window, gust_mps: float, rain_mm_h: float = 0.0
) -> None:
    period = Period("KMI", NOW, window, gust_mps, rain_mm_h)
    service.add_forecasts(session, actors["coordinator"], [period], NOW)


def reasons_of(plan: PlanView, request_id: int) -> set[str]:
    (reasons,) = [reasons for number, reasons in plan.unserved if number == request_id]
    for reason in reasons:
        for language in ("fr", "nl", "en"):
            assert "{" not in explain.sentence(reason, language)
    return {reason.code for reason in reasons}


def test_models_bring_their_limits_into_the_problem(session: Session, actors: Actors) -> None:
    service.set_model_limits(session, actors["coordinator"], "Mini 4 Pro", (10.7, 0.0), NOW)
    problem = load_situation(session, NOW, WEEK).problem
    limits = {d.name: (d.max_gust_mps, d.max_rain_mm_h) for d in problem.drones}
    assert limits["drone-09"] == (10.7, 0.0)
    assert limits["drone-01"] == (12.0, 7.6)  # the maker's, from the reference registry
    service.set_model_limits(session, actors["coordinator"], "Mini 4 Pro", (None, None), NOW)
    problem = load_situation(session, NOW, WEEK).problem
    assert {d.max_gust_mps for d in problem.drones if d.name == "drone-09"} == {None}


def test_a_storm_grounds_every_drone_by_name_and_says_from_when_it_works(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    forecast(session, actors, Window(START - HOUR, END), 22.0)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert "weather.wind" in reasons_of(plan, request_id)
    (later,) = [r for r in plan.changes[request_id] if r.code == "if.later"]
    assert datetime.fromisoformat(str(later.params["start"])) >= END


def test_only_the_drones_that_take_the_rain_are_given(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit()
    forecast(session, actors, Window(START, END), 3.0, rain_mm_h=5.0)
    plan = solve_draft(session, actors["coordinator"], NOW)
    (given,) = plan.assignments
    able = {"drone-01", "drone-02", "drone-03", "drone-04"}  # the Matrices, by their IP rating
    assert given.drone_name in able


def test_an_hour_that_is_not_forecast_forbids_nothing(
    session: Session, actors: Actors, submit: Submit
) -> None:
    submit()
    forecast(session, actors, Window(END, END + HOUR), 40.0)
    assert len(solve_draft(session, actors["coordinator"], NOW).assignments) == 1


def test_a_booking_beside_the_plan_keeps_to_the_weather_too(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    forecast(session, actors, Window(START, END), 30.0)
    booked = service.book_request(session, actors["north"], request_id, NOW)
    assert booked.assignment is None
    assert "weather.wind" in {reason.code for reason in booked.reasons}


def test_a_photogrammetry_is_planned_into_the_light(
    session: Session, actors: Actors, submit: Submit
) -> None:
    dawn = datetime(2026, 5, 6, 3, 26, tzinfo=UTC)  # civil, Brussels, to some minutes
    submit(draft=ACCIDENT, start_at=dawn - 4 * HOUR, end_at=dawn + 4 * HOUR)
    (given,) = solve_draft(session, actors["coordinator"], NOW).assignments
    assert given.start_at >= dawn - timedelta(minutes=10)
    night = submit(draft=ACCIDENT, start_at=dawn - 5 * HOUR, end_at=dawn - 2 * HOUR)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert reasons_of(plan, night) == {"slot.dark"}


def test_an_event_flies_at_night_because_its_kind_may(
    session: Session, actors: Actors, submit: Submit
) -> None:
    night = datetime(2026, 5, 5, 20, 30, tzinfo=UTC)
    submit(start_at=night, end_at=night + 2 * HOUR)
    assert len(solve_draft(session, actors["coordinator"], NOW).assignments) == 1


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (AirspaceNote(AirspaceState.NEEDED), "airspace.needed"),
        (AirspaceNote(AirspaceState.ASKED, "skeyes"), "airspace.asked"),
        (AirspaceNote(AirspaceState.REFUSED, "skeyes", "SK-9"), "airspace.refused"),
        (AirspaceNote(AirspaceState.ASKED, "skeyes", from_at=START + HOUR), "airspace.pending"),
        (replace(GRANTED, from_at=START + HOUR), "airspace.pending"),
        (replace(GRANTED, until_at=END - HOUR), "airspace.ends"),
    ],
)
def test_a_request_without_its_airspace_is_not_planned_and_says_why(
    session: Session, actors: Actors, submit: Submit, note: AirspaceNote, code: str
) -> None:
    request_id = submit()
    service.set_airspace(session, actors["coordinator"], request_id, note, NOW)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert reasons_of(plan, request_id) == {code}
    booked = service.book_request(session, actors["north"], request_id, NOW)
    assert {reason.code for reason in booked.reasons} == {code}


@pytest.mark.parametrize(
    "note",
    [
        AirspaceNote(AirspaceState.NOT_NEEDED),
        AirspaceNote(AirspaceState.ASKED, "skeyes", from_at=START),
        GRANTED,
        replace(GRANTED, from_at=START, until_at=END),
    ],
)
def test_a_request_with_its_airspace_is_planned(
    session: Session, actors: Actors, submit: Submit, note: AirspaceNote
) -> None:
    service.set_airspace(session, actors["coordinator"], submit(), note, NOW)
    assert len(solve_draft(session, actors["coordinator"], NOW).assignments) == 1


def test_a_later_step_replaces_an_earlier_one_and_both_stay_on_record(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    refused = AirspaceNote(AirspaceState.REFUSED, "skeyes", "SK-9")
    service.set_airspace(session, actors["coordinator"], request_id, refused, NOW)
    service.set_airspace(session, actors["pilot"], request_id, GRANTED, NOW + HOUR)
    assert len(solve_draft(session, actors["coordinator"], NOW).assignments) == 1
    steps = service.list_airspace(session, actors["north"], request_id)
    assert [step.state for step in steps] == ["refused", "granted"]
    assert steps[1].user_id == actors["pilot"].user_id
    with pytest.raises(NotFound):
        service.list_airspace(session, actors["midi"], request_id)


def test_a_refusal_takes_a_published_task_out_of_the_next_plan(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    booked = service.book_request(session, actors["north"], request_id, NOW)
    assert booked.assignment is not None
    refused = AirspaceNote(AirspaceState.REFUSED, "skeyes", "SK-9")
    service.set_airspace(session, actors["coordinator"], request_id, refused, NOW)
    plan = solve_draft(session, actors["coordinator"], NOW)
    assert reasons_of(plan, request_id) == {"airspace.refused"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"state": AirspaceState.ASKED}, "authority"),
        ({"state": AirspaceState.REFUSED, "authority": "skeyes"}, "reference"),
        ({"state": AirspaceState.GRANTED, "authority": "skeyes", "reference": "1"}, "from_at"),
        (
            {
                "state": AirspaceState.GRANTED,
                "authority": "s",
                "reference": "1",
                "from_at": START,
            },
            "until_at",
        ),
        (
            {
                "state": AirspaceState.GRANTED,
                "authority": "s",
                "reference": "1",
                "from_at": END,
                "until_at": START,
            },
            "end_at",
        ),
        ({"state": AirspaceState.NEEDED, "authority": "x" * 121}, "authority"),
        ({"state": AirspaceState.NEEDED, "from_at": START.replace(tzinfo=None)}, "from_at"),
    ],
)
def test_half_an_approval_is_none(values: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        AirspaceNote(**values)  # type: ignore[arg-type]
    assert error.value.field == field


def test_airspace_is_the_teams_to_enter_and_a_closed_request_needs_none(
    session: Session, actors: Actors, submit: Submit
) -> None:
    request_id = submit()
    with pytest.raises(NotAllowed):
        service.set_airspace(session, actors["north"], request_id, GRANTED, NOW)
    service.refuse_request(session, actors["coordinator"], request_id, "no-fly", NOW)
    with pytest.raises(Conflict, match="settled"):
        service.set_airspace(session, actors["coordinator"], request_id, GRANTED, NOW)
    assert clearance_of(GRANTED).until_at == END + HOUR


def test_the_arrays_know_an_approvals_end_as_the_reasons_do(
    session: Session, actors: Actors, submit: Submit
) -> None:
    window = (START, START + 6 * HOUR)
    request_id = submit(draft=ACCIDENT, start_at=window[0], end_at=window[1])
    note = replace(GRANTED, from_at=START + HOUR, until_at=START + 3 * HOUR)
    service.set_airspace(session, actors["coordinator"], request_id, note, NOW)
    problem = load_situation(session, NOW, WEEK).problem
    found = choices(problem)
    visits = [found.visit(n) for n in range(len(found.job))]
    assert visits
    assert all(v.start_at >= START + HOUR and v.end_at <= START + 3 * HOUR for v in visits)


def test_a_speed_table_holds_from_its_date_and_changes_the_way(
    session: Session, actors: Actors, submit: Submit
) -> None:
    slow = SpeedTable(((5.0, 5.0), (50.0, 10.0)), 1.5, 1.2)
    view = service.set_speeds(
        session, actors["manager"], slow, NOW + 2 * HOUR, "roadworks on the ring", NOW
    )
    assert load_situation(session, NOW, WEEK).problem.speed == DEFAULT_SPEED
    problem = load_situation(session, NOW + 2 * HOUR, WEEK).problem
    assert problem.speed == slow
    assert [row.id for row in service.list_speeds(session, actors["pilot"])] == [view.id, None]
    bases, scene = Place(50.8268, 4.3956), Place(50.8467, 4.3525)
    assert problem.speed.minutes(bases, scene) > 2 * DEFAULT_SPEED.minutes(bases, scene)


@pytest.mark.parametrize(
    "bad",
    [
        {"bands": ()},
        {"bands": ((3.0, 20.0), (3.0, 30.0))},
        {"bands": ((8.0, 20.0), (3.0, 30.0))},
        {"bands": ((0.0, 20.0),)},
        {"bands": ((3.0, 0.0),)},
        {"bands": ((3.0, float("nan")),)},
        {"detour": 0.9},
        {"emergency_factor": 0.5},
    ],
)
def test_a_speed_table_that_cannot_be_driven_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SpeedTable(**bad)  # type: ignore[arg-type]


def test_a_speed_table_is_dated_ahead_with_a_reason_by_a_manager(
    session: Session, actors: Actors
) -> None:
    table = SpeedTable()
    with pytest.raises(NotAllowed):
        service.set_speeds(session, actors["coordinator"], table, NOW, "x", NOW)
    with pytest.raises(InputError, match="before now"):
        service.set_speeds(session, actors["manager"], table, NOW - HOUR, "x", NOW)
    with pytest.raises(InputError, match="come from"):
        service.set_speeds(session, actors["manager"], table, NOW, " ", NOW)
    many = SpeedTable(tuple((float(n), 30.0) for n in range(1, 14)))
    with pytest.raises(InputError, match="13 bands"):
        service.set_speeds(session, actors["manager"], many, NOW, "x", NOW)


def test_limits_are_for_models_of_the_fleet_and_possible_values(
    session: Session, actors: Actors
) -> None:
    coordinator = actors["coordinator"]
    with pytest.raises(NotFound, match="Concorde"):
        service.set_model_limits(session, coordinator, "Concorde", (10.0, 0.0), NOW)
    for wrong in ((-1.0, 0.0), (0.0, float("nan")), (121.0, None)):
        with pytest.raises(InputError):
            service.set_model_limits(session, coordinator, "Mini 4 Pro", wrong, NOW)
    with pytest.raises(NotAllowed):
        service.set_model_limits(session, actors["north"], "Mini 4 Pro", (1.0, 1.0), NOW)


def test_a_change_of_weather_or_airspace_makes_a_draft_stale(
    session: Session, actors: Actors, submit: Submit
) -> None:
    coordinator, request_id = actors["coordinator"], submit()
    changes: list[Callable[[], object]] = [
        lambda: forecast(session, actors, Window(START, END), 30.0),
        lambda: service.set_airspace(session, coordinator, request_id, GRANTED, NOW),
        lambda: service.set_model_limits(session, coordinator, "Mini 4 Pro", (1.0, 1.0), NOW),
        lambda: service.set_speeds(session, actors["manager"], SpeedTable(), NOW, "x", NOW),
    ]
    for change in changes:
        plan = solve_draft(session, coordinator, NOW)
        change()
        with pytest.raises(Conflict):
            service.publish_plan(session, coordinator, plan.id, plan.base_plan_id, NOW)


def test_an_old_databases_models_have_no_limits(session: Session) -> None:
    session.query(models.DroneModel).delete()
    problem = load_situation(session, NOW, WEEK).problem
    assert {drone.max_gust_mps for drone in problem.drones} == {None}
