"""A zone's requests: asking, the honest answer while typing, clocks, and why.

The same draft is read from the page's form and from the island that asks while somebody types,
so that both give the same answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from droneteam.accounts import TEAM_ROLES, display_names
from droneteam.errors import InputError
from droneteam.evidence import lines
from droneteam.evidence import service as evidence
from droneteam.fleet import service
from droneteam.fleet.explanations.explain import gathered
from droneteam.fleet.intake.recurrence import MAX_OCCURRENCES
from droneteam.fleet.lifecycle import FINAL, PLANNABLE, TRANSITIONS
from droneteam.fleet.terms import PRIORITIES, RequestKind, RequestState, Window
from droneteam.fleet.views import MAX_WINDOW, RequestDraft, RequestEventView, RequestView
from droneteam.places.gazetteer import Match
from droneteam.places.service import find_places
from droneteam.web import registry_words, words
from droneteam.web.access import allow
from droneteam.web.answers import answer_words
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader, polygon_text
from droneteam.web.i18n import language, sentences
from droneteam.web.pieces import asked_before, page_piece
from droneteam.web.places import places_of_the_map
from droneteam.web.refusals import said
from droneteam.web.sent import NOTHING, Sent, attempt
from droneteam.web.step_words import step_notes
from droneteam.web.timefmt import for_input
from droneteam.web.typography import colon

bp = Blueprint("requests", __name__, url_prefix="/requests")

ASKERS = ("requester", "coordinator")
READERS = ("requester", *sorted(TEAM_ROLES))
PAYLOADS = ("rgb", "thermal", "zoom")
_NOT_ASKED_YET = ("title", "legal_basis", "contact")
"""What the honest answer does not depend on."""
REPEATS = ("DAILY", "WEEKLY", "MONTHLY")
EXACT_M = 30.0
"""A place that is known no better than this wants a look at the map."""
_DEFAULT_DURATION = timedelta(hours=1)
OPEN_STATES = frozenset(RequestState) - FINAL


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """The requests that the actor may see: the open ones, then those that are over, by pieces."""
    me, at = actor(), now()
    with reading() as session:
        still_open = [] if asked_before() else service.list_open_requests(session, me, at)
        over, older = page_piece(
            lambda piece: service.request_piece(session, me, at, piece, over=True)
        )
        # The team reads them on its board, where something can be done about them.
        told = not asked_before() and not me.sees_all_organisations
        displaced = service.list_displaced(session, me) if told else []
    rows = [*sorted(still_open, key=lambda row: (row.start_at, row.id)), *over]
    return render_template(
        "requests.html",
        requests=rows,
        may_ask=me.has_role(*ASKERS),
        open_states=OPEN_STATES,
        older=older,
        displaced=displaced,
    )


@bp.get("/new")
@allow(*ASKERS)
def new() -> str:
    """An empty form, or a copy of a past request."""
    again = request.args.get("again", type=int)
    draft_id = request.args.get("draft", type=int)
    if draft_id is not None:
        with reading() as session:
            kept = service.get_request(session, actor(), draft_id, now())
        return _form({**_values_of(kept, moved=False), "draft_id": kept.id}, {})
    if again is None:
        start_at = _next_hour(now())
        with reading() as session:
            contact = service.last_contact(session, actor())
        values = {
            "contact": contact,
            "start_at": for_input(start_at),
            "end_at": for_input(start_at + _DEFAULT_DURATION),
            "priority": "P2",
            "kind": RequestKind.PHOTOGRAMMETRY.value,
        }
        return _form(values, {})
    with reading() as session:
        past = service.get_request(session, actor(), again, now())
    return _form(_values_of(past), {})


@bp.post("/new")
@allow(*ASKERS)
def submit() -> Any:
    """The new request's page, or the form again with what is wrong; nothing typed is lost."""
    if request.form.get("how") == "find" or "choose" in request.form:
        return _looked_up(request.form)
    if request.form.get("how") == "answer":
        return _form(request.form, {}, answer=_answer_to(request.form))
    keep = request.form.get("how") == "draft"
    draft, problems = read_draft(request.form, unfinished=keep)
    if draft is None:
        return _form(request.form, problems), 422
    if keep:
        return _keep_draft(draft)
    # The form's own key: sending it twice, or again after "back", makes one request.
    key = request.form.get("submit_key", "")[:80] or None
    known = None
    if key is not None:
        with reading() as session:
            known = service.sent_before(session, actor(), key, draft)
    if known is not None:
        return _sent_already(*known)
    try:
        number = _send(draft, read_slots(request.form, draft), key)
    except InputError as error:
        return _form(request.form, {error.field or "title": said(error)}), 422
    flash(_("Sent. Its number is %(id)s; the clocks run from now.", id=number), "done")
    return redirect(url_for("requests.show", request_id=number))


def _send(draft: RequestDraft, slots: Sequence[Window], key: str | None) -> int:
    """The number of the request, or of the first of a series, in the place of an opened draft."""
    me, at = actor(), now()
    opened = request.form.get("draft_id", type=int)
    with writing() as session:
        if slots:
            found = service.submit_series(session, me, draft, slots, at, submit_key=key)
            if opened is not None:
                service.drop_draft(session, me, opened, at)
            return found[0].id
        if opened is not None:
            return service.send_draft(session, me, opened, draft, at).id
        return service.submit_request(session, me, draft, at, submit_key=key).id


def _sent_already(number: int, same: bool) -> Any:
    """The request that this form made; the form again where something in it was changed since."""
    if same:
        flash(_("This was sent already. Its number is %(id)s.", id=number), "done")
        return redirect(url_for("requests.show", request_id=number))
    told = _(
        "This form was sent already, as request %(id)s, without what you changed since. "
        "Send it again only if you want a second request.",
        id=number,
    )
    return _form({**request.form, "submit_key": ""}, {"title": told}), 409


def _looked_up(fields: Mapping[str, str]) -> str:
    """The form with the places that its address may mean, or with the one that was chosen."""
    if "choose" in fields:
        lat_deg, _space, rest = fields["choose"].partition(" ")
        lon_deg, _space, address = rest.partition(" ")
        chosen = {"lat_deg": lat_deg, "lon_deg": lon_deg, "address": address}
        return _form({**fields, **chosen}, {})
    with reading() as session:
        found = find_places(session, fields.get("address", ""), language(), places_of_the_map())
    return _form(fields, {}, found)


def place_note(match: Match) -> str:
    """What somebody must know before taking the place for the one that was meant."""
    parts = []
    if match.note:
        parts.append(_("Number %(n)s is not known; this is the nearest.", n=match.note))
    if match.radius_m > EXACT_M:
        parts.append(_("within %(m)s m: tap the exact place", m=round(match.radius_m)))
    return " ".join(parts)


def _keep_draft(draft: RequestDraft) -> Response:
    """The draft's page; it replaces the draft from which the form was opened."""
    number = request.form.get("draft_id", type=int)
    with writing() as session:
        made = service.save_draft(session, actor(), draft, now(), request_id=number)
    flash(_("Kept as a draft. No clock runs, and nobody else sees it."), "done")
    return redirect(url_for("requests.show", request_id=made.id))


def read_slots(fields: Mapping[str, str], draft: RequestDraft) -> tuple[Window, ...]:
    """The repeated windows that the form asks for; empty for a single one.

    Raises
    ------
    InputError
        The number of times cannot be used.
    """
    every = fields.get("repeat", "")
    if not every:
        return ()
    rule = every
    if every in REPEATS:
        form = FormReader(fields)
        times = form.whole("times", 1, MAX_OCCURRENCES)
        if form.problems:
            raise InputError(form.problems["times"], field="times")
        rule = f"FREQ={every};COUNT={times}"
    return service.occurrences(rule, Window(draft.start_at, draft.end_at))


@bp.post("/answer")
@allow(*ASKERS)
def answer() -> Any:
    """Yes, maybe or no for what is typed so far, with the reasons; nothing is stored."""
    return jsonify(_answer_to(request.form))


def _answer_to(fields: Mapping[str, str]) -> dict[str, Any]:
    """The answer to what is typed so far, or what is still missing for one."""
    typed = {**dict.fromkeys(_NOT_ASKED_YET, "–"), **{k: v for k, v in fields.items() if v}}
    draft, problems = read_draft(typed)
    if draft is None:
        names, sign = field_names(), colon(language())
        reasons = [f"{names.get(field, field)}{sign} {text}" for field, text in problems.items()]
        return {
            "verdict": "incomplete",
            "headline": _("Not enough to answer yet."),
            "reasons": reasons,
        }
    return answer_words(draft)


@bp.get("/<id:request_id>")
@allow(*READERS)
def show(request_id: int) -> str:
    """One request: its state, clocks, the assignment and why."""
    return request_page(request_id, NOTHING)


def request_page(request_id: int, sent: Sent) -> str:
    """The request's page; sent is a form on it that was not accepted."""
    with reading() as session:
        found = service.get_request(session, actor(), request_id, now())
        files = service.list_attachments(session, actor(), request_id)
        history = service.request_history(session, actor(), request_id)
        airspace = service.list_airspace(session, actor(), request_id)
        names = display_names(session)
        explained = service.explain_request(session, actor(), request_id, now())
        may_see = actor().has_role(*evidence.READERS)
        cases = lines.cases_of_request(session, actor(), request_id) if may_see else []
    steps = next_steps(found)
    may_cancel = found.state in OPEN_STATES and actor().has_role(*ASKERS)
    return render_template(
        "request.html",
        overtaken=sent.form not in {"", *steps, *(["cancel"] if may_cancel else [])},
        request_view=found,
        why=sentences(gathered(explained.reasons)),
        help=sentences(explained.changes),
        broken=sentences(gathered(explained.broken)),
        lost=_why_lost(found, history),
        step_notes=step_notes,
        cancel_codes=[(code, cancel_reason(code)) for code in cancel_codes()],
        may_acknowledge=actor().has_role("coordinator") and found.state == "submitted",
        may_cancel=may_cancel,
        files=files,
        evidence_files=[(row.id, row.name) for row in files],
        cases=cases,
        may_open_case=may_see and actor().has_role(*evidence.WRITERS),
        history=history,
        steps=steps,
        priorities=[("", _("as asked")), *words.options(words.PRIORITIES)],
        exclusions=words.options(words.EXCLUSIONS),
        clock_options=words.options(words.CLOCKS),
        airspace=airspace,
        names=names if actor().sees_all_organisations else {},
        airspace_states=words.options(registry_words.AIRSPACE),
        sent=sent,
    )


def _why_lost(view: RequestView, history: Sequence[RequestEventView]) -> list[str]:
    """Why the request has no drone any more; empty where it has not lost one."""
    if view.state != RequestState.DISPLACED:
        return []
    last = [step for step in history if step.state == RequestState.DISPLACED][-1]
    return step_notes(last) or [_("The reason was not kept.")]


def next_steps(view: RequestView) -> set[str]:
    """What the actor may do with the request as it stands."""
    me, after = actor(), TRANSITIONS[view.state]
    open_now = view.state in OPEN_STATES and view.state != RequestState.DRAFT
    found = set()
    if view.state == RequestState.DRAFT and me.has_role(*ASKERS):
        found.add("submit")
    if open_now and me.has_role("requester", "coordinator", "pilot"):
        found.add("attach")
    if me.has_role("coordinator"):
        found |= {"stop"} if open_now else set()
        found |= {"triage"} if RequestState.TRIAGED in after else set()
        found |= {"refuse"} if RequestState.REFUSED in after else set()
    if me.has_role(*ASKERS):
        found |= {"confirm"} if RequestState.CONFIRMED in after else set()
        found |= {"book"} if view.assignment is None and RequestState.PLANNED in after else set()
    if me.has_role("pilot", "coordinator"):
        found |= {"begin"} if RequestState.IN_PROGRESS in after else set()
        found |= {"end"} if view.state == RequestState.IN_PROGRESS else set()
        found |= {"airspace"} if view.state in PLANNABLE else set()
    return found


@bp.post("/<id:request_id>/acknowledge")
@allow("coordinator")
def acknowledge(request_id: int) -> Response:
    """Received: the acknowledgement's clock stops."""
    with writing() as session:
        service.acknowledge_request(session, actor(), request_id, now())
    flash(_("Acknowledged."), "done")
    return redirect(url_for("requests.show", request_id=request_id))


@bp.post("/<id:request_id>/cancel")
@allow(*ASKERS)
def cancel(request_id: int) -> Any:
    """Cancelled, with the reason's code."""
    form = FormReader(request.form)
    confirmed_by = form.text("confirmed_by", max_length=200)

    def change(session: Session) -> None:
        code = form.raw("code")
        service.cancel_request(session, actor(), request_id, code, now(), confirmed_by=confirmed_by)

    wrong = attempt("cancel", form, change, ("code", "confirmed_by"))
    if wrong is not None:
        return request_page(request_id, wrong), wrong.status
    flash(_("Cancelled."), "done")
    return redirect(url_for("requests.show", request_id=request_id))


def read_draft(
    fields: Mapping[str, str], *, unfinished: bool = False
) -> tuple[RequestDraft | None, dict[str, str]]:
    """The draft that was typed, or None and what is wrong with it, by field."""
    form = FormReader(fields)
    at = now()
    kinds = [kind.value for kind in RequestKind]
    kind = form.choice("kind", kinds, fallback=RequestKind.PHOTOGRAMMETRY.value)
    title = form.text("title", required=True, max_length=200)
    priority = form.choice("priority", PRIORITIES, fallback="P2")
    start_at = form.time("start_at", fallback=at)
    end_at = form.time("end_at", fallback=at)
    _check_window(form, start_at, end_at, None if unfinished else at)
    lat_deg = form.number("lat_deg", -90.0, 90.0)
    lon_deg = form.number("lon_deg", -180.0, 180.0)
    address = form.text("address", max_length=200)
    polygon = form.polygon("polygon")
    legal_basis = form.text("legal_basis", required=not unfinished, max_length=200)
    contact = form.text("contact", required=not unfinished, max_length=200)
    payload = form.choice("payload", ("", *PAYLOADS), fallback="")
    notes = form.text("notes", max_length=4_000)
    if form.problems:
        return None, form.problems
    try:
        draft = RequestDraft(
            kind=RequestKind(kind),
            title=title,
            priority=priority,
            start_at=start_at,
            end_at=end_at,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            polygon=polygon,
            legal_basis=legal_basis,
            contact=contact,
            payload=payload or None,
            sensitive=form.flag("sensitive"),
            low_noise=form.flag("low_noise"),
            notes=notes,
            unfinished=unfinished,
            address=address,
        )
    except InputError as error:  # what only the whole shows: an area whose corners lie on a line
        return None, {error.field or "title": said(error)}
    return draft, {}


def _check_window(
    form: FormReader, start_at: datetime, end_at: datetime, now_at: datetime | None
) -> None:
    """Notes a window that cannot be; now_at is None for a draft, which may have passed."""
    if form.problems.keys() & {"start_at", "end_at"}:
        return  # what stands for a time that could not be read says nothing about the other
    if end_at <= start_at:
        form.fail("end_at", _("The end must be after the start."))
    elif end_at - start_at > MAX_WINDOW:
        days = MAX_WINDOW.days
        form.fail("end_at", _("At most %(n)s days; ask for several times instead.", n=days))
    elif now_at is not None and end_at <= now_at:
        form.fail("end_at", _("This time has passed already."))


def field_names() -> dict[str, str]:
    """The form's fields as it labels them."""
    return {
        "title": _("What is it about"),
        "kind": _("Kind"),
        "priority": _("Priority"),
        "start_at": _("Start"),
        "end_at": _("End"),
        "address": _("Address or crossing"),
        "lat_deg": _("Latitude"),
        "lon_deg": _("Longitude"),
        "polygon": _("Area"),
        "legal_basis": _("Legal basis"),
        "contact": _("Contact on site"),
        "payload": _("Camera"),
        "notes": _("Notes"),
    }


def cancel_codes() -> list[str]:
    """The reasons for which the agreement in force lets a request be cancelled."""
    with reading() as session:
        _, document = service.current_document(session, now())
    return [str(code) for code in document["cancellation_codes"]]


cancel_reason = words.named(words.CANCEL_REASONS)


def _form(
    values: Mapping[str, Any],
    problems: dict[str, str],
    places: Sequence[Match] | None = None,
    *,
    answer: Mapping[str, Any] | None = None,
) -> str:
    return render_template(
        "request_form.html",
        answer=answer,
        places=places,
        place_note=place_note,
        values=values,
        problems=problems,
        labels=field_names(),
        submit_key=values.get("submit_key") or uuid.uuid4().hex,
        kinds=words.options(words.KINDS),
        priorities=words.options(words.PRIORITIES),
        payloads=words.options(words.PAYLOADS),
        repeats=[
            ("", _("once")),
            ("DAILY", _("every day")),
            ("WEEKLY", _("every week")),
            ("MONTHLY", _("every month")),
        ],
    )


def _values_of(past: RequestView, *, moved: bool = True) -> dict[str, Any]:
    """A request as the form's values: moved to the next hour to ask again, or as it is."""
    start_at = _next_hour(now()) if moved else past.start_at
    return {
        "kind": past.kind,
        "title": past.title,
        "priority": past.priority,
        "start_at": for_input(start_at),
        "end_at": for_input(start_at + (past.end_at - past.start_at)),
        "lat_deg": past.lat_deg,
        "lon_deg": past.lon_deg,
        "address": past.address,
        "polygon": polygon_text(past.polygon),
        "legal_basis": past.legal_basis,
        "contact": past.contact,
        "payload": past.payload or "",
        "sensitive": past.sensitive,
        "low_noise": past.low_noise,
        "notes": past.notes,
    }


def _next_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
