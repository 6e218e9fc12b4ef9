"""How often 95 % intervals hold the truth: ``python -m benchmarks.intervals [--surveys N]``.

Simulated surveys (nadir, oblique, two heights; RTK, control points, scale bars; the lens free or
given), each with its own noise everywhere; every kind of measurement, from marks in photos and
from the surface.  Prints, per kind and per survey, how many were determined, the share of
intervals that hold the truth, and the median half-width; then the total and the CPU seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable

import numpy as np

from tests.photogrammetry.simulated import (
    SURVEYS,
    Outcome,
    coverage_of,
    marked_outcomes,
    surface_outcomes,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surveys", type=int, default=6, help="simulated flights per network")
    parser.add_argument("--seed", type=int, default=1000, help="of the first flight")
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--no-surface", action="store_true", help="marks in photos alone")
    asked = parser.parse_args()
    start = time.process_time()
    outcomes: list[Outcome] = []
    for name in SURVEYS:
        if asked.only not in name:
            continue
        for seed in range(asked.seed, asked.seed + asked.surveys):
            outcomes += marked_outcomes(name, seed)
            if not asked.no_surface:
                outcomes += surface_outcomes(name, seed)
    _head()
    _table(outcomes, lambda o: o.kind)
    print()
    _table(outcomes, lambda o: o.survey)
    print()
    _row("all", outcomes)
    print(f"{time.process_time() - start:.0f} CPU s")


def _head() -> None:
    print(f"{'':34}{'taken':>7}{'determined':>12}{'inside':>9}{'median half-width':>19}")


def _table(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> None:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    for name, rows in groups.items():
        _row(name, rows)


def _row(name: str, rows: list[Outcome]) -> None:
    known = [o.measured for o in rows if o.measured.determined]
    widths = [0.5 * (m.ci95_high - m.ci95_low) for m in known]
    units = {m.unit for m in known}
    width = f"{np.median(widths):.4f} {units.pop()}" if len(units) == 1 else "–"
    inside = f"{coverage_of(rows):.1%}" if known else "–"
    print(f"{name:34}{len(rows):>7}{len(known):>12}{inside:>9}{width:>19}")


if __name__ == "__main__":
    main()
