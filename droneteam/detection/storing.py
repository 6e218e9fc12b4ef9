"""What a watch gives as rows: tracks, their points, the payloads behind them, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from droneteam.detection.alert import AlertChange, Facts
from droneteam.detection.ellipse import ellipse_of
from droneteam.detection.gathered import Gathered, Raised
from droneteam.detection.match import Match
from droneteam.detection.models import AlertRow, RidMessage, Sighting, TrackRow
from droneteam.detection.records import Received, Track
from droneteam.detection.service import Origin

_SAME_NAMES = (
    *("uas_id", "registration", "operator_id", "lat_deg", "lon_deg", "speed_mps"),
    *("course_deg", "sigma_m", "alt_ellipsoid_m", "alt_pressure_m", "height_m"),
    *("operator_lat_deg", "operator_lon_deg", "started_at", "last_at", "manned"),
)


def store_alerts(session: Session, raised: Raised, origin: Origin = "live") -> None:
    """Keep changes of alerts, and the tracks that they are about as these are now."""
    _store_tracks(session, raised.tracks, origin)
    tracks = {track.id: track for track, _ in raised.tracks}
    gone = {change.alert.condition.track_id for change in raised.changes} - tracks.keys() - {None}
    stored = _stored(session, gone)
    for change in raised.changes:
        track_id = change.alert.condition.track_id
        known = track_id in tracks or track_id in stored
        about = _About(tracks.get(track_id or 0), track_id if known else None, origin)
        _store_change(session, change, about)
    session.flush()


def store_gathered(session: Session, part: Gathered, origin: Origin = "live") -> None:
    """Keep tracks, their ends, points and payloads."""
    _store_tracks(session, part.tracks.values(), origin)
    for track_id, conforming in part.conforming.items():
        values = {"conformance": conforming.state}
        session.execute(update(TrackRow).where(TrackRow.id == track_id).values(values))
    if part.ended:
        session.execute(update(TrackRow).where(TrackRow.id.in_(part.ended)).values(ended=True))
    named = {track.id for track, _ in part.points} | {
        one for _, one in part.heard if one is not None
    }
    stored = _stored(session, named)
    _store_points(session, [pair for pair in part.points if pair[0].id in stored])
    _store_messages(session, [(one, id_ if id_ in stored else None) for one, id_ in part.heard])


def plain_facts(facts: Facts) -> dict[str, Any]:
    """The facts as JSON keeps them."""
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in facts}


def _stored(session: Session, ids: Iterable[int | None]) -> set[int]:
    """Those of the ids that have a row; a track may have gone on as another before it had one."""
    wanted = list(ids)
    if not wanted:
        return set()
    return set(session.scalars(select(TrackRow.id).where(TrackRow.id.in_(wanted))))


def _store_tracks(session: Session, pairs: Iterable[tuple[Track, Match]], origin: Origin) -> None:
    rows = [_track_row(track, match) | {"origin": origin} for track, match in pairs]
    stored = _stored(session, (row["id"] for row in rows))
    # In one statement each: an object for each row would take longer than all that led to it.
    if new := [row for row in rows if row["id"] not in stored]:
        session.execute(insert(TrackRow), new)
    if old := [row for row in rows if row["id"] in stored]:
        session.execute(update(TrackRow), old)


def _track_row(track: Track, match: Match) -> dict[str, Any]:
    row = {name: getattr(track, name) for name in _SAME_NAMES}
    ring = ellipse_of(track)
    row |= {
        "ellipse": [round(ring.major_m, 1), round(ring.minor_m, 1), round(ring.bearing_deg)],
        "id": track.id,
        "transmitters": list(track.transmitters),
        "receivers": list(track.receivers),
        "status": int(track.status),
        "height_reference": int(track.height_reference),
        "flags": sorted(track.flags),
        "ended": False,
        "match_kind": match.kind,
        "match_subject": match.subject,
        "match_evidence": [*match.evidence, *match.deviations],
    }
    return row


def _store_points(session: Session, moved: Sequence[tuple[Track, Match]]) -> None:
    if moved:
        points = [
            {
                "track_id": track.id,
                "at": track.last_at,
                "lat_deg": track.lat_deg,
                "lon_deg": track.lon_deg,
                "height_m": track.height_m,
                "speed_mps": track.speed_mps,
                "course_deg": track.course_deg,
                "sigma_m": track.sigma_m,
                "match_kind": match.kind,
            }
            for track, match in moved
        ]
        session.execute(insert(Sighting), points)


def _store_messages(session: Session, heard: Sequence[tuple[Received, int | None]]) -> None:
    if heard:
        messages = [
            {
                "at": received.at,
                "receiver": received.receiver,
                "transport": received.transport,
                "transmitter": received.transmitter,
                "rssi_dbm": received.rssi_dbm,
                "payload_hex": received.payload.hex(),
                "track_id": track_id,
            }
            for received, track_id in heard
        ]
        session.execute(insert(RidMessage), messages)


@dataclass(frozen=True, slots=True)
class _About:
    """What an alert is about: its track as it is now, and the id of its row; None without one."""

    track: Track | None
    track_id: int | None
    origin: Origin


def _store_change(session: Session, change: AlertChange, about: _About) -> None:
    condition, track = change.alert.condition, about.track
    if change.change == "raised":
        session.add(
            AlertRow(
                kind=condition.kind,
                key=condition.key,
                track_id=about.track_id,
                origin=about.origin,
                uas_id=None if track is None else track.uas_id,
                lat_deg=None if track is None else track.lat_deg,
                lon_deg=None if track is None else track.lon_deg,
                evidence=list(condition.evidence),
                facts={"since": change.alert.since.isoformat(), **plain_facts(condition.facts)},
                raised_at=change.at,
                updated_at=change.at,
            )
        )
        return
    query = select(AlertRow).where(
        AlertRow.kind == condition.kind,
        AlertRow.key == condition.key,
        AlertRow.origin == about.origin,
        AlertRow.cleared_at.is_(None),
    )
    for row in session.scalars(query):
        row.updated_at = change.at
        if change.change == "cleared":
            row.cleared_at = change.at
            row.facts = {**row.facts, **plain_facts(condition.facts)}
        else:
            row.evidence = list(condition.evidence)
            row.facts = {**row.facts, **plain_facts(condition.facts)}
            row.uas_id = row.uas_id if track is None else track.uas_id
