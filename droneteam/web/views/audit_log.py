"""The audit page: who did what, and whether the chain is whole."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from droneteam import audit, versions
from droneteam.web.access import allow
from droneteam.web.context import now, reading
from droneteam.web.forms import FormReader
from droneteam.web.routing import MAX_ID
from droneteam.web.views.records import value_text

bp = Blueprint("audit", __name__, url_prefix="/audit")

PAGE_SIZE = 100
AUDITORS = ("auditor", "administrator", "manager")
SEARCHED = ("subject", "action", "who", "from_at", "until")


@bp.get("/")
@allow(*AUDITORS)
def index() -> str:
    """The newest entries, searchable by subject, action, person and time."""
    form = FormReader(request.args)
    asked = {name: form.raw(name)[:200] for name in SEARCHED}
    from_at = form.optional_time("from_at", fallback=now())
    until = form.optional_time("until", fallback=now())
    before = request.args.get("before", type=int)
    before_id = before if before is not None and 0 < before <= MAX_ID else None
    with reading() as session:
        entries = audit.entries(
            session,
            subject=asked["subject"] or None,
            action=asked["action"] or None,
            who=asked["who"] or None,
            from_at=from_at,
            until=until,
            before_id=before_id,
            limit=PAGE_SIZE + 1,
        )
        total = audit.count(session)
    more = entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None
    return render_template(
        "audit.html",
        entries=entries[:PAGE_SIZE],
        total=total,
        asked=asked,
        problems=form.problems,
        more=more,
        followed=versions.FOLLOWED,
        value_text=value_text,
    )


@bp.get("/check")
@allow(*AUDITORS)
def check() -> str:
    """Whether the whole chain still holds."""
    with reading() as session:
        broken = audit.verify(session)
        total = audit.count(session)
    return render_template("audit_check.html", broken=broken, total=total)
