"""What a request led to is taken into its case, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from droneteam.accounts import SYSTEM, NewUser, add_user
from droneteam.db import session_scope
from droneteam.errors import Conflict
from droneteam.evidence import blobs, gather, service
from droneteam.fleet import service as fleet
from droneteam.settings import Settings

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def ask(engine: Engine) -> int:
    draft = fleet.RequestDraft(
        kind=fleet.RequestKind.PHOTOGRAMMETRY,
        title="Accident",
        priority="P2",
        start_at=NOW + timedelta(hours=2),
        end_at=NOW + timedelta(hours=5),
        lat_deg=50.82,
        lon_deg=4.39,
        polygon=(),
        legal_basis="art. 22",
        contact="desk",
    )
    with session_scope(engine) as session:
        fleet.seed_reference(session, NOW)
        zone = add_user(session, NewUser("z", "Zone", "5339", ("requester",), "a long password"))
        return fleet.submit_request(session, zone, draft, NOW).id


def test_the_request_and_its_history_are_evidence(
    sqlite_engine: Engine, settings: Settings
) -> None:
    request_id = ask(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        case = gather.open_request_case(session, SYSTEM, request_id, NOW)
        assert case.legal_basis == "art. 22"
        (item,) = gather.gather_request(session, SYSTEM, case.id, settings, NOW)
        store = settings.blob_dir("evidence")
        content = json.loads(blobs.content_path(store, item.sha256).read_text())
    assert content["request"]["title"] == "Accident"
    assert [step["state"] for step in content["history"]] == ["submitted"]


def test_a_request_has_one_open_case(sqlite_engine: Engine) -> None:
    request_id = ask(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        first = gather.open_request_case(session, SYSTEM, request_id, NOW)
        assert gather.open_request_case(session, SYSTEM, request_id, NOW).id == first.id


def test_gathering_twice_adds_nothing(sqlite_engine: Engine, settings: Settings) -> None:
    request_id = ask(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        case = gather.open_request_case(session, SYSTEM, request_id, NOW)
        first = gather.gather_request(session, SYSTEM, case.id, settings, NOW)
        assert gather.gather_request(session, SYSTEM, case.id, settings, NOW) == first


def test_a_later_state_stands_beside_the_earlier_one(
    sqlite_engine: Engine, settings: Settings
) -> None:
    request_id = ask(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        case = gather.open_request_case(session, SYSTEM, request_id, NOW)
        gather.gather_request(session, SYSTEM, case.id, settings, NOW)
        fleet.acknowledge_request(session, SYSTEM, request_id, NOW)
        items = gather.gather_request(session, SYSTEM, case.id, settings, NOW)
    assert [item.path for item in items] == [
        "documents/request-1-2.json",
        "documents/request-1.json",
    ]


def test_a_case_of_no_request_is_not_gathered(sqlite_engine: Engine, settings: Settings) -> None:
    ask(sqlite_engine)
    with session_scope(sqlite_engine) as session:
        draft = service.CaseDraft(1, "Found drone", "art. 1")
        case = service.open_case(session, SYSTEM, draft, NOW)
        with pytest.raises(Conflict, match="no request"):
            gather.gather_request(session, SYSTEM, case.id, settings, NOW)
