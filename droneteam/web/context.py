"""What every view reaches for: settings, the database, the clock and who is asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from flask import current_app, g, request
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.db import read_scope, session_scope
from droneteam.errors import NotAllowed
from droneteam.settings import Settings

EXTENSION = "droneteam"


@dataclass(frozen=True, slots=True)
class Context:
    """What one application serves from.

    clock : the only place where the web application reads the time; tests replace it.
    """

    settings: Settings
    engine: Engine
    clock: Callable[[], datetime]


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def context() -> Context:
    """The running application's context."""
    return cast(Context, current_app.extensions[EXTENSION])


def now() -> datetime:
    """The application's time, in UTC."""
    return context().clock()


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads and never waits for a writer."""
    with read_scope(context().engine) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """A session that commits at the end: what a page answers has then been kept."""
    with session_scope(context().engine) as session:
        yield session


def full_address(path: str) -> str:
    """The path with the server in front, for who will ask from elsewhere.

    The Host header is the visitor's word: it counts only where DRONETEAM_URL says nothing.
    """
    return (context().settings.url or request.host_url.rstrip("/")) + path


def signed_in() -> Actor | None:
    """The actor of this request, or None for a visitor."""
    return cast(Actor | None, g.get("actor"))


def actor() -> Actor:
    """The actor of this request.

    Raises
    ------
    NotAllowed
        Nobody is signed in; the access policy normally answers before a view runs.
    """
    found = signed_in()
    if found is None:
        raise NotAllowed("sign in first")
    return found


def own_secret() -> str:
    """The secret of the session or token that this request came with; "" of a visitor."""
    return str(g.get("secret", ""))


@cache
def software_version() -> str:
    """The installed version, or the word for a source tree that is not installed.

    It is in every page and cannot change while the program runs; reading it takes milliseconds.
    """
    try:
        return version("droneteam")
    except PackageNotFoundError:
        return "source"
