"""What years of records cost a page: ``python -m benchmarks.long_history [--years 5]``.

Fills a database with the work of one year and another with that of several
(`benchmarks/year_site.py`), asks every address that takes no number, and those of `NUMBERED`, as
the first role that may see it, and prints the CPU milliseconds of one answer on each: what grows
with the whole history stands at the top.  The server runs in this process, so that CPU time is
counted and other work on the machine does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flask.testing import FlaskClient

from benchmarks.year_site import SHARES, Filled, filled_site
from tests.web.conftest import Site

NUMBERED = (
    "/requests/{request}",
    "/missions/{mission}",
    "/sorties/{sortie}",
    "/scenes/{scene}",
    "/cases/{case}",
    "/audit/?who=pilot",
    "/audit/?who=nobody-of-that-name",
    "/audit/?action=scene",
    "/audit/?subject=request:{request}",
    "/api/v1/audit?who=nobody-of-that-name",
    "/records/request/{request}",
    "/records/request/{request}?at=2025-01-01T00:00",
    "/statistics/{year}",
    "/statistics/{last_year}",
    "/statistics/{last_year}/map",
    "/statistics/{last_year}/sizes",
    "/api/v1/figures?year={last_year}",
    "/api/v1/figures/places?year={last_year}",
    "/live/history/?at={last_year}-06-01T12:00",
    "/live/history/data.json?from={last_year}-06-01T06:00:00Z&until={last_year}-06-01T12:00:00Z",
    "/api/v1/requests/{request}",
    "/api/v1/missions/{mission}",
    "/api/v1/scenes/{scene}",
    "/api/v1/cases/{case}",
)
LEFT_OUT = ("/live/events", "/api/v1/live/events", "/static", "/sw.js")
"""Streams, which do not end, and files."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of one answer, median and 95th percentile, and its size."""

    median_ms: float
    p95_ms: float
    size_bytes: int


def addresses(filled: Filled) -> Iterator[str]:
    """Every address that is asked for."""
    for rule in filled.site.app.url_map.iter_rules():
        asked = "GET" in (rule.methods or ()) and not rule.arguments
        if asked and not rule.rule.startswith(LEFT_OUT):
            yield rule.rule
    year = filled.site.clock().year
    for address in NUMBERED:
        yield address.format(
            request=filled.requests - 40,
            mission=filled.missions // 2,
            sortie=filled.missions // 2,
            scene=filled.scenes - 1,
            case=filled.cases - 1,
            year=year,
            last_year=year - 1,
        )


def costs(site: Site, address: str, clients: dict[str, FlaskClient], repeats: int) -> Cost | None:
    """What the address costs the first role that is answered with 200; None where none is."""
    for client in clients.values():
        answer = client.get(address)
        size = len(answer.get_data())
        answer.close()
        if answer.status_code == 200:
            break
    else:
        return None
    took_ms = []
    for _ in range(repeats):
        began_s = time.process_time()
        answer = client.get(address)
        answer.get_data()
        took_ms.append(1000.0 * (time.process_time() - began_s))
        answer.close()
    median, p95 = np.percentile(took_ms, [50, 95])
    return Cost(float(median), float(p95), size)


def measured(years: int, repeats: int) -> dict[str, Cost]:
    """The cost of every address on a database of so many years, by the address as it is asked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filled = filled_site(folder, f"sqlite:///{folder / 'years.db'}", 50, years=years)
        clients = {role: filled.site.client(role) for role in SHARES}
        found = {}
        for address in addresses(filled):
            cost = costs(filled.site, address, clients, repeats)
            if cost is not None:
                found[address] = cost
        filled.site.engine.dispose()
    return found


def report(one: dict[str, Cost], several: dict[str, Cost], years: int) -> None:
    """A row for each address, those that cost most after years first."""
    head = f"{'address':74s}{'1 year':>16s}{f'{years} years':>18s}"
    print(f"{head}\n{'':74s}{'median p95 kB':>16s}{'median p95 kB':>18s}  CPU ms")
    for address, cost in sorted(several.items(), key=lambda row: -row[1].p95_ms):
        first = one.get(address)
        told = "" if first is None else _told(first)
        print(f"{address:74s}{told:>16s}{_told(cost):>18s}")


def _told(cost: Cost) -> str:
    return f"{cost.median_ms:.0f} {cost.p95_ms:.0f} {cost.size_bytes / 1000:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    several = measured(asked.years, asked.repeats)
    report(measured(1, asked.repeats), several, asked.years)
    slow = [address for address, cost in several.items() if cost.p95_ms > 100.0]
    print(f"{len(several)} addresses, {len(slow)} above 100 ms of CPU (p95)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
