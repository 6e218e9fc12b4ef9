"""What the live feed shows: own drones, followed tracks, open alerts and receivers, for JSON.

The values carry no language: the feed's bytes are shared by every listener, and each page
brings its own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from droneteam.accounts import SYSTEM, Actor
from droneteam.db import Changes, read_scope
from droneteam.detection import reception
from droneteam.detection import service as detection
from droneteam.detection.reception import ReceiverView
from droneteam.detection.service import AlertView, TrackView
from droneteam.missions import service as missions
from droneteam.missions.service import LiveState
from droneteam.web.feed import Feed, State
from droneteam.web.looks import rows_with_operator
from droneteam.web.timefmt import iso

WITHOUT_OPERATORS = Actor(0, 0, frozenset({"manager"}), "live feed", "en")
"""Sees tracks as the roles do that need not know where an operator stands."""
TOLD_FACTS = ("drone", "in_s", "distance_m", "probability", "vertical", "advice", "zone")
"""What an alert on a page says beside its name."""
STALE_AFTER = timedelta(minutes=10)
"""A drone that has been silent for longer is no longer on the live map."""


class LiveFeeds:
    """Two feeds: with the operators' places, and without."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self.operators: frozenset[int] = frozenset()
        """The tracks whose operators the first feed shows now; the same object while they are."""
        self._feeds = {
            True: self._feed(SYSTEM, self._read_all),
            False: self._feed(
                WITHOUT_OPERATORS, lambda: read_picture(engine, WITHOUT_OPERATORS, clock())
            ),
        }

    def _feed(self, viewer: Actor, picture: Callable[[], State]) -> Feed:
        return Feed(
            lambda: read_alerts(self._engine, viewer),
            picture,
            new_bell=lambda: Changes(self._engine),
        )

    def of(self, actor: Actor) -> Feed:
        """The feed for the actor's roles."""
        return self._feeds[actor.has_role(*detection.SEES_OPERATORS)]

    def _read_all(self) -> State:
        state = read_picture(self._engine, SYSTEM, self._clock())
        shown = frozenset(rows_with_operator(state.values()))
        if shown != self.operators:
            self.operators = shown
        return state


def read_alerts(engine: Engine, viewer: Actor) -> State:
    """The open alerts, by key: few rows, read as soon as something has changed."""
    with read_scope(engine) as session:
        alerts = detection.list_alerts(session, viewer, open_only=True)
    return {row["key"]: row for row in map(alert_row, alerts)}


def read_picture(engine: Engine, viewer: Actor, now: datetime) -> State:
    """Everything else on the live map, by key."""
    with read_scope(engine) as session:
        drones = missions.live_states(session)
        meetings = missions.air_meetings(session, now)
        tracks = detection.list_tracks(session, viewer)
        receivers = reception.list_receivers(session, viewer, now)
        doubted = detection.doubted_tracks(session)
    rows = [drone_row(row) for row in drones if now - row.at < STALE_AFTER]
    rows += [meeting_row(row) for row in meetings]
    rows += [track_row(row, doubted) for row in tracks]
    rows += [_receiver(row) for row in receivers]
    return {row["key"]: row for row in rows}


def drone_row(row: LiveState) -> Mapping[str, Any]:
    """An own drone for JSON."""
    return {
        "key": f"drone:{row.drone_id}",
        "kind": "drone",
        "id": row.drone_id,
        "label": row.drone_name,
        "match": "own",
        "at": iso(row.heard_at),
        "lat_deg": round(row.lat_deg, 7),
        "lon_deg": round(row.lon_deg, 7),
        "alt_amsl_m": round(row.alt_amsl_m, 1),
        "alt_home_m": round(row.alt_home_m, 1),
        "yaw_deg": round(row.yaw_deg, 1),
        "speed_mps": round(row.speed_mps, 1),
        "battery_pct": row.battery_pct,
        "mode": row.mode,
        "phase": row.phase,
        "progress": round(row.progress, 2),
        "armed": row.armed,
        "mission_id": row.mission_id,
        "roll_deg": _rounded(row.roll_deg, 1),
        "pitch_deg": _rounded(row.pitch_deg, 1),
        "home_s": _rounded(row.home_s, 0),
        "home_battery_pct": _rounded(row.home_battery_pct, 0),
        "link_pct": _rounded(row.link_pct, 0),
        "silent_s": _rounded(row.silent_s, 0),
    }


def meeting_row(row: missions.Meeting) -> Mapping[str, Any]:
    """Two own drones that may come too close, for JSON."""
    return {
        "key": f"meeting:{row.first}|{row.second}",
        "kind": "meeting",
        "label": f"{row.first} – {row.second}",
        "first": row.first,
        "second": row.second,
        "at": iso(row.at),
        "apart_m": round(row.apart_m, 0),
        "above_m": round(row.above_m, 0),
        "case": f"meeting_{row.rank}",
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def suspects(alerts: Iterable[AlertView]) -> frozenset[int]:
    """The tracks whose identity one of the alerts doubts."""
    return frozenset(
        row.track_id for row in alerts if row.kind == "suspected_spoof" and row.track_id is not None
    )


def air_class(row: TrackView, doubted: frozenset[int]) -> str:
    """What the map draws a track as; a doubt outweighs what the track claims to be."""
    if row.id in doubted:
        return "suspect"
    return "manned" if row.manned else row.match_kind


def track_row(row: TrackView, doubted: frozenset[int]) -> Mapping[str, Any]:
    """A track for JSON."""
    return {
        "key": f"track:{row.id}",
        "kind": "track",
        "id": row.id,
        "label": row.match_subject or row.uas_id or f"#{row.id}",
        "match": air_class(row, doubted),
        "replay": row.origin == "replay",
        "uas_id": row.uas_id,
        "receivers": list(row.receivers),
        "sigma_m": round(row.sigma_m, 1),
        "ellipse": list(row.ellipse),
        "conformance": row.conformance,
        "at": iso(row.last_at),
        "lat_deg": round(row.lat_deg, 6),
        "lon_deg": round(row.lon_deg, 6),
        "height_m": None if row.height_m is None else round(row.height_m, 1),
        "speed_mps": round(row.speed_mps, 1),
        "yaw_deg": round(row.course_deg, 1),
        "operator_lat_deg": row.operator_lat_deg,
        "operator_lon_deg": row.operator_lon_deg,
    }


def alert_row(row: AlertView) -> Mapping[str, Any]:
    """An alert for JSON."""
    return {
        "key": f"alert:{row.id}",
        "kind": "alert",
        "id": row.id,
        "label": row.uas_id or "",
        "rule": row.kind,
        "at": iso(row.raised_at),
        "open": row.acknowledged_at is None,
        "escalated": row.escalated_at is not None,
        "acknowledged_by": row.acknowledged_by,
        "replay": row.origin == "replay",
        "track": None if row.track_id is None else f"track:{row.track_id}",
        "facts": {name: row.facts[name] for name in TOLD_FACTS if name in row.facts},
        "lat_deg": row.lat_deg,
        "lon_deg": row.lon_deg,
    }


def _receiver(row: ReceiverView) -> Mapping[str, Any]:
    return {
        "key": f"receiver:{row.name}",
        "kind": "receiver",
        "label": row.name,
        "transport": row.kind or None,
        "state": row.state,
        "at": None if row.heard_at is None else iso(row.heard_at),
        "received": row.received,
        "dropped": row.dropped,
        "lost": row.lost,
        "refused": row.refused,
        "connections": row.connections,
        "problem": row.problem or None,
        "lat_deg": row.lat_deg,
        "lon_deg": row.lon_deg,
        "range_m": row.range_m,
        "last_problem": row.last_problem or None,
        "failed_at": None if row.failed_at is None else iso(row.failed_at),
    }
