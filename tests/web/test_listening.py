"""A live stream ends with the session it was opened with, however that ends, and no other does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from droneteam import accounts, db, people, sessions
from droneteam.accounts import Actor
from droneteam.web import listening
from droneteam.web.broadcast import Broadcast
from droneteam.web.feed import Feed
from droneteam.web.listening import Listeners
from tests.web.conftest import Site, csrf_token

PATIENCE_S = 60.0
WHO = Actor(1, 1, frozenset({"pilot"}), "pilot 1", "en")


class Bell:
    """Rings all the time."""

    def wait(self, timeout_s: float) -> bool:
        time.sleep(0.005)
        return True

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "REST_S", 0.01)
    monkeypatch.setattr(listening, "UNTOLD_S", 0.05)


@pytest.fixture
def feed() -> Feed:
    return Feed(lambda: {"a": {"key": "a"}}, period_s=0.01)


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_of_many_streams_those_end_whose_session_does_and_one_query_asks_for_all(
    feed: Feed,
) -> None:
    live = {f"secret {i}": WHO for i in range(20)}
    asked: list[int] = []

    def read(secrets: Any) -> dict[str, Actor]:
        asked.append(len(secrets))
        return {one: live[one] for one in secrets if one in live}

    among = Listeners(read, Bell)
    sent: dict[str, list[bytes]] = {one: [] for one in live}

    async def run(call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(call, *arguments)

    async def listen(secret: str) -> None:
        async def send(data: bytes) -> None:
            sent[secret].append(data)

        await Broadcast(feed, listener=among.of(secret, WHO)).send(send, run)

    async def all_of_it() -> list[str]:
        tasks = {one: asyncio.create_task(listen(one)) for one in sent}
        while not all(b"snapshot" in b"".join(blocks) for blocks in sent.values()):
            await asyncio.sleep(0.005)
        del live["secret 3"]
        live["secret 4"] = Actor(1, 1, frozenset({"manager"}), "pilot 1", "en")
        live["secret 5"] = Actor(1, 1, WHO.roles, "another name", "nl")
        done, _ = await asyncio.wait([tasks["secret 3"], tasks["secret 4"]], timeout=PATIENCE_S)
        assert len(done) == 2
        over = [one for one, task in tasks.items() if task.done()]
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return over

    assert asyncio.run(all_of_it()) == ["secret 3", "secret 4"]
    assert sent["secret 3"][-1] == b"retry: 50\n\n"
    assert max(asked) == 20  # all of them at once
    assert feed.listeners == 0


def test_the_looking_ends_with_the_last_listener(feed: Feed) -> None:
    among = Listeners(lambda secrets: dict.fromkeys(secrets, WHO), Bell)
    before = set(threading.enumerate())
    stream = iter(Broadcast(feed, listener=among.of("secret", WHO)))
    next(stream)
    begun = set(threading.enumerate()) - before
    (looker,) = [one for one in begun if one.name == "listeners"]
    stream.close()  # type: ignore[attr-defined]
    looker.join(PATIENCE_S)
    assert not looker.is_alive()


def test_a_database_that_is_away_ends_no_stream(feed: Feed) -> None:
    answers: Iterator[bool] = iter([True, False, True])
    looked: list[bool] = []

    def read(secrets: Any) -> dict[str, Actor]:
        there = next(answers, True)
        looked.append(there)
        if not there:
            raise ConnectionError("the database is away")
        return dict.fromkeys(secrets, WHO)

    among = Listeners(read, Bell)
    listener = among.of("secret", WHO)
    listener.enter()
    until(lambda: len(looked) > 3)
    assert not listener.ended
    listener.leave()


def sign_out(site: Site, client: Any) -> None:
    client.post("/sign-out", data={"csrf_token": csrf_token(client)})


def close_account(site: Site, _client: Any) -> None:
    with db.session_scope(site.engine) as session:
        admin, row = accounts.actor_for_login(session, "administrator"), _pilot(session)
        people.set_active(session, admin, row.id, False, "left the team", site.clock())


def take_role(site: Site, _client: Any) -> None:
    with db.session_scope(site.engine) as session:
        admin, row = accounts.actor_for_login(session, "administrator"), _pilot(session)
        people.set_roles(session, admin, row.id, ("auditor",), site.clock())


def end_everywhere(site: Site, _client: Any) -> None:
    with db.session_scope(site.engine) as session:
        sessions.end_all(session, _pilot(session).id, site.clock())


def go_idle(site: Site, _client: Any) -> None:
    site.clock.forward(hours=13)


def _pilot(session: Any) -> Any:
    return accounts.user_by_login(session, "pilot")


@pytest.mark.parametrize("end", [sign_out, close_account, take_role, end_everywhere, go_idle])
def test_a_stream_ends_however_its_session_ends(site: Site, end: Callable[..., None]) -> None:
    client = site.client("pilot")
    with client.get("/live/events", buffered=False) as answer:
        blocks = iter(answer.response)  # type: ignore[call-overload]
        assert b"retry" in next(blocks)
        assert b"snapshot" in next(blocks)
        end(site, site.client("pilot") if end is not sign_out else client)
        assert list(blocks)[-1] == b"retry: 50\n\n"  # it comes to an end at all


def test_a_token_that_is_ended_ends_its_programs_stream(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        actor = accounts.actor_for_login(session, "pilot")
        view, token = sessions.open_program(
            session, actor, "map on the wall", timedelta(days=1), site.clock(), ("pilot",)
        )
    headers = {"Authorization": f"Bearer {token}"}
    with site.app.test_client().get("/api/v1/live/events", headers=headers) as answer:
        blocks = iter(answer.response)  # type: ignore[call-overload]
        next(blocks)
        with db.session_scope(site.engine) as session:
            sessions.end_session(session, actor, view.id, site.clock())
        assert list(blocks)[-1] == b"retry: 50\n\n"
