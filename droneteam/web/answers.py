"""The fleet's answer before a request is sent, in the visitor's language."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.explanations.explain import gathered
from droneteam.fleet.views import Answer, RequestDraft
from droneteam.web.context import actor, now, reading
from droneteam.web.i18n import sentences
from droneteam.web.refusals import said
from droneteam.web.timefmt import for_input, local, parse_local, zone


def answer_words(draft: RequestDraft) -> dict[str, Any]:
    """The fleet's answer in the visitor's language."""
    try:
        with reading() as session:
            found = service.instant_answer(session, actor(), draft, now())
    except InputError as error:
        return {"verdict": "incomplete", "headline": said(error), "reasons": []}
    verdict, headline = str(found.verdict), _headline(found, draft)
    reasons = sentences(gathered(found.reasons))
    told: dict[str, Any] = {"verdict": verdict, "headline": headline, "reasons": reasons}
    if found.from_at is not None and found.from_at > draft.start_at and verdict != "yes":
        told["free"] = _free(found.from_at, draft)
    return told


def _headline(found: Answer, draft: RequestDraft) -> str:
    """The answer in a line, which is no more than what the answer holds."""
    at = found.from_at
    if found.verdict == "yes":
        if at is not None and at > draft.start_at:
            return str(_("Yes, from %(time)s: a drone and a pilot are free.", time=local(at)))
        return str(_("Yes: a drone and a pilot are free."))
    if found.verdict == "maybe":
        told = [_("Maybe: the coordinator decides.")]
    elif at is None:
        told = [_("Not at that time, and not in the three days after it.")]
    else:
        told = [_("Not at that time.")]
    if at is not None and at > draft.start_at:
        told.append(_("Free from %(time)s.", time=local(at)))
    return " ".join(told)


def _free(from_at: datetime, draft: RequestDraft) -> dict[str, str]:
    """The same length of time from when the team is free, as the form's fields hold it.

    Fields hold whole minutes, and of an hour that the autumn's clocks show twice the first pass:
    within the second one the time after it is taken.
    """
    start_at = from_at + timedelta(seconds=-from_at.timestamp() % 60)
    while parse_local(for_input(start_at), zone()) != start_at:
        start_at += timedelta(minutes=15) - timedelta(seconds=start_at.timestamp() % 900)
    end_at = start_at + (draft.end_at - draft.start_at)
    return {"start_at": for_input(start_at), "end_at": for_input(end_at)}
