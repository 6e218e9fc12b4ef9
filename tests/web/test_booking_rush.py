"""The last free drone over HTTP: of a crowd that books at once one gets it, on both databases."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine
from werkzeug.exceptions import ServiceUnavailable

from benchmarks import booking
from droneteam import db, schema
from droneteam.accounts import SYSTEM
from droneteam.fleet import models
from droneteam.fleet import service as fleet
from droneteam.web.turns import booking_turn
from tests.web import worlds
from tests.web.conftest import Site, csrf_token

PATIENCE_S = 120.0


def empty_url(engine: Engine) -> str:
    """The address of a database without tables: the server makes its own."""
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    return engine.url.render_as_string(hide_password=False).replace("+psycopg", "")


def check(found: booking.Result, bookings: int) -> None:
    assert dict(found.statuses) == {200: bookings}
    assert (found.winners, found.assignments, found.double_bookings) == (1, 1, 0)


def test_of_a_crowd_over_http_exactly_one_wins(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    check(booking.measure(empty_url(engine), 25, tmp_path), 25)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_of_a_thousand_over_http_exactly_one_wins(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    check(booking.measure(empty_url(engine), 1000, tmp_path), 1000)


def test_the_judge_sees_a_double_booking(tmp_path: Path) -> None:
    """The load test's own judge must be able to fail."""
    url = f"sqlite:///{tmp_path / 'judged.db'}"
    ids = booking.prepare(url, 2)
    engine = db.make_engine(url)
    with db.session_scope(engine) as session:
        now = session.get_one(models.Request, ids[0]).submitted_at
        given = fleet.book_request(session, SYSTEM, ids[0], now).assignment
        assert given is not None
        row = session.get_one(models.Assignment, given.id)
        columns = {
            name: getattr(row, name)
            for name in models.Assignment.__table__.columns.keys()  # noqa: SIM118
            if name not in ("id", "request_id")
        }
        session.add(models.Assignment(request_id=ids[1], **columns))
    engine.dispose()
    assert booking.judge(url) == (2, 1)


def test_a_turn_that_never_comes_is_said() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with booking_turn():
            entered.set()
            leave.wait(PATIENCE_S)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert entered.wait(PATIENCE_S)
        with pytest.raises(ServiceUnavailable), booking_turn(patience_s=0.01):
            pass
    finally:
        leave.set()
        holder.join(PATIENCE_S)
    with booking_turn(patience_s=PATIENCE_S):
        pass


def test_booking_answers_what_was_booked_or_why_not(site: Site) -> None:
    asked = worlds.ask(site)
    client = site.client("requester")
    headers = {"X-CSRFToken": csrf_token(client)}
    path = f"/api/v1/requests/{asked.id}/book"
    first = client.post(path, headers=headers).get_json()
    assert first["assignment"]["request_id"] == asked.id
    assert client.post(path, headers=headers).get_json()["assignment"] == first["assignment"]
    stranger = site.client("neighbour")
    token = {"X-CSRFToken": csrf_token(stranger)}
    assert stranger.post(path, headers=token).status_code == 404
