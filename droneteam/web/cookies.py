"""The session's cookie, which an answer renews only where it cannot bring back what was shown."""

from __future__ import annotations

from flask import Flask
from flask.sessions import SecureCookieSessionInterface, SessionMixin

_MESSAGES = "_flashes"
"""Where Flask keeps messages until a page shows them."""


class SessionCookie(SecureCookieSessionInterface):
    """Every answer renews the cookie, but for those that come while a message waits for its page.

    A picture or a progress that was asked for beside the page may be answered after it, with the
    cookie of before: the page's messages would be shown once more on the next one.
    """

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Whether the answer carries the cookie."""
        if _MESSAGES in session and not session.modified:
            return False
        return super().should_set_cookie(app, session)


def init_cookies(app: Flask) -> None:
    """Installs it."""
    app.session_interface = SessionCookie()
