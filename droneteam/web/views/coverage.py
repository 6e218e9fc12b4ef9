"""Where receivers really hear: map, directions and numbers, beside what was declared of them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.detection import coverage
from droneteam.detection.coverage import CoverageView
from droneteam.detection.service import VIEWERS
from droneteam.web import sky
from droneteam.web.access import allow
from droneteam.web.context import actor, reading
from droneteam.web.sky_words import BANDS
from droneteam.web.words import options

bp = Blueprint("coverage", __name__, url_prefix="/live/coverage")


@bp.get("/")
@allow(*VIEWERS)
def show() -> str:
    """Each receiver's reach by direction and height, as picture and table."""
    receiver, band = _asked()
    views = _views(receiver, band)
    return render_template(
        "coverage.html",
        views=views,
        receiver=receiver or "",
        band="" if band is None else str(band),
        names=[view.receiver for view in _views(None, None)],
        bands=options(BANDS),
        enough=coverage.ENOUGH,
        rose=rose,
        island_data={
            "centre": sky.CENTRE,
            "layers": [_layer(view) for view in views],
            "mapTexts": sky.map_texts(),
            "texts": {"cell": _("{receiver}: {n} messages, strongest {rssi} dBm")},
        },
    )


@bp.get("/data.json")
@allow(*VIEWERS)
def data() -> Response:
    """The same for programs."""
    return jsonify(receivers=[_layer(view) for view in _views(*_asked())])


def rose(view: CoverageView) -> dict[str, Any]:
    """A picture of the reach by direction: points of an SVG of 200 by 200, and its scale."""
    reaches = [sector.reach_m or 0.0 for sector in view.sectors]
    declared_m = view.site.range_m if view.site is not None else 0.0
    scale_m = max([declared_m, *reaches, 1.0])
    wedges = [
        sky.wedge(index, len(reaches), reach_m / scale_m * 90.0)
        for index, reach_m in enumerate(reaches)
        if reach_m > 0.0
    ]
    return {"wedges": wedges, "declared": declared_m / scale_m * 90.0, "scale_m": scale_m}


def _asked() -> tuple[str | None, int | None]:
    band = request.args.get("band", "")
    receiver = request.args.get("receiver", "")[:80]
    return receiver or None, int(band) if band in BANDS else None


def _views(receiver: str | None, band: int | None) -> list[CoverageView]:
    with reading() as session:
        return coverage.list_coverage(session, actor(), receiver=receiver, band=band)


def _layer(view: CoverageView) -> dict[str, Any]:
    site = view.site
    return {
        "receiver": view.receiver,
        "n": view.n,
        "site": None if site is None else [site.lat_deg, site.lon_deg, site.range_m],
        "halfDeg": [coverage.CELL_LAT_DEG / 2, coverage.CELL_LON_DEG / 2],
        "sectors": [[one.bearing_deg, one.reach_m, one.n] for one in view.sectors],
        "cells": [
            [round(c.lat_deg, 5), round(c.lon_deg, 5), c.band, c.n, c.best_rssi_dbm]
            for c in view.cells
        ],
        "url": url_for("coverage.show", receiver=view.receiver),
    }
