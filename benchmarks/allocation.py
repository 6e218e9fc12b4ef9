"""How fast plans are found and proven: ``python -m benchmarks.allocation [--cases N]``.

Prints median and p95 of wall and CPU time per instance class, how many were proven optimal, and
how many broke a rule (the validator shares no code with the model; it must say 0).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.instances import Size, instance, replanned
from benchmarks.validator import violations
from droneteam.fleet.allocation import solve
from droneteam.fleet.problem import Problem


@dataclass(frozen=True, slots=True)
class Row:
    """One class of instances."""

    name: str
    make: Callable[[int], Problem]
    share: float
    """How many of the asked cases to run; large classes run fewer."""


ROWS = (
    Row("re-plan, 10 requests, 1 day", lambda seed: replanned(Size(10, 1), seed), 1.0),
    Row("re-plan, 20 requests, 1 day", lambda seed: replanned(Size(20, 1), seed), 1.0),
    Row("re-plan, 30 requests, 2 days", lambda seed: replanned(Size(30, 2), seed), 1.0),
    Row("new plan, 30 requests, 2 days", lambda seed: instance(Size(30, 2), seed), 1.0),
    Row("new plan, 60 requests, 7 days", lambda seed: instance(Size(60, 7), seed), 0.5),
    Row("new plan, 200 requests, 14 days", lambda seed: instance(Size(200, 14), seed), 0.2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=60.0)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    header = ("instance", "n", "median ms", "p95 ms", "CPU ms", "optimal", "worst gap", "broken")
    print("{:34}{:>4}{:>11}{:>9}{:>9}{:>9}{:>11}{:>8}".format(*header))
    for row in ROWS:
        if asked.only in row.name:
            print(_measure(row, max(1, round(asked.cases * row.share)), asked.limit_s), flush=True)


def _measure(row: Row, cases: int, limit_s: float) -> str:
    wall, cpu, optimal, gap, broken = [], [], 0, 0.0, 0
    for seed in range(cases):
        problem = row.make(seed)
        started, cpu_started = time.perf_counter(), time.process_time()
        plan = solve(problem, seed=seed, time_limit_s=limit_s)
        wall.append(1e3 * (time.perf_counter() - started))
        cpu.append(1e3 * (time.process_time() - cpu_started))
        optimal += plan.status == "optimal"
        gap = max(gap, plan.gap)
        broken += bool(violations(problem, plan))
    p95 = sorted(wall)[max(0, -(-95 * len(wall) // 100) - 1)]
    return (
        f"{row.name:34}{cases:>4}{statistics.median(wall):>11.0f}{p95:>9.0f}"
        f"{statistics.median(cpu):>9.0f}{optimal:>9}{gap:>11.4f}{broken:>8}"
    )


if __name__ == "__main__":
    main()
