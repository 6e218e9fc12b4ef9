"""Where the team flew in a year: a map through the months, and the same as a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import ngettext

from droneteam.fleet import service
from droneteam.fleet.performance.figures import READERS
from droneteam.fleet.performance.flown import FlownPlace
from droneteam.reports import yearly
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading
from droneteam.web.i18n import language
from droneteam.web.mission_map import map_texts
from droneteam.web.timefmt import duration, local_short, zone
from droneteam.web.words import KINDS

bp = Blueprint("flown", __name__, url_prefix="/statistics")


@bp.get("/<int:year>/map")
@allow(*READERS)
def show(year: int) -> str:
    """The places of a year or, with ?month=, of one month."""
    month = request.args.get("month", type=int)
    month = month if month in range(1, 13) else None
    with reading() as session:
        flown = service.flown_places(session, actor(), year)
        names = service.organisation_names(session, language())
        years = service.recorded_years(session, actor(), now())
    months = _months()
    where = zone()
    places = [(one, one.first_at.astimezone(where).month) for one in flown.places]
    rows = [one for one, its_month in places if month is None or its_month == month]
    counted: Counter[int] = Counter()
    for one, its_month in places:
        counted[its_month] += one.flights
    return render_template(
        "flown.html",
        year=year,
        years=years,
        month=month,
        months=months,
        rows=rows,
        names=names,
        unplaced=flown.unplaced,
        flights=sum(one.flights for one in rows),
        counts=[(number, name, counted[number]) for number, name in months],
        island_data={
            "places": [_drawn(one, its_month, names) for one, its_month in places],
            "month": month or 0,
            "months": [name for _, name in months],
            "texts": map_texts(),
        },
    )


def _months() -> list[tuple[int, str]]:
    return list(enumerate(yearly.month_names(language()), 1))


def _drawn(place: FlownPlace, month: int, names: dict[int, str]) -> dict[str, Any]:
    detail = (
        str(KINDS[place.kind.value]),
        names[place.organisation_id],
        local_short(place.first_at),
        ngettext("%(num)s flight", "%(num)s flights", place.flights),
        duration(60.0 * place.minutes),
        ", ".join(place.drones),
    )
    return {
        "latDeg": place.lat_deg,
        "lonDeg": place.lon_deg,
        "name": f"{place.request_id} {place.title}",
        "url": url_for("requests.show", request_id=place.request_id),
        "detail": " · ".join(detail),
        "kind": place.kind.value,
        "month": month,
        "flights": place.flights,
    }
