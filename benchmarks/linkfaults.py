"""Whole sorties over 1,000 random schedules of loss, delay, disorder and cuts.

    python benchmarks/linkfaults.py --schedules 1000 --seed 0 [--out verdicts.jsonl]

The real controller flies the real simulator in simulated time (`tests/missions/virtual.py`); a
judge that sees only the vehicle's truth looks at every moment of it (`tests/missions/safety.py`).
A schedule is its seed: the same seed gives the same sortie, packet by packet.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from droneteam.missions.flight.preflight import FlightOrder, flight_order
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from tests.missions.conftest import PLACE, SCENE
from tests.missions.safety import Verdict, try_schedule

SHORT = SurveyParams(
    gsd_m=0.010, crosshatch=False, orbit=False, forward_overlap=0.7, side_overlap=0.6
)


def short_order() -> FlightOrder:
    """A survey of an accident that takes 100 s."""
    return flight_order(1, plan_survey(SCENE, SIMULATED, SHORT, PLACE).items, PLACE)


def report(verdicts: list[Verdict], cpu_s: float) -> str:
    """The table."""
    n = len(verdicts)
    endings = Counter(verdict.ending for verdict in verdicts)
    unsafe = [verdict for verdict in verdicts if verdict.found]
    took = sorted(verdict.took_s for verdict in verdicts)
    lines = [
        f"{n} schedules, {sum(verdict.flew for verdict in verdicts)} took off, {cpu_s:.0f} CPU s",
        f"without an unsafe or wrong moment  {n - len(unsafe)}/{n}",
        "ended  " + ", ".join(f"{name} {count}" for name, count in endings.most_common()),
        f"simulated time  median {took[n // 2]:.0f} s, longest {took[-1]:.0f} s",
    ]
    for verdict in unsafe:
        found = "; ".join(verdict.found)
        lines.append(f"seed {verdict.seed}: {found} | {verdict.ending}: {verdict.reason}")
    return "\n".join(lines)


def main() -> int:
    """0 when no schedule showed anything amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    parser.add_argument("--out", type=Path, help="append one JSON line per schedule")
    args = parser.parse_args()
    order, verdicts = short_order(), []
    began_s = time.process_time()
    for seed in range(args.seed, args.seed + args.schedules):
        with tempfile.TemporaryDirectory() as folder:
            verdicts.append(try_schedule(seed, order, Path(folder)))
        if args.out is not None:
            with args.out.open("a") as file:
                file.write(json.dumps(asdict(verdicts[-1])) + "\n")
    print(report(verdicts, time.process_time() - began_s))
    return 1 if any(verdict.found for verdict in verdicts) else 0


if __name__ == "__main__":
    raise SystemExit(main())
