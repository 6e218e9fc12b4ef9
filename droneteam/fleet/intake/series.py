"""Requests that are asked for together: several slots, or one slot that repeats."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role, scoped
from droneteam.errors import InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.intake.recurrence import MAX_OCCURRENCES
from droneteam.fleet.intake.requests import (
    by_key,
    cancel_request,
    draft_columns,
    submitted_row,
)
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.presenting import request_views
from droneteam.fleet.terms import RequestState, Window
from droneteam.fleet.views import RequestDraft, RequestView


def submit_series(
    session: Session,
    actor: Actor,
    draft: RequestDraft,
    windows: Sequence[Window],
    now: datetime,
    *,
    submit_key: str | None = None,
) -> list[RequestView]:
    """One request for each window, all or none; they share the name of their series.

    submit_key : names this submission, so that sending it twice makes one series

    Raises
    ------
    InputError
        There is no window or too many, two of them overlap, or one has passed already.
    """
    require_role(actor, "requester", "coordinator")
    ordered = sorted(windows, key=lambda window: window.start_at)
    _check_slots(ordered)
    keys = [None if submit_key is None else f"{submit_key[:70]}-{n}" for n in range(len(ordered))]
    known = None if keys[0] is None else by_key(session, actor, keys[0])
    series = uuid.uuid4().hex if known is None else known.series
    slots = [replace(draft, start_at=slot.start_at, end_at=slot.end_at) for slot in ordered]
    rows = [
        submitted_row(session, actor, slot, now, submit_key=key, series=series)
        for slot, key in zip(slots, keys, strict=True)
    ]
    return request_views(session, actor, rows, now)


def sent_before(
    session: Session, actor: Actor, submit_key: str, draft: RequestDraft
) -> tuple[int, bool] | None:
    """The request that this key was sent with, and whether it asked for the same; None at first."""
    row = by_key(session, actor, submit_key) or by_key(session, actor, f"{submit_key[:70]}-0")
    if row is None:
        return None
    same = all(getattr(row, name) == value for name, value in draft_columns(draft).items())
    return row.id, same


def _check_slots(ordered: Sequence[Window]) -> None:
    if not 1 <= len(ordered) <= MAX_OCCURRENCES:
        raise InputError(f"{len(ordered)} slots; 1 to {MAX_OCCURRENCES} are allowed", field="slots")
    for one, other in pairwise(ordered):
        if one.overlaps(other):
            raise InputError(
                f"the slots that start at {one.start_at.isoformat()} and "
                f"{other.start_at.isoformat()} overlap",
                field="slots",
            )


def series_requests(
    session: Session, actor: Actor, series: str, now: datetime
) -> list[RequestView]:
    """The series' requests by time; NotFound for another organisation's series."""
    query = select(models.Request).where(models.Request.series == series)
    query = query.order_by(models.Request.start_at, models.Request.id)
    rows = session.scalars(scoped(query, actor, models.Request.organisation_id)).all()
    if not rows:
        raise NotFound("series", series)
    return request_views(session, actor, rows, now)


def cancel_series(
    session: Session, actor: Actor, series: str, code: str, now: datetime
) -> list[RequestView]:
    """The series with everything cancelled that has not begun."""
    for view in series_requests(session, actor, series, now):
        if RequestState(view.state) in PLANNABLE:
            cancel_request(session, actor, view.id, code, now)
    return series_requests(session, actor, series, now)
