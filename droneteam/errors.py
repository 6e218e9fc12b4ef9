"""The errors that droneteam raises, drawn as one tree.

DroneteamError
├── InputError (also a ValueError): what was given is wrong; says what, where and what is allowed
├── NotFound (also a LookupError): no such thing, or none that the caller may see
├── NotAllowed (also a PermissionError): the caller's role or organisation does not permit it
├── Conflict: the state has moved on (published twice, edited meanwhile, lease lost)
├── DecodeError (also a ValueError): bytes that are not what their format says
├── LinkError (also a ConnectionError): the vehicle's link failed
│   └── LinkTimeout (also a TimeoutError): no answer within the stated time
├── SceneError: a reconstruction step cannot go on; says at which stage and what would help
└── SetupError: the installation lacks something; says what to install or set

Expected outcomes (infeasible, too few photos to match, no track) are results, not errors.

A message may be a template with its facts beside it: `InputError("{count} corners; 3 at least",
count=2)`.  It reads the same in English, and `web/error_words.py` says it in the reader's language.
"""

from __future__ import annotations


class DroneteamError(Exception):
    """Base of every error that droneteam raises on purpose.

    template : the message in English, with the names of its facts in braces where it has facts;
    facts : what goes into it; another error as a fact is the reason in its own words.
    """

    def __init__(self, template: str = "", **facts: object) -> None:
        super().__init__(template.format(**facts) if facts else template)
        self.template = template
        self.facts = facts


def marked(text: str) -> str:
    """The text itself; marks a template for the catalogues of translations where it is not
    written into its error (`tests/web/test_i18n.py`)."""
    return text


class InputError(DroneteamError, ValueError):
    """A value from outside is wrong.

    field : the dotted name of what was wrong, when there is one, so that a form or an API
    can show the message beside it.
    """

    def __init__(self, message: str, *, field: str | None = None, **facts: object) -> None:
        super().__init__(message, **facts)
        self.field = field


def plainly(error: Exception) -> Exception:
    """The error as a fact of another: one that names a missing key says that it is missing."""
    if isinstance(error, KeyError) and error.args:
        return InputError("{key} is missing", key=error.args[0])
    return error


class NotFound(DroneteamError, LookupError):
    """No such thing, or none that the caller may see; the two are not told apart."""

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"no {kind} {key} that you may see")
        self.kind = kind
        self.key = key


class NotAllowed(DroneteamError, PermissionError):
    """The caller's role or organisation does not permit the action."""


class Conflict(DroneteamError):
    """The state has moved on since the caller read it; read again and decide."""


class DecodeError(DroneteamError, ValueError):
    """Bytes that do not follow their format.

    offset : where in the input, in bytes, when known.
    """

    def __init__(self, message: str, *, offset: int | None = None, **facts: object) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})", **facts)
        self.offset = offset


class LinkError(DroneteamError, ConnectionError):
    """The link to a vehicle failed."""


class LinkTimeout(LinkError, TimeoutError):
    """A vehicle did not answer within the stated time."""

    def __init__(self, message: str, *, waited_s: float) -> None:
        super().__init__(f"{message} (waited {waited_s:.1f} s)")
        self.waited_s = waited_s


class SceneError(DroneteamError):
    """A reconstruction stage cannot go on.

    stage : the stage's name; help : what the user can do about it.
    """

    def __init__(self, stage: str, message: str, *, help: str) -> None:
        super().__init__(f"{stage}: {message}. {help}")
        self.stage = stage
        self.help = help


class SetupError(DroneteamError):
    """The installation lacks something; the message says what to install or set."""
