"""Whoever is shown anything of a scene has looked at it: said by one hook for all routes.

A route of a scene that is added tomorrow is noted without another line; the few that show nothing
of the evidence are named here.  The entry is made before the answer leaves: where it cannot be
made, nothing is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from flask import Flask, Response, current_app, g, request

from droneteam.accounts import Actor
from droneteam.photogrammetry import looking
from droneteam.photogrammetry.looking import ONE_LOOK
from droneteam.web.context import actor, now, reading, signed_in, writing

_EXTENSION = "droneteam-scene-looks"
_PLACES = ("scene_id", "other_id")
"""What the routes call the numbers of scenes."""
SHOWS_NOTHING = frozenset(
    {
        "api_scenes.cancel",
        "api_uploads.ask_for_room",
        "api_uploads.list_uploads",
        "api_uploads.send",
        "api_uploads.start",
        "scenes.build",
        "scenes.cancel",
        "scenes.progress",
        "uploads.control",
        "uploads.send_plain",
    }
)
MAX_KNOWN = 20_000


class Known:
    """Who has looked at which scene within the last hour, as far as this process knows."""

    def __init__(self) -> None:
        self._noted: dict[tuple[int, int], datetime] = {}
        self._lock = threading.Lock()

    def holds(self, actor: Actor, scene_id: int, at: datetime) -> bool:
        """Whether an entry is known; one that is not may still be in the chain."""
        with self._lock:
            noted = self._noted.get((actor.user_id, scene_id))
        return noted is not None and at - noted < ONE_LOOK

    def add(self, actor: Actor, scene_id: int, at: datetime) -> None:
        """There is an entry from that time."""
        with self._lock:
            if len(self._noted) >= MAX_KNOWN:
                self._noted.clear()
            self._noted[actor.user_id, scene_id] = at


def init_scene_looks(app: Flask) -> None:
    """Notes the looks of every answer about a scene."""
    app.extensions[_EXTENSION] = Known()
    app.after_request(_note)


def note_taken(scene_id: int, what: str) -> None:
    """The actor takes a file away; it is then no look besides."""
    with writing() as session:
        looking.note_taken(session, actor(), scene_id, what, now())
    g.scene_taken = True


def note_looks(scene_ids: Iterable[int]) -> None:
    """The actor looks at these scenes; NotFound where one is none that the actor may see."""
    known, me, at = cast(Known, current_app.extensions[_EXTENSION]), actor(), now()
    for scene_id in scene_ids:
        if known.holds(me, scene_id, at):
            continue
        with reading() as session:
            last = looking.last_look(session, me, scene_id)
        if last is None or at - last >= ONE_LOOK:
            with writing() as session:
                last = looking.note_look(session, me, scene_id, at)
        known.add(me, scene_id, last)


def _note(response: Response) -> Response:
    shown = [value for name, value in (request.view_args or {}).items() if name in _PLACES]
    nothing = response.status_code >= 400 or request.endpoint in SHOWS_NOTHING
    if shown and not nothing and signed_in() is not None and not g.get("scene_taken"):
        note_looks(shown)
    return response
