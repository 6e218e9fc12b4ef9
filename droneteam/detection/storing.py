"""What a watch gives as rows: tracks, their points, the payloads behind them, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from droneteam.detection.alert import AlertChange
from droneteam.detection.gathered import Gathered, Raised
from droneteam.detection.match import Match
from droneteam.detection.models import AlertRow, RidMessage, Sighting, TrackRow
from droneteam.detection.records import Received, Track

_SAME_NAMES = (
    *("uas_id", "registration", "operator_id", "lat_deg", "lon_deg", "speed_mps"),
    *("course_deg", "sigma_m", "alt_ellipsoid_m", "alt_pressure_m", "height_m"),
    *("operator_lat_deg", "operator_lon_deg", "started_at", "last_at"),
)


def store_alerts(session: Session, raised: Raised) -> None:
    """Keep changes of alerts, and the tracks that they are about as these are now."""
    _store_tracks(session, raised.tracks)
    tracks = {track.id: track for track, _ in raised.tracks}
    gone = {change.alert.condition.track_id for change in raised.changes} - tracks.keys() - {None}
    stored = _stored(session, gone)
    for change in raised.changes:
        track_id = change.alert.condition.track_id
        known = track_id in tracks or track_id in stored
        _store_change(session, change, tracks.get(track_id or 0), track_id if known else None)
    session.flush()


def store_gathered(session: Session, part: Gathered) -> None:
    """Keep tracks, their ends, points and payloads."""
    _store_tracks(session, part.tracks.values())
    for track_id, conforming in part.conforming.items():
        values = {"conformance": conforming.state}
        session.execute(update(TrackRow).where(TrackRow.id == track_id).values(values))
    if part.ended:
        session.execute(update(TrackRow).where(TrackRow.id.in_(part.ended)).values(ended=True))
    named = {track.id for track in part.points} | {one for _, one in part.heard if one is not None}
    stored = _stored(session, named)
    _store_points(session, [track for track in part.points if track.id in stored])
    _store_messages(session, [(one, id_ if id_ in stored else None) for one, id_ in part.heard])


def _stored(session: Session, ids: Iterable[int | None]) -> set[int]:
    """Those of the ids that have a row; a track may have gone on as another before it had one."""
    wanted = list(ids)
    if not wanted:
        return set()
    return set(session.scalars(select(TrackRow.id).where(TrackRow.id.in_(wanted))))


def _store_tracks(session: Session, pairs: Iterable[tuple[Track, Match]]) -> None:
    rows = [_track_row(track, match) for track, match in pairs]
    stored = _stored(session, (row["id"] for row in rows))
    # In one statement each: an object for each row would take longer than all that led to it.
    if new := [row for row in rows if row["id"] not in stored]:
        session.execute(insert(TrackRow), new)
    if old := [row for row in rows if row["id"] in stored]:
        session.execute(update(TrackRow), old)


def _track_row(track: Track, match: Match) -> dict[str, Any]:
    row = {name: getattr(track, name) for name in _SAME_NAMES}
    row |= {
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


def _store_points(session: Session, moved: Sequence[Track]) -> None:
    if moved:
        points = [
            {"track_id": t.id, "at": t.last_at, "lat_deg": t.lat_deg, "lon_deg": t.lon_deg}
            for t in moved
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


def _store_change(
    session: Session, change: AlertChange, track: Track | None, track_id: int | None
) -> None:
    condition = change.alert.condition
    if change.change == "raised":
        session.add(
            AlertRow(
                kind=condition.kind,
                key=condition.key,
                track_id=track_id,
                uas_id=None if track is None else track.uas_id,
                lat_deg=None if track is None else track.lat_deg,
                lon_deg=None if track is None else track.lon_deg,
                evidence=list(condition.evidence),
                facts={"since": change.alert.since.isoformat(), **dict(condition.facts)},
                raised_at=change.at,
                updated_at=change.at,
            )
        )
        return
    query = select(AlertRow).where(
        AlertRow.kind == condition.kind,
        AlertRow.key == condition.key,
        AlertRow.cleared_at.is_(None),
    )
    for row in session.scalars(query):
        row.updated_at = change.at
        if change.change == "cleared":
            row.cleared_at = change.at
            row.facts = {**row.facts, **dict(condition.facts)}
        else:
            row.evidence = list(condition.evidence)
            row.facts = {**row.facts, **dict(condition.facts)}
            row.uas_id = row.uas_id if track is None else track.uas_id
