"""What is recorded of a sortie, in the reader's language.

The controller's journal, the packet log and the sortie's row hold English sentences, as evidence;
`sentences.json` holds each as a pattern with its Dutch and French forms
(`droneteam/sentences.py`).  What the vehicle itself said (STATUSTEXT) stays in its own words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from droneteam.missions.mavlink.messages import mode_name
from droneteam.sentences import Book

OWN_WORDS = frozenset({"text", "mode"})
"""Kinds of events whose detail is the vehicle's own word: what it announced, and its mode."""


_NAMED = r"<\w+\.(\w+): \d+>"
_MISSION = rf"(?:mission_type={_NAMED})?"
_SENT: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (rf"MissionClear\({_MISSION}\)", lambda m: f"MISSION_CLEAR_ALL {m[1] or 'MISSION'}"),
    (rf"MissionCount\(count=(\d+), {_MISSION}\)", lambda m: f"MISSION_COUNT {m[2]} {m[1]}"),
    (r"ParamSet\(name='(\w+)', value=([^)]+)\)", lambda m: f"PARAM_SET {m[1]} = {m[2]}"),
    (rf"CommandLong\(command={_NAMED}, params=\(([^)]*)\)[^)]*\)", lambda m: _command(m[1], m[2])),
)
"""Messages as the journal writes them, and as MAVLink names them."""


def told(text: str, language: str) -> str:
    """A recorded sentence in nl, fr or en; one that is not in the book marked [en].

    A message to the vehicle is named as MAVLink names it, with what it carries.
    """
    for pattern, name in _SENT:
        text = re.sub(pattern, name, text)
    return _book().said(text, language)


def _command(name: str, params: str) -> str:
    """A command with its numbers, without the noughts at their end; a mode by its name."""
    values = [float(one) for one in params.split(",") if one.strip()]
    if name == "DO_SET_MODE" and len(values) == 2:
        return f"{name} {mode_name(int(values[1]))}"
    while values and values[-1] == 0.0 and name != "COMPONENT_ARM_DISARM":
        values.pop()
    return " ".join([name, *(f"{value:.7g}" for value in values)])


def kind_told(kind: str, language: str) -> str:
    """The kind of an event or of a line of the journal, as a word."""
    return _book().word("event", kind, language)


@functools.cache
def _book() -> Book:
    return Book.read("droneteam.missions.record")
