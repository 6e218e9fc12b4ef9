"""Every operation of the API under made-up requests, as every role.

    python -m benchmarks.api_fuzz [--requests 4000] [--seed 1] [--roles coordinator,pilot]

schemathesis makes the requests from the API's own description: three of four follow it, one of
four breaks it.  Most ids are bent to records that exist, in paths, queries and bodies, so that
what lies behind the first 404 is reached too.  Every answer is held against the description:
no server error, no status, media type or body that it does not name.  One seed makes the same
requests again; the exit status is 1 when anything was found.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.web_site import empty_site
from droneteam.accounts import ROLES
from tests.browser.conftest import tell
from tests.web.conftest import Site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
VISITOR = "visitor"
LOGINS = (
    VISITOR,
    "neighbour",
    *(role for role in ROLES if role != "administrator"),
    "administrator",
)
"""The administrator comes last: what it does to people would change who the others are."""
STREAM = "/api/v1/live/events"
"""Does not end; tests/web/test_live.py reads it."""
BREAKING, EXISTING = 0.25, 0.7
"""The shares of requests that break the description, and of ids that are bent to a record."""
RECORDS = 2
"""Most kinds have the records 1 and 2."""


@dataclass(slots=True)
class Found:
    """What came of one role's requests."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    succeeded: set[str] = field(default_factory=set)
    findings: dict[str, str] = field(default_factory=dict)


def operations(site: Site) -> list[Any]:
    """Every operation of the description that ends."""
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", site.app)
    return [found.ok() for found in schema.exclude(path=STREAM).get_all_operations()]


def fuzz(site: Site, login: str, every: Sequence[Any], examples: int, number: int) -> Found:
    """What that login's made-up requests are answered: `examples` of each operation open to it."""
    found, chance = Found(), random.Random(f"{number}:{login}")
    for operation in every:
        count = examples if may_call(operation, login) else 1
        send_shares(operation, count, authorization(site, login), chance, found)
    return found


def send_shares(
    operation: Any, examples: int, headers: dict[str, str], chance: random.Random, found: Found
) -> None:
    """Sends requests that follow the description and some that break it."""
    for mode, count in shares(operation, examples):
        send_all(operation.as_strategy(generation_mode=mode), count, headers, chance, found)


def may_call(operation: Any, login: str) -> bool:
    """Whether the description lets that login in; one request shows that others stay outside."""
    raw = operation.definition.raw
    roles = raw.get("x-roles")
    if login == VISITOR:
        return not raw["security"]
    role = "requester" if login == "neighbour" else login
    return roles is None or role in roles


def shares(operation: Any, examples: int) -> list[tuple[GenerationMode, int]]:
    """How many requests follow the description and how many break it."""
    takes = bool(operation.body) or bool(operation.query) or bool(operation.path_parameters)
    if not takes:
        return [(GenerationMode.POSITIVE, 1)]  # every example is the same one
    breaking = round(BREAKING * examples)
    modes = [(GenerationMode.POSITIVE, examples - breaking), (GenerationMode.NEGATIVE, breaking)]
    return [(mode, count) for mode, count in modes if count]


def send_all(
    requests: st.SearchStrategy[Any],
    count: int,
    headers: dict[str, str],
    chance: random.Random,
    found: Found,
) -> None:
    @seed(chance.randrange(2**32))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def send(case: schemathesis.Case) -> None:
        bend_ids(case, chance)
        judge(case, headers, found)

    send()


def judge(case: schemathesis.Case, headers: dict[str, str], found: Found) -> None:
    """Sends the request and notes what its answer breaks."""
    name = f"{case.method} {case.path}"
    response = case.call(headers=headers)
    found.statuses[response.status_code] += 1
    if response.status_code < 300:
        found.succeeded.add(name)
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as failures:
        for failure in failures.exceptions:
            key = f"{name}: {failure.title} ({response.status_code})"
            if key not in found.findings:
                found.findings[key] = f"{failure.message}\n{case.as_curl_command(headers)}"
                print(f"\n{key}\n{found.findings[key]}", flush=True)


def bend_ids(case: schemathesis.Case, chance: random.Random) -> None:
    """Most numbers that name a record name one that is there."""
    for part in (case.path_parameters, case.query, case.body):
        bend(part, chance)


def bend(value: Any, chance: random.Random) -> None:
    """Numbers under a name that ends in `_id`, changed in place, however deep they lie."""
    match value:
        case dict():
            for name, member in value.items():
                if str(name).endswith("_id") and isinstance(member, int):
                    if chance.random() < EXISTING:
                        value[name] = chance.randint(1, RECORDS)
                else:
                    bend(member, chance)
        case list():
            for member in value:
                bend(member, chance)


def authorization(site: Site, login: str) -> dict[str, str]:
    """A fresh bearer token: the last operation may have ended its own session."""
    if login == VISITOR:
        return {}
    client = site.client(login)
    with client.session_transaction() as kept, site.app.app_context():
        return {"Authorization": f"Bearer {kept['key']}"}


def report(login: str, found: Found, count: int) -> None:
    classes = Counter({f"{status // 100}xx": 0 for status in (200, 300, 400, 500)})
    for status, times in found.statuses.items():
        classes[f"{status // 100}xx"] += times
    numbers = "".join(f"{classes[name]:7d}" for name in ("2xx", "3xx", "4xx", "5xx"))
    done = f"{len(found.succeeded)} of {count}"
    print(
        f"{login:14s}{found.statuses.total():9d}{numbers}{done:>13s}{len(found.findings):10d}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4_000, help="about so many in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--roles", default=",".join(LOGINS))
    asked = parser.parse_args()
    logins = asked.roles.split(",")
    every: dict[str, Found] = {}
    with empty_site() as site, tempfile.TemporaryDirectory() as folder:
        tell(site, Path(folder))
        every_operation = operations(site)
        count = len(every_operation)
        doors = sum(may_call(one, login) for one in every_operation for login in logins)
        examples = max(2, round((asked.requests - count * len(logins)) / doors))
        print(f"{count} operations, {examples} requests through each open door, seed {asked.seed}")
        print(
            f"{'role':14s}{'requests':>9s}    2xx    3xx    4xx    5xx{'succeeded':>13s}  findings"
        )
        for login in logins:
            every[login] = fuzz(site, login, every_operation, examples, asked.seed)
            report(login, every[login], count)
    return summary(every)


def summary(every: dict[str, Found]) -> int:
    """Prints the totals; the exit status."""
    sent = sum(found.statuses.total() for found in every.values())
    cpu_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    findings = sorted({key for found in every.values() for key in found.findings})
    print(f"{sent} requests, {len(findings)} findings, {cpu_s:.0f} CPU s")
    print("\n".join(findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
