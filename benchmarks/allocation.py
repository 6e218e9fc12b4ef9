"""How fast plans are found and proven: ``python -m benchmarks.allocation [--cases N]``.

Prints, for each class of instances, median and 95th percentile of wall and CPU time, how many
were proven optimal in all stages, the worst certified gap and how many broke a rule (the
validator shares no code with the model; it must say 0).  Compiled kernels are loaded before.  Rows
marked *plain* are the peer: the same problems as one CP-SAT model, from the same start and stage by
stage, without anything being proven or ruled out before the search.  Instances come from their
seeds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.instances import EVENTS, Size, instance, replanned
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation import exact
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.greedy import greedy
from droneteam.fleet.allocation.relaxation import Scope
from droneteam.fleet.allocation.scoring import Glance
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.explanations.explain import displacements, never
from droneteam.fleet.explanations.fitting import fit, free_from
from droneteam.fleet.problem import TERM_NAMES, Plan, Problem

PEER_WORKERS = 2
"""Of CP-SAT, for the peer alone: as many as there are cores where the figures are asked for."""
CHECKED_UP_TO = 1_000
"""Requests up to which the validator, which looks at every pair, takes seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One class of instances; large classes run a share of the asked cases."""

    name: str
    make: Callable[[int], Problem]
    share: float
    peer: bool = False


ROWS = (
    Row("re-plan, 10 requests, 1 day", lambda seed: replanned(Size(10, 1), seed), 1.0, True),
    Row("re-plan, 20 requests, 1 day", lambda seed: replanned(Size(20, 1), seed), 1.0, True),
    Row("re-plan, 20 requests, 2 days", lambda seed: replanned(Size(20, 2), seed), 1.0),
    Row("re-plan, 30 requests, 1 day", lambda seed: replanned(Size(30, 1), seed), 0.5),
    Row("re-plan, 30 requests, 2 days", lambda seed: replanned(Size(30, 2), seed), 1.0, True),
    Row("new plan, 30 requests, 2 days", lambda seed: instance(Size(30, 2), seed), 1.0, True),
    Row("new plan, 60 requests, 7 days", lambda seed: instance(Size(60, 7), seed), 0.5, True),
    Row("new plan, 200 requests, 14 days", lambda seed: instance(Size(200, 14), seed), 0.2, True),
    Row(
        "new plan, 200 events, 14 days",
        lambda seed: instance(Size(200, 14), seed, EVENTS),
        0.2,
        True,
    ),
    Row(
        "1,000 drones, 700 pilots, 10,000 req.",
        lambda seed: instance(Size(10_000, 14, drones=1_000, pilots=700), seed),
        0.1,
    ),
    Row(
        "600 drones, 400 pilots, 6,000 req., 3 days",
        lambda seed: instance(Size(6_000, 3, drones=600, pilots=400), seed),
        0.05,
    ),
)


@dataclass(slots=True)
class Tally:
    """What the runs of one row came to; times in milliseconds."""

    wall_ms: list[float]
    cpu_ms: list[float]
    optimal: int = 0
    gap: float = 0.0
    broken: int = 0

    def line(self, name: str) -> str:
        """The row of the table."""
        return (
            f"{name:46}{len(self.wall_ms):>4}{statistics.median(self.wall_ms):>10.0f}"
            f"{p95(self.wall_ms):>9.0f}{statistics.median(self.cpu_ms):>10.0f}"
            f"{p95(self.cpu_ms):>9.0f}{self.optimal:>9}{self.gap:>11.4f}{self.broken:>8}"
        )


def p95(values: list[float]) -> float:
    """The smallest value that at least 95 % of the values do not exceed."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=60.0)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--no-peer", action="store_true")
    asked = parser.parse_args()
    exact.warm_up()
    header = ("instance", "n", "median ms", "p95 ms", "CPU ms", "CPU p95", "optimal", "worst gap")
    print("{:46}{:>4}{:>10}{:>9}{:>10}{:>9}{:>9}{:>11}{:>8}".format(*header, "broken"))
    for row in ROWS:
        if asked.only not in row.name:
            continue
        problems = [row.make(seed) for seed in range(max(1, round(asked.cases * row.share)))]
        print(_measure(problems, solve, asked.limit_s).line(row.name), flush=True)
        if row.peer and not asked.no_peer:
            print(_measure(problems, plain, asked.limit_s).line(f"  plain {row.name}"), flush=True)
    if asked.only in "one request more":
        _churn(asked.cases)
    if asked.only in "instant answer":
        _answers(asked.cases)


def plain(problem: Problem, *, seed: int, time_limit_s: float) -> Plan:
    """The single CP-SAT model: all choices, no bound but the trivial ones, greedy start."""
    found = choices(problem)
    nothing_known = Glance(Scope(np.arange(len(found.job))), dict.fromkeys(TERM_NAMES, 0))
    first = greedy(problem)
    return allocation.search(found, nothing_known, first, seed, time_limit_s, workers=PEER_WORKERS)


def _measure(problems: list[Problem], solver: Callable[..., Plan], limit_s: float) -> Tally:
    tally = Tally([], [])
    for seed, problem in enumerate(problems):
        started, cpu_started = time.perf_counter(), time.process_time()
        plan = solver(problem, seed=seed, time_limit_s=limit_s)
        tally.wall_ms.append(1e3 * (time.perf_counter() - started))
        tally.cpu_ms.append(1e3 * (time.process_time() - cpu_started))
        tally.optimal += plan.status == "optimal"
        tally.gap = max(tally.gap, plan.gap)
        if len(problem.jobs) <= CHECKED_UP_TO:
            tally.broken += bool(violations(problem, plan))
    return tally


def _churn(cases: int) -> None:
    """How much of a published plan changes when one urgent request comes in; all proven least."""
    changes = []
    proven = 0
    for seed in range(cases):
        problem = replanned(Size(12, 1), seed)
        plan = solve(problem, seed=seed)
        changes.append(term_values(problem, plan.assignments)["changes"])
        proven += plan.status == "optimal"
    print(
        f"one request more on a published day of 12: median {statistics.median(changes):.0f} "
        f"changes, most {max(changes)}; proven least in {proven} of {cases}"
    )


def _answers(cases: int) -> None:
    """Yes, maybe or free from when, beside a published plan of 200 requests in 14 days."""
    wall_ms, yes = [], 0
    for seed in range(max(1, cases // 4)):
        problem = instance(Size(201, 14), seed)
        standing = allocation.with_packs(problem, greedy(problem))
        plan = Plan("feasible", (), standing, (), seed)
        for job in problem.jobs[:40]:
            rest = [a for a in standing if a.request_id != job.request_id]
            started = time.perf_counter()
            if not never(problem, job):
                found = fit(problem, rest, job).assigned
                if found is None:
                    until = max(slot.end_at for slot in job.slots).replace(hour=23)
                    free_from(problem, rest, job, until)
                    displacements(problem, plan, job)
                yes += found is not None
            wall_ms.append(1e3 * (time.perf_counter() - started))
    print(
        f"instant answer beside 200 requests: median {statistics.median(wall_ms):.1f} ms, "
        f"p95 {p95(wall_ms):.1f} ms, yes {yes} of {len(wall_ms)}"
    )


if __name__ == "__main__":
    main()
