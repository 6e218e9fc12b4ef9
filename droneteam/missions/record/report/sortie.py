"""A flown sortie as an accessible PDF: map, profiles, events, photos, link and log hashes.

`sortie.typ` lays it out and `sortie.json` holds the words in Dutch, French and English.  The
report holds no time of its making: the same sortie gives the same bytes, whoever makes it again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import typst

from droneteam.dates import LOCAL_ZONE, day_words, moment_words
from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.planner.chances import SearchOutlook
from droneteam.missions.record.replay import ReplayEvent, replay, thinned
from droneteam.missions.record.report.sketch import Chart, Place, chart, sketch_map
from droneteam.missions.record.sentences import OWN_WORDS, kind_told, told
from droneteam.missions.record.sortie import SortieLog
from droneteam.missions.views import SortieView

LANGUAGES = ("nl", "fr", "en")
_FILES = ("sortie.typ", "sortie.json")
_PATH_POINTS = 1500
_CHART_POINTS = 400
MAX_EVENTS = 400
"""Rows of the table; a sortie has some 150."""


@dataclass(frozen=True, slots=True)
class SortieFacts:
    """What the report shows.

    fence : (lat_deg, lon_deg) corners; ceiling_m : above take-off, None without a fence;
    photos_bound : to files, None while there is no scene; search : what was planned to be found,
    None for a flight that searched nobody.
    """

    sortie: SortieView
    log: SortieLog
    events: Sequence[ReplayEvent]
    drone: str
    fence: tuple[Place, ...] = ()
    ceiling_m: float | None = None
    photos_planned: int | None = None
    photos_bound: int | None = None
    search: SearchOutlook | None = None


def words(language: str) -> dict[str, str]:
    """The report's words in nl, fr or en; InputError for another language."""
    if language not in LANGUAGES:
        raise InputError(f"language {language!r} is none of {', '.join(LANGUAGES)}")
    table = json.loads((resources.files(__package__) / "sortie.json").read_text(encoding="utf-8"))
    return {key: row[language] for key, row in table.items()}


def sortie_pdf(facts: SortieFacts, language: str) -> bytes:
    """The report as an accessible PDF (PDF/UA-1), reproducible to the byte."""
    package = resources.files(__package__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in _FILES:
            with resources.as_file(package / file) as source:
                shutil.copyfile(source, folder / file)
        data = json.dumps(report_data(facts, language), ensure_ascii=False)
        (folder / "data.json").write_text(data, encoding="utf-8")
        made: bytes = typst.compile(
            folder / "sortie.typ", root=folder, format="pdf", pdf_standards=["ua-1"]
        )
    return made


def report_data(facts: SortieFacts, language: str) -> dict[str, Any]:
    """What the template shows."""
    t = words(language)
    sortie = facts.sortie
    day = (sortie.took_off_at or sortie.started_at).astimezone(LOCAL_ZONE)
    shown = [event for event in facts.events if event.kind != "check"][:MAX_EVENTS]
    return {
        "language": language,
        "words": t,
        "title": f"{t['title']} {sortie.id}",
        "subtitle": f"{facts.drone}, {day_words(day, language)}",
        "date": [day.year, day.month, day.day],
        "facts": _facts(facts, t, language),
        "map": _map(facts),
        "charts": [asdict(one) for one in _charts(facts, t, language)],
        "search": _search(facts.search, language),
        "events": [_event(event, t, language) for event in shown],
        "more_events": len([e for e in facts.events if e.kind != "check"]) - len(shown),
        "logs": _logs(sortie, t, language),
    }


def _facts(facts: SortieFacts, t: Mapping[str, str], language: str) -> list[tuple[str, str]]:
    sortie, log = facts.sortie, facts.log
    up, down = sortie.took_off_at, sortie.landed_at
    flown_s = (down - up).total_seconds() if up and down else None

    def n(value: float | None, digits: int, unit: str) -> str:
        return t["unknown"] if value is None else f"{number(value, digits, language)} {unit}"

    offset = None if log.time is None else log.time.ground_offset_s
    lost = log.channels.lost_share
    return [
        (t["mission"], str(sortie.mission_id)),
        (t["drone"], facts.drone),
        (t["ending"], t.get(sortie.ending, sortie.ending)),
        (t["reason"], told(sortie.reason, language) or t["none"]),
        (t["took_off"], moment_words(up, language, seconds=True) if up else t["unknown"]),
        (t["landed"], moment_words(down, language, seconds=True) if down else t["unknown"]),
        (t["uncertainty"], n(None if log.time is None else log.time.uncertainty_s, 3, "s")),
        (t["clock_offset"], n(offset, 3, "s")),
        (t["duration"], n(None if flown_s is None else flown_s / 60.0, 1, "min")),
        (t["distance"], n(sortie.distance_m, 0, "m")),
        (t["highest"], n(sortie.max_alt_home_m, 1, "m")),
        (t["ceiling"], n(facts.ceiling_m, 0, "m")),
        (t["lowest_battery"], n(log.min_battery_pct, 0, "%")),
        (t["photos_planned"], _count(facts.photos_planned, t)),
        (t["photos_taken"], str(len(sortie.triggers))),
        (t["photos_bound"], _count(facts.photos_bound, t)),
        (t["lost"], n(None if lost is None else 100.0 * lost, 1, "%")),
        (t["link_losses"], str(sum(_is_loss(event) for event in facts.events))),
    ]


def _search(outlook: SearchOutlook | None, language: str) -> list[tuple[str, ...]]:
    """Each part of the probability map: name, chance, there and found, searched (in percent)."""

    def percent(share: float) -> str:
        return f"{number(100.0 * share, 1, language)} %"

    return [
        (one.name, percent(one.chance), percent(one.found), percent(one.found / one.chance))
        for one in (() if outlook is None else outlook.regions)
    ]


def _planned_chance(outlook: SearchOutlook | None) -> list[tuple[FloatArray, FloatArray]]:
    """Minutes in the air and the chance by then in percent, as planned; empty without a search."""
    if outlook is None or len(outlook.over_time) < 2:
        return []
    at_s, chance = np.array([(0.0, 0.0), *outlook.over_time]).T
    return [(at_s / 60.0, 100.0 * chance)]


def _count(value: int | None, t: Mapping[str, str]) -> str:
    return t["unknown"] if value is None else str(value)


def _is_loss(event: ReplayEvent) -> bool:
    return event.kind == "link" and event.detail.startswith("silent")


def _map(facts: SortieFacts) -> dict[str, Any] | None:
    track = facts.log.track
    kept = thinned(track.t_s, track.alt_home_m, _PATH_POINTS)
    path = list(zip(track.lat_deg[kept].tolist(), track.lon_deg[kept].tolist(), strict=True))
    photos = [(one.lat_deg, one.lon_deg) for one in facts.sortie.triggers]
    drawn = sketch_map(path, facts.fence, photos, path[0] if path else None)
    if drawn is None:
        return None
    return {**asdict(drawn), "scale": f"1:{round(drawn.scale):d}"}


def _charts(facts: SortieFacts, t: Mapping[str, str], language: str) -> list[Chart]:
    log, decimal = facts.log, "." if language == "en" else ","
    shown = replay(log, samples=_CHART_POINTS)
    minutes = np.array(shown.t_s) / 60.0
    heights = np.array(shown.alt_home_m)
    limits = () if facts.ceiling_m is None else (facts.ceiling_m,)
    parts = [
        (t["height"], minutes, heights, limits, None),
        (t["height_distance"], _flown_m(shown.lat_deg, shown.lon_deg), heights, limits, None),
        (t["battery"], minutes, _array(shown.battery_pct), (), 100.0),
        (t["link"], minutes, 100.0 * _array(shown.lost), (), 100.0),
        *((t["chance"], at, found, (), None) for at, found in _planned_chance(facts.search)),
    ]
    return [
        chart(title, _in_words(title, y), x, y, limits=bounds, y_top=top, decimal=decimal)
        for title, x, y, bounds, top in parts
    ]


def _in_words(title: str, y: FloatArray) -> str:
    """What a reader who cannot see the chart is told."""
    known = y[np.isfinite(y)]
    return f"{title}: {known.min():.0f} – {known.max():.0f}" if len(known) else title


def _flown_m(lat_deg: Sequence[float], lon_deg: Sequence[float]) -> FloatArray:
    """Distance flown up to each sample, on the sphere's tangent plane: for a chart's axis."""
    if not lat_deg:
        return np.zeros(0)
    lat, lon = np.radians(np.array(lat_deg)), np.radians(np.array(lon_deg))
    east = np.diff(lon) * np.cos(lat[:-1]) * 6_371_008.8
    north = np.diff(lat) * 6_371_008.8
    return np.asarray(np.concatenate([[0.0], np.cumsum(np.hypot(east, north))]))


def _array(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _event(
    event: ReplayEvent, t: Mapping[str, str], language: str
) -> tuple[str, str, str, str, str]:
    sign = "−" if event.t_s < 0 else ""
    minutes, seconds = divmod(abs(event.t_s), 60.0)
    since = f"{sign}{int(minutes)}:{seconds:04.1f}"
    at = event.at.astimezone(LOCAL_ZONE)
    clock = f"{at:%H:%M:%S}.{at.microsecond // 100_000} {at.tzname()}"
    detail = event.detail if event.kind in OWN_WORDS else told(event.detail, language)
    kind = kind_told(event.kind, language)
    return (clock, since, t.get(event.source, event.source), kind, detail)


def _logs(sortie: SortieView, t: Mapping[str, str], language: str) -> list[dict[str, str]]:
    state = t["whole"] if sortie.log_complete else t["cut"]
    kept = sortie.log_path.name
    note = f"{t['packet_log']}, {state}"
    rows = [{"name": kept, "note": note, "sha256": sortie.log_sha256}]
    onboard = sortie.onboard_log
    if onboard is None:
        rows.append({"name": t["onboard_log"], "note": t["not_fetched"], "sha256": "–"})
    else:
        odd = f"; {told(onboard.note, language)}" if onboard.note else ""
        text = f"{t['onboard_log']}, {onboard.source} {onboard.name}{odd}"
        rows.append({"name": onboard.path.name, "note": text, "sha256": onboard.sha256})
    return rows


def number(value: float, digits: int, language: str) -> str:
    """A number with a fixed count of decimals; a comma in Dutch and French."""
    text = f"{value:.{digits}f}".replace("-", "−")
    return text if language == "en" else text.replace(".", ",")
