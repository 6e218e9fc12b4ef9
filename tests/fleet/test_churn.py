"""One request more beside a published plan: no best plan changes less, by trying every plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.instances import small, with_published
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import Problem
from droneteam.fleet.terms import PRIORITIES
from tests.fleet.oracle import best_terms

GENEROUS_S = 60.0


def one_more(seed: int, most_jobs: int) -> Problem | None:
    """A published plan, then a request as urgent as any at the time of the first one.

    None where nothing is published.
    """
    drawn = small(seed, most_jobs=most_jobs)
    before = replace(drawn, jobs=tuple(replace(job, published=None) for job in drawn.jobs[:-1]))
    published = with_published(before, solve(before, seed=seed))
    if not any(job.published for job in published.jobs):
        return None
    rival = published.jobs[0]
    newest = replace(
        drawn.jobs[-1],
        published=None,
        priority=PRIORITIES[seed % 2],
        slots=rival.slots,
        wanted_at=rival.wanted_at,
        due_at=None,
    )
    return replace(published, jobs=(*published.jobs, newest))


@pytest.mark.parametrize(
    ("seeds", "most_jobs", "least"),
    [
        (range(3_000, 3_060), 4, 8),
        pytest.param(range(4_000, 4_600), 5, 100, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_no_best_plan_changes_less_of_what_is_published(
    seeds: range, most_jobs: int, least: int
) -> None:
    """``least`` cases have to change something, so that nothing passes by chance."""
    changed = 0
    for seed in seeds:
        problem = one_more(seed, most_jobs)
        if problem is None:
            continue
        plan = solve(problem, seed=seed, time_limit_s=GENEROUS_S)
        assert plan.status == "optimal", f"seed {seed}"
        assert violations(problem, plan) == [], f"seed {seed}"
        values, best = term_values(problem, plan.assignments), best_terms(problem)
        assert values == best, f"seed {seed}"
        changed += best["changes"] > 0
    assert changed >= least


@pytest.mark.parametrize("seed", range(3_000, 3_020))
def test_a_published_plan_that_nothing_joins_stays_as_it_is(seed: int) -> None:
    problem = small(seed)
    plain = replace(problem, jobs=tuple(replace(job, published=None) for job in problem.jobs))
    first = solve(plain, seed=seed)
    again = solve(with_published(plain, first), seed=seed, time_limit_s=GENEROUS_S)
    changes = {term.name: term.value for term in again.terms}["changes"]
    assert changes == 0
    assert {(a.request_id, a.drone_id, a.pilot_ids, a.visit) for a in again.assignments} == {
        (a.request_id, a.drone_id, a.pilot_ids, a.visit) for a in first.assignments
    }
