"""Problems of odd shapes: no crash, nothing claimed that is not so, and the time limit holds."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.instances import NOW, Size, instance, replanned, small
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation import cpsat, exact, solving
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.exact_limits import OutOfSteps
from droneteam.fleet.allocation.exact_sets import Search
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import Job, Place, Placement, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_days import assert_below, said_of

PATIENCE_S = 600.0


def of_jobs(problem: Problem, change: dict[str, object]) -> Problem:
    return replace(problem, jobs=tuple(replace(job, **change) for job in problem.jobs))  # type: ignore[arg-type]


def past(job: Job) -> Job:
    month = timedelta(days=30)
    slots = tuple(Slot(s.start_at - month, s.end_at - month, s.prep_min) for s in job.slots)
    return replace(job, slots=slots, wanted_at=job.wanted_at - month)


def lasting(job: Job, length: timedelta) -> Job:
    slots = tuple(Slot(s.start_at, s.start_at + length, s.prep_min) for s in job.slots)
    return replace(job, slots=slots)


BUSY = instance(Size(30, 1), 1)
NOBODY = {
    "no pilots": replace(BUSY, pilots=()),
    "no drones": replace(BUSY, drones=()),
    "no packs": replace(BUSY, packs=()),
    "nothing at all": replace(BUSY, pilots=(), drones=(), packs=(), pack_types=()),
    "no pilots for two weeks": replace(instance(Size(200, 14), 1), pilots=()),
    "beyond the sea": of_jobs(BUSY, {"place": Place(-40.0, 170.0)}),
    "in the past": replace(BUSY, jobs=tuple(map(past, BUSY.jobs))),
    "without a slot": of_jobs(BUSY, {"slots": ()}),
    "three days long": replace(
        BUSY, jobs=tuple(lasting(job, timedelta(days=3)) for job in BUSY.jobs)
    ),
    "crews of eight": of_jobs(BUSY, {"crew": 8}),
}


@pytest.mark.parametrize("shape", NOBODY)
def test_where_nobody_can_be_served_all_are_left_out_and_that_is_proven(shape: str) -> None:
    problem = NOBODY[shape]
    plan = solve(problem)
    assert plan.status == "optimal"
    assert plan.assignments == ()
    assert sorted(plan.unserved) == [job.request_id for job in problem.jobs]
    assert violations(problem, plan) == []


def test_the_shortest_window_and_a_placement_of_nobody_known_break_nothing() -> None:
    short = replace(BUSY, jobs=tuple(lasting(job, timedelta(microseconds=1)) for job in BUSY.jobs))
    ghost = of_jobs(BUSY, {"published": Placement(999, (998, 997), NOW)})
    for problem in (short, ghost):
        plan = solve(problem, time_limit_s=2.0)
        assert violations(problem, plan) == []
        assert plan.assignments


def alike(count: int, seed: int) -> Problem:
    """One request again and again."""
    problem = instance(Size(2, 1), seed)
    one = replace(problem.jobs[0], priority="P3", exempt=False)
    return replace(problem, jobs=tuple(replace(one, request_id=n + 1) for n in range(count)))


@pytest.mark.parametrize("seed", [1, 4])
def test_forty_requests_that_are_alike_are_proven_at_once(seed: int) -> None:
    """Which of them are left out makes no difference: millions of sets are one."""
    problem = alike(40, seed)
    search = Search(choices(problem), time.monotonic() + PATIENCE_S)
    stages = exact.Stages(search)
    best = stages.assigned(stages.run())
    assert 0 < len(best) < 40
    assert search.looked_at < 500
    few = replace(problem, jobs=problem.jobs[: len(best)])
    assert term_values(few, best)["unserved_P3"] == 0


def twins(seed: int) -> Problem:
    """A small problem in which requests stand twice or three times, a few of them published."""
    rng = random.Random(seed)
    problem = small(seed, most_jobs=3)
    jobs = [one for one in problem.jobs for _ in range(rng.randint(1, 2))]
    return replace(
        problem,
        jobs=tuple(
            replace(one, request_id=n + 1, published=one.published if rng.random() < 0.3 else None)
            for n, one in enumerate(jobs)
        ),
    )


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))]
)
def test_requests_that_are_alike_are_served_as_well_as_by_trying_everything(block: int) -> None:
    for seed in range(20_000 + 50 * block, 20_050 + 50 * block):
        problem = twins(seed)
        plan = solve(problem, seed=seed, time_limit_s=PATIENCE_S)
        assert violations(problem, plan) == [], f"seed {seed}"
        assert plan.status == "optimal", f"seed {seed}"
        values = {term.name: term.value for term in plan.terms}
        assert values == best_terms(problem), f"seed {seed}"


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 12))]
)
def test_days_of_requests_that_are_alike_promise_no_more_than_there_is(block: int) -> None:
    reached = 0
    for seed in range(30_000 + 25 * block, 30_025 + 25 * block):
        problem = twins(seed)
        if len(choices(problem).job):
            reached += assert_below(said_of(problem), best_terms(problem), seed)
    assert reached >= 10


class Sceptical(Search):
    """Goes through the sets anew, knowing no crowd that was learned, before it believes a no."""

    checked = 0

    def find(self, scope, limits):  # type: ignore[no-untyped-def]
        """The answer, if it stands without what was learned."""
        answer = super().find(scope, limits)
        if answer is None:
            learned, refuted = self.rows, self.refuted
            self.rows, self.refuted = self.rows[: self.known], []
            assert super().find(scope, limits) is None
            self.rows, self.refuted = learned, refuted
            self.checked += 1
        return answer

    known = 0
    """Crowds that need nothing learned."""


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 12))]
)
def test_what_is_learned_of_few_changes_rules_out_no_plan(block: int) -> None:
    checked = 0
    for seed in range(6 * block, 6 * block + 6):
        problem = replanned(Size(9, 1), seed)
        problem = replace(problem, pilots=problem.pilots[: 2 + seed % 3])
        search = Sceptical(choices(problem), time.monotonic() + PATIENCE_S)
        stages = exact.Stages(search)
        stages.assigned(stages.run())
        checked += search.checked
    assert checked > 10


def test_choosing_whom_to_leave_out_ends_with_the_time() -> None:
    search = Search(choices(BUSY), time.monotonic() - 1.0)
    with pytest.raises(OutOfSteps):
        search.find(search.everyone, search.limits)


def test_where_visits_are_many_no_step_is_begun_for_which_there_is_no_time() -> None:
    minutes = [timedelta(minutes=n) for n in range(120)]
    many = tuple(
        replace(job, slots=tuple(Slot(s.start_at + n, s.end_at + n, 10) for n in minutes))
        for job in BUSY.jobs
        for s in job.slots[:1]
    )
    crowded = Search(choices(replace(BUSY, jobs=many)), time.monotonic() + 1.0)
    few = Search(choices(BUSY), time.monotonic() + PATIENCE_S)
    assert crowded._affordable() < 20_000
    assert few._affordable() > few.most_steps


def test_a_model_that_is_not_built_in_time_leaves_the_first_plan() -> None:
    found = choices(BUSY)
    everything = solving.glance(found, ()).scope
    with pytest.raises(cpsat.OutOfTime):
        cpsat.build(found, everything.members, everything.must, time.monotonic() - 1.0)
    first = solving.give_out(found)
    seen = solving.glance(found, first)
    plan = solving.search(found, seen, first, 0, -1.0)
    assert plan.status == "feasible"
    assert {a.request_id for a in plan.assignments} == {a.request_id for a in first}
    assert violations(BUSY, plan) == []
