"""A browser or program by a name that its owner recognises."""

from __future__ import annotations

_PROGRAMS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


def device_name(user_agent: str) -> str:
    """Such as "Firefox, Android"; what it said of itself, shortened, when it is none we know."""
    program = next((name for mark, name in _PROGRAMS if mark in user_agent), "")
    system = next((name for name in _SYSTEMS if name in user_agent), "")
    known = ", ".join(part for part in (program, system) if part)
    return known or user_agent[:60] or "?"
