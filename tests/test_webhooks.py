"""Webhooks: told in order, signed, again after a failure, and nothing is lost."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from droneteam import accounts, audit, db, webhooks
from droneteam.accounts import SYSTEM, NewUser, OrganisationKind
from droneteam.commands import tell as tell_module
from droneteam.commands.tell import tell_once
from droneteam.errors import InputError, NotAllowed

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
KEY = "the installation's key"


@dataclass(slots=True)
class Listener:
    """A program that is told; answers with the statuses in turn, then with 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        return [json.loads(body)["id"] for _, body in self.heard]


@pytest.fixture
def listener() -> Iterator[Listener]:
    told = Listener()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.heard.append((dict(self.headers), body))
            status = told.statuses.pop(0) if told.statuses else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/hook?zone=5339"
    yield told
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


def happen(engine: Engine, *actions: str) -> list[int]:
    """The ids of new audit entries."""
    with db.session_scope(engine) as session:
        return [
            audit.append(session, SYSTEM, action=action, subject="request:1", at=NOW).id
            for action in actions
        ]


def hook(engine: Engine, listener: Listener, *actions: str) -> tuple[int, str]:
    with db.session_scope(engine) as session:
        view, secret = webhooks.add_webhook(
            session, SYSTEM, "zone", listener.url, actions or ("request",), KEY, NOW
        )
        return view.id, secret


def state(engine: Engine, now: datetime = NOW) -> webhooks.WebhookView:
    with db.read_scope(engine) as session:
        (view,) = webhooks.list_webhooks(session, SYSTEM, now)
        return view


def tell(engine: Engine, now: datetime = NOW) -> int:
    return tell_once(engine, KEY, lambda: now)


def test_what_concerns_it_is_told_once_in_order_and_nothing_before_it_was_added(
    engine: Engine, listener: Listener
) -> None:
    happen(engine, "request.submit")
    hook(engine, listener, "request", "plan")
    ids = happen(engine, "request.submit", "user.add", "plan.publish", "requestless.x")
    assert tell(engine) == 2
    assert listener.ids == [ids[0], ids[2]]
    assert tell(engine) == 0
    assert state(engine).waiting == 0


def test_a_message_names_the_record_and_keeps_what_is_known_of_it(
    engine: Engine, listener: Listener
) -> None:
    hook(engine, listener)
    with db.session_scope(engine) as session:
        entry = audit.append(
            session, SYSTEM, action="request.submit", subject="request:7", at=NOW,
            reason="a name in it", facts={"operator": "BEL-1"},
        )  # fmt: skip
    tell(engine)
    assert json.loads(listener.heard[0][1]) == {
        "id": entry.id,
        "at": "2026-05-04T08:00:00.000+00:00",
        "action": "request.submit",
        "subject": "request:7",
    }


def test_the_signature_is_an_hmac_over_time_and_body(engine: Engine, listener: Listener) -> None:
    _, secret = hook(engine, listener)
    happen(engine, "request.submit")
    tell(engine)
    headers, body = listener.heard[0]
    stamp, digest = (part.split("=")[1] for part in headers["X-Droneteam-Signature"].split(","))
    assert int(stamp) == int(NOW.timestamp())
    expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert digest == expected


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_refused_message_comes_again_before_the_next_one(
    engine: Engine, listener: Listener, status: int
) -> None:
    hook(engine, listener)
    ids = happen(engine, "request.submit", "request.plan")
    listener.statuses = [status]
    assert tell(engine) == 0
    seen = state(engine)
    assert (seen.state, seen.waiting) == ("waiting", 2)
    assert str(status) in seen.problem
    assert tell(engine, NOW + timedelta(seconds=9)) == 0
    assert tell(engine, NOW + timedelta(seconds=10)) == 2
    assert listener.ids == [ids[0], *ids]
    assert state(engine).state == "working"


@pytest.mark.parametrize("url", ["https://zone.example:99999/", "http://localhost:9/h\u00f6r"])
def test_an_address_that_cannot_be_asked_keeps_no_other_from_being_told(
    engine: Engine, listener: Listener, url: str
) -> None:
    """As some were stored before addresses were checked: one of them ended the telling of all."""
    bad_id, _ = hook(engine, listener)
    hook(engine, listener)
    with db.session_scope(engine) as session:
        session.execute(
            text("UPDATE webhook SET url = :url WHERE id = :id"), {"url": url, "id": bad_id}
        )
    ids = happen(engine, "request.submit")
    assert tell(engine) == 1
    assert listener.ids == ids
    with db.read_scope(engine) as session:
        states = [one.state for one in webhooks.list_webhooks(session, SYSTEM, NOW)]
    assert states == ["waiting", "working"]


def test_an_address_with_much_to_hear_leaves_the_others_their_turn(
    engine: Engine, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell_module, "TURN_S", -1.0)  # as after a slow answer
    hook(engine, listener)
    ids = happen(engine, "request.submit", "request.plan")
    assert tell(engine) == 0
    assert state(engine).waiting == 2
    monkeypatch.undo()
    assert tell(engine) == 2
    assert listener.ids == ids


def test_the_wait_doubles_up_to_an_hour_and_ends_in_a_pause(
    engine: Engine, listener: Listener
) -> None:
    hook_id, _ = hook(engine, listener)
    happen(engine, "request.submit")
    listener.statuses = [500] * 100
    now, waits = NOW, []
    for _ in range(12):
        assert tell(engine, now) == 0
        due_at = state(engine, now).due_at
        waits.append((due_at - now).total_seconds())
        now = due_at
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == 3600
    late = NOW + timedelta(days=3, seconds=1)
    asked = len(listener.heard)
    assert tell(engine, late) == 0
    assert len(listener.heard) == asked
    assert state(engine, late).state == "paused"
    listener.statuses = []
    with db.session_scope(engine) as session:
        webhooks.resume_webhook(session, SYSTEM, hook_id, late)
    assert tell(engine, late) == 1


def test_an_address_that_is_gone_does_not_keep_another_waiting(
    engine: Engine, listener: Listener
) -> None:
    gone = Listener(url="http://127.0.0.1:9/")  # the discard port: nobody listens
    hook(engine, gone)
    hook(engine, listener)
    ids = happen(engine, "request.submit")
    assert tell(engine) == 1
    assert listener.ids == ids


def test_a_secret_of_another_installation_fails_that_hook_alone(
    engine: Engine, listener: Listener
) -> None:
    hook(engine, listener)
    happen(engine, "request.submit")
    assert tell_once(engine, "another key", lambda: NOW) == 0
    assert "secret key" in state(engine).problem
    assert listener.heard == []


def test_a_test_reaches_its_own_address_only(engine: Engine, listener: Listener) -> None:
    hook_id, _ = hook(engine, listener, "scene")
    hook(engine, listener, "scene")
    with db.session_scope(engine) as session:
        webhooks.send_test(session, SYSTEM, hook_id, NOW)
    assert tell(engine) == 1
    assert json.loads(listener.heard[0][1])["subject"] == f"webhook:{hook_id}"


def test_an_ended_hook_is_told_of_nothing(engine: Engine, listener: Listener) -> None:
    hook_id, _ = hook(engine, listener)
    with db.session_scope(engine) as session:
        webhooks.end_webhook(session, SYSTEM, hook_id, NOW)
    happen(engine, "request.submit")
    assert tell(engine) == 0


def test_the_database_holds_the_secret_sealed(engine: Engine, listener: Listener) -> None:
    _, secret = hook(engine, listener)
    with db.read_scope(engine) as session:
        assert secret not in repr(session.execute(text("SELECT * FROM webhook")).all())


@pytest.mark.parametrize(
    "url",
    [
        "http://zone.example/hook",
        "ftp://127.0.0.1/",
        "https://user:password@zone.example/",
        "https:///path",
        "http://127.0.0.1.zone.example/",
        "https://zone.example/" + "x" * 500,
        "nonsense",
    ],
)
def test_an_address_that_cannot_be_trusted_is_refused(engine: Engine, url: str) -> None:
    with db.session_scope(engine) as session, pytest.raises(InputError, match="https://host"):
        webhooks.add_webhook(session, SYSTEM, "zone", url, ("request",), KEY, NOW)


def test_only_an_administrator_has_a_say(engine: Engine) -> None:
    with db.session_scope(engine) as session:
        accounts.add_organisation(
            session, code="DT", kind=OrganisationKind.DRONE_TEAM, names=("", "", "")
        )
        pilot = accounts.add_user(session, NewUser("p", "p", "DT", ("pilot",), "a long password"))
        with pytest.raises(NotAllowed):
            webhooks.list_webhooks(session, pilot, NOW)
        with pytest.raises(NotAllowed):
            webhooks.add_webhook(session, pilot, "x", "https://a.b/", ("request",), KEY, NOW)
