"""The API against its own description: every operation, with bodies and addresses made up.

The default run is short, one role for each operation; `python -m benchmarks.api_fuzz` makes as
many requests as are asked for, as every role.
"""

from __future__ import annotations

import random

import pytest
import schemathesis
from apiflask import APIBlueprint, Schema, fields

from benchmarks import api_fuzz
from droneteam.web.access import public
from tests.web import worlds
from tests.web.conftest import Site

SEED = 7
EXAMPLES = 3
"""Of each operation: two that follow the description and one that breaks it."""


@pytest.fixture
def populated(site: Site) -> Site:
    """An application that holds one of most things."""
    worlds.ask(site)
    worlds.publish(site)
    worlds.plan_mission(site)
    worlds.built_scene(site)
    return site


def test_every_answer_is_one_that_the_description_names(populated: Site) -> None:
    found, chance = api_fuzz.Found(), random.Random(SEED)
    every = api_fuzz.operations(populated)
    for operation in every:
        passing = [login for login in api_fuzz.LOGINS if api_fuzz.may_call(operation, login)]
        headers = api_fuzz.authorization(populated, chance.choice(passing))
        api_fuzz.send_shares(operation, EXAMPLES, headers, chance, found)
    assert found.findings == {}
    assert found.statuses.total() > 2 * len(every)
    assert 0.2 * len(every) < len(found.succeeded) <= len(every)
    assert found.statuses[404] < found.statuses.total() / 2, "most ids are of no record"


def test_every_error_is_described_as_a_problem_document(site: Site) -> None:
    described = site.client().get("/api/openapi.json").get_json()
    told = 0
    for path, item in described["paths"].items():
        for method, operation in item.items():
            for code, answer in operation["responses"].items():
                if code >= "400":
                    told += 1
                    assert list(answer["content"]) == ["application/problem+json"], (method, path)
                    assert answer["description"], (method, path, code)
            assert {"400", "405", "429", "503"} <= set(operation["responses"]), (method, path)
    assert told > 900


def test_the_judge_sees_what_the_description_does_not_name(site: Site) -> None:
    """The fuzzer's own judge must be able to fail: a bug, a status and a body of another shape."""
    site.app.register_blueprint(liars())
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", site.app)
    found = api_fuzz.Found()
    for operation in schema.include(path_regex="^/api/v1/liars/").get_all_operations():
        api_fuzz.send_shares(operation.ok(), 1, {}, random.Random(SEED), found)
    told = {key.split(" ")[1].rsplit("/", 1)[1].rstrip(":") for key in found.findings}
    assert told == {"bug", "status", "shape"}
    assert len(found.findings) == 4, "the bug is a server error and an unnamed status"


def liars() -> APIBlueprint:
    """Operations that break their own description, and one that does not."""
    made = APIBlueprint("liars", __name__, url_prefix="/api/v1/liars")

    class Count(Schema):
        n = fields.Integer(required=True)

    @made.get("/bug")
    @public
    @made.output(Count)
    def bug() -> dict[str, int]:
        raise RuntimeError("a bug")

    @made.get("/status")
    @public
    @made.output(Count)
    def status() -> tuple[dict[str, int], int]:
        return {"n": 1}, 418

    @made.get("/shape")
    @public
    @made.output(Count)
    def shape() -> tuple[dict[str, int], int]:
        return {}, 200

    @made.get("/honest")
    @public
    @made.output(Count)
    def honest() -> dict[str, int]:
        return {"n": 1}

    return made


def test_ids_are_bent_to_records_wherever_they_stand() -> None:
    schema = {"drone_id": 9_999, "rows": [{"pilot_id": 8_888, "n": 7_777}], "name": "x"}
    chance, seen = random.Random(SEED), set()
    for _ in range(200):
        body = {**schema, "rows": [dict(schema["rows"][0])]}  # type: ignore[index,call-overload]
        api_fuzz.bend(body, chance)
        seen.add((body["drone_id"], body["rows"][0]["pilot_id"]))
        assert (body["rows"][0]["n"], body["name"]) == (7_777, "x")
    bent = {1, 2}
    assert {drone for drone, _ in seen} == bent | {9_999}
    assert {pilot for _, pilot in seen} == bent | {8_888}
