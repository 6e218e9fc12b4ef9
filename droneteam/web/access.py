"""Who may call which route: declared beside each view, checked before any view runs.

A route without a declaration is refused, so that a forgotten line closes a door instead of
opening one.  Services check again where the data is; this is the outer of two locks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from droneteam.accounts import ROLES, TEAM_ROLES, Actor

View = TypeVar("View", bound=Callable[..., Any])
_ATTRIBUTE = "__droneteam_access__"
_LIMIT = "__droneteam_body_limit__"
_PROOF = "__droneteam_recently_proven__"

TEAM = tuple(role for role in ROLES if role in TEAM_ROLES)
"""Every role of the drone team itself."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a view.

    roles : any one of them suffices; empty with anyone_signed_in or public.
    """

    roles: frozenset[str] = frozenset()
    anyone_signed_in: bool = False
    public: bool = False

    def permits(self, actor: Actor | None) -> bool:
        """Whether the view may run for that actor (None: a visitor)."""
        if self.public:
            return True
        if actor is None:
            return False
        return self.anyone_signed_in or actor.has_role(*self.roles)


def allow(*roles: str) -> Callable[[View], View]:
    """Declares the roles that may call the view."""
    unknown = set(roles) - set(ROLES)
    if unknown or not roles:
        raise ValueError(f"roles {sorted(unknown)} unknown or none given")
    return _declare(Access(roles=frozenset(roles)))


def signed_in_only(view: View) -> View:
    """Declares that whoever is signed in may call the view."""
    return _declare(Access(anyone_signed_in=True))(view)


def public(view: View) -> View:
    """Declares that the view needs no sign-in."""
    return _declare(Access(public=True))(view)


def takes_files(max_bytes: int) -> Callable[[View], View]:
    """Declares that the view reads a file, with a limit of its own on the whole body."""

    def mark(view: View) -> View:
        setattr(view, _LIMIT, max_bytes)
        return view

    return mark


def recently_proven(view: View) -> View:
    """Declares that the view asks for a sign-in of a few minutes ago: `proof`."""
    setattr(view, _PROOF, True)
    return view


def needs_proof(view: Callable[..., Any]) -> bool:
    """Whether the view was declared so."""
    return bool(getattr(view, _PROOF, False))


def body_limit_of(view: Callable[..., Any]) -> int | None:
    """The view's own limit on a body, or None where the application's holds."""
    found = getattr(view, _LIMIT, None)
    return found if isinstance(found, int) else None


def access_of(view: Callable[..., Any]) -> Access | None:
    """The view's declaration, or None when someone forgot it."""
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Access) else None


def _declare(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, access)
        return view

    return mark
