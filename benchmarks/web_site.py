"""An application of a benchmark's own, with the reference data and one user of every role."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from droneteam import accounts, db, schema
from droneteam.accounts import ROLES
from droneteam.fleet import service as fleet
from droneteam.settings import Settings
from droneteam.web.app import create_app
from tests.web.conftest import NOW, OTHER_ZONE, SECRET, ZONE, Clock, Site

PASSWORD = "only for this benchmark"


@contextmanager
def empty_site() -> Iterator[Site]:
    """An application on a database of its own; a login is named as its role, and a neighbour."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/web.db"
        settings = Settings(data_dir=Path(folder) / "data", database_url=url, secret_key=SECRET)
        engine = db.make_engine(url)
        schema.create_all(engine)
        with db.session_scope(engine) as session:
            fleet.seed_reference(session, NOW)
            for login in (*ROLES, "neighbour"):
                role = "requester" if login == "neighbour" else login
                code = {"requester": ZONE, "neighbour": OTHER_ZONE}.get(login, "DRONE")
                accounts.add_user(session, accounts.NewUser(login, login, code, (role,), PASSWORD))
        clock = Clock()
        app = create_app(settings, engine, clock=clock)
        app.config["RATELIMIT_ENABLED"] = False
        yield Site(app, engine, settings, clock)
        engine.dispose()
