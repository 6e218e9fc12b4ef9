"""The API against its own description: every operation, with bodies and addresses made up.

The default run is short; `DRONETEAM_API_EXAMPLES=120` makes about 20,000 requests.
"""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web import worlds
from tests.web.conftest import Site

EXAMPLES = int(os.environ.get("DRONETEAM_API_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES = ("coordinator", "administrator", "requester")
MADE_UP = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def populated(site: Site) -> Site:
    """An application that holds one of most things."""
    worlds.ask(site)
    worlds.publish(site)
    worlds.plan_mission(site)
    worlds.built_scene(site)
    return site


@pytest.mark.parametrize("role", ROLES)
def test_every_answer_is_one_that_the_description_names(populated: Site, role: str) -> None:
    headers = {"Authorization": f"Bearer {token(populated, role)}"}
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", populated.app)
    for found in schema.exclude(path="/api/v1/live/events").get_all_operations():
        call_with_made_up_cases(found.ok(), headers)


def call_with_made_up_cases(operation: schemathesis.APIOperation, headers: dict[str, str]) -> None:
    @MADE_UP
    @given(case=operation.as_strategy())
    def call(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    call()


def token(site: Site, login: str) -> str:
    """A bearer token of that login."""
    client = site.client(login)
    with client.session_transaction() as kept, site.app.app_context():
        return str(kept["key"])
