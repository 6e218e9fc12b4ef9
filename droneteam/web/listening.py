"""Who listens to an event stream, and whose session has ended since: those streams end at once.

A stream is checked when it is opened and lives for minutes.  A sign-out, an account that is closed
or another role would otherwise count from the next stream on.  One thread looks at all sessions
that listen, with one query, as soon as the database has changed and now and then for time alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping

from droneteam.accounts import Actor
from droneteam.web.feed import Bell

log = logging.getLogger(__name__)

REST_S = 1.0
"""Between two looks: how late a session's end counts, beside the look itself."""
UNTOLD_S = 2.0
"""How long until a look although nothing was told: a session also ends by time."""

Standing = tuple[int, frozenset[str]]
"""Whose data somebody may see: the organisation and the roles."""
ReadActors = Callable[[Collection[str]], Mapping[str, Actor]]


class Listener:
    """One stream and the session that it was opened with.

    secret : the session's; actor : who it acted for then
    """

    def __init__(self, among: Listeners, secret: str, actor: Actor) -> None:
        self._among = among
        self.secret = secret
        self.standing = standing_of(actor)
        self.ended = False

    def enter(self) -> None:
        """The stream begins."""
        self._among.add(self)

    def leave(self) -> None:
        """The stream is over."""
        self._among.remove(self)

    def call(self, caller: Callable[[], None]) -> None:
        """From now on `caller` is called, in another thread, when any listener's session ends."""
        self._among.call(caller)


class Listeners:
    """Everybody who listens.

    read : secrets → whom those that still hold act for; new_bell : what tells that the database
    has changed
    """

    def __init__(self, read: ReadActors, new_bell: Callable[[], Bell]) -> None:
        self._read, self._new_bell = read, new_bell
        self._lock = threading.Lock()
        self._open: set[Listener] = set()
        self._callers: tuple[Callable[[], None], ...] = ()
        self._thread: threading.Thread | None = None

    def of(self, secret: str, actor: Actor) -> Listener:
        """A listener who has not begun yet."""
        return Listener(self, secret, actor)

    def call(self, caller: Callable[[], None]) -> None:
        """From now on `caller` is called when any session has ended; the same one once."""
        with self._lock:
            if caller not in self._callers:
                self._callers += (caller,)

    def add(self, listener: Listener) -> None:
        """One more; the first one has the sessions looked at."""
        with self._lock:
            self._open.add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)
                self._thread.start()

    def remove(self, listener: Listener) -> None:
        """One less; with the last one the looking ends."""
        with self._lock:
            self._open.discard(listener)

    def look(self) -> None:
        """Marks those whose session has ended or acts for other roles, and tells the callers."""
        with self._lock:
            listening = [one for one in self._open if not one.ended]
        if not listening:
            return
        actors = self._read({one.secret for one in listening})
        over = [one for one in listening if not _holds(one, actors.get(one.secret))]
        for one in over:
            one.ended = True
        if over:
            with self._lock:
                callers = self._callers
            for caller in callers:
                caller()

    def _run(self) -> None:
        """Looks until nobody listens any more."""
        bell = self._new_bell()
        try:
            while True:
                time.sleep(REST_S)
                bell.wait(UNTOLD_S)
                with self._lock:
                    if not self._open:
                        self._thread = None
                        return
                self._look_again()
        finally:
            bell.close()

    def _look_again(self) -> None:
        try:
            self.look()
        except Exception:  # a thread's edge: the database may be away for a moment
            log.exception("the sessions of listeners could not be read; trying again")


def standing_of(actor: Actor) -> Standing:
    """What a stream's content hangs on."""
    return actor.organisation_id, actor.roles


def _holds(listener: Listener, actor: Actor | None) -> bool:
    return actor is not None and standing_of(actor) == listener.standing
