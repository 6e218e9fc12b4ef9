"""The geographical zones that missions are checked against: read, loaded, withdrawn."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import BadRequest

from droneteam.errors import DecodeError, InputError
from droneteam.missions import service, zonestore
from droneteam.missions.airspace.checks import ZoneVolume
from droneteam.missions.zonestore import StoredZone
from droneteam.web.access import allow, takes_files
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.mission_map import map_texts
from droneteam.web.refusals import said
from droneteam.web.strict import strict_json

bp = Blueprint("geozones", __name__, url_prefix="/geozones")

PAGE_ZONES = 50
"""Rows of the table at a time; a country publishes some hundred zones."""

MAX_FILE_BYTES = 50_000_000


@bp.get("/")
@allow(*zonestore.READERS)
def index() -> str:
    """The zones on a map and in a table; for who keeps them, the form for a publication."""
    return _page({}, {})


@bp.post("/")
@allow(*zonestore.KEEPERS)
@takes_files(MAX_FILE_BYTES)
def publish() -> Any:
    """What a source publishes now, whole: loaded, or the form again with what is wrong."""
    source = request.form.get("source", "")
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return _page({"file": _("Choose a file.")}, request.form), 422
    try:
        document = document_of(sent.read())
        with writing() as session:
            count, gone = service.publish_zones(session, actor(), document, source, now())
    except (DecodeError, InputError) as error:
        field = getattr(error, "field", None) or "file"
        return _page({field: said(error)}, request.form), 422
    flash(_("Zones loaded: %(count)s; withdrawn: %(gone)s.", count=count, gone=len(gone)), "done")
    return redirect(url_for("geozones.index"))


@bp.post("/<id:zone_id>/withdraw")
@allow(*zonestore.KEEPERS)
def withdraw(zone_id: int) -> Any:
    """The zone is checked no longer; why is on record."""
    with writing() as session:
        reason = request.form.get("reason", "")[:500]
        identifier = service.withdraw_zone(session, actor(), zone_id, reason, now())
    flash(_("Zone %(zone)s is withdrawn.", zone=identifier), "done")
    return redirect(url_for("geozones.index"))


def document_of(content: bytes) -> object:
    """The JSON document of an uploaded file.

    Raises
    ------
    DecodeError
        It is no JSON in UTF-8.
    """
    try:
        return strict_json(content.removeprefix(BOM_UTF8))
    except BadRequest as error:
        raise DecodeError(f"no JSON in UTF-8 that can be used: {error.description}") from error


def _page(problems: dict[str, str], values: Any) -> str:
    """The map of all zones, and of the table the part that was searched for."""
    me = actor()
    search = request.args.get("q", "").strip()[:100]
    with reading() as session:
        stored = service.list_zones(session, me)
    found = [row for row in stored if _holds(row, search)]
    first = min(max(request.args.get("from", 0, type=int), 0), max(len(found) - 1, 0))
    rows = found[first : first + PAGE_ZONES]
    after = first + PAGE_ZONES
    return render_template(
        "geozones.html",
        stored=stored,
        rows=rows,
        found=len(found),
        search=search,
        first=first,
        before=max(first - PAGE_ZONES, 0) if first else None,
        after=after if after < len(found) else None,
        problems=problems,
        values=values,
        sources=sorted({row.source for row in stored}),
        heights=[[_limits(volume) for volume in row.zone.volumes] for row in rows],
        island_data={"zones": [_drawn(row) for row in stored], "texts": map_texts()},
        may_keep=me.has_role(*zonestore.KEEPERS),
    )


def _holds(row: StoredZone, search: str) -> bool:
    """Whether the zone says anywhere what was searched for."""
    zone = row.zone
    words = (zone.name, zone.identifier, zone.message, zone.authority, row.source)
    return all(
        any(part in (text or "").casefold() for text in words) for part in search.casefold().split()
    )


def _limits(volume: ZoneVolume) -> str:
    """From where to where, each with what it is measured from."""
    low = _("ground") if volume.lower_m is None else _height(volume.lower_m, volume.lower_reference)
    if volume.upper_m is None:
        return str(_("%(low)s and up", low=low))
    high = _height(volume.upper_m, volume.upper_reference)
    return f"{low} – {high}"


def _height(height_m: float, reference: str) -> str:
    return f"{height_m:.0f} m {reference}"


def _drawn(row: StoredZone) -> dict[str, Any]:
    zone = row.zone
    return {
        "name": zone.name,
        "detail": f"{zone.identifier} · {row.source}",
        "restriction": zone.restriction.value,
        "rings": [[list(corner) for corner in volume.polygon] for volume in zone.volumes],
    }
