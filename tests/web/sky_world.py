"""A sky with one of everything, for the tests of its pages."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from droneteam import db
from droneteam.detection import rid
from droneteam.detection.models import (
    AlertRow,
    CoverageCell,
    ReceiverRow,
    RidMessage,
    Sighting,
    TrackRow,
)
from droneteam.missions import service as missions
from droneteam.missions.flight.live import LiveState
from tests.web.conftest import Site

LAT_DEG, LON_DEG = 50.82, 4.39
PAST = timedelta(minutes=8)
"""How long every track had been followed."""
CLASSES = {
    11: ("registered", "1581F4BND001", {"match_subject": "F-2026-11"}),
    12: ("operator", "1581F4BND002", {"operator_id": "BEL87astrdge12k8"}),
    13: ("unknown", "1581F4BND003", {"operator_lat_deg": 50.8181, "operator_lon_deg": 4.3881}),
    14: ("unknown", "1581F4BND004", {}),
    15: ("registered", "icao:44ce6f", {"manned": True, "match_subject": "G-POLC"}),
}
SPOOF, CONFLICT, UNREGISTERED = 41, 42, 43
NIGHT = {
    "features": [
        {
            "identifier": "EBNIGHT",
            "name": "Hospital by night",
            "restriction": "PROHIBITED",
            "applicability": [
                {
                    "permanent": "YES",
                    "schedule": [{"day": ["ANY"], "startTime": "20:00Z", "endTime": "05:00Z"}],
                }
            ],
            "geometry": [
                {
                    "lowerLimit": 0,
                    "lowerVerticalReference": "AGL",
                    "upperLimit": 120,
                    "upperVerticalReference": "AGL",
                    "uomDimensions": "M",
                    "horizontalProjection": {
                        "type": "Circle",
                        "center": [LON_DEG + 0.004, LAT_DEG + 0.002],
                        "radius": 200,
                    },
                }
            ],
        },
        {
            "identifier": "EBDAY",
            "name": "Palace",
            "restriction": "REQ_AUTHORISATION",
            "applicability": [{"permanent": "YES"}],
            "geometry": [
                {
                    "horizontalProjection": {
                        "type": "Circle",
                        "center": [LON_DEG, LAT_DEG + 0.004],
                        "radius": 150,
                    }
                }
            ],
        },
    ]
}


def fill(site: Site, drones: int = 1) -> None:
    """Everything in the air of the site, as of its clock."""
    now = site.clock()
    with db.session_scope(site.engine) as session:
        missions.update_live_states(session, [own(n, now) for n in range(1, drones + 1)])
        for index, (track_id, (kind, uas_id, extra)) in enumerate(CLASSES.items()):
            put_track(session, now, track_id, kind, uas_id, index, extra)
        session.flush()
        missions.load_geozones(session, site.actor("coordinator"), NIGHT, "test", now)
        put_alerts(session, now)
        put_receivers(session, now)


def own(number: int, now: datetime) -> LiveState:
    """An own drone near the others."""
    return LiveState(
        drone_id=number,
        drone_name=f"drone-{number:02d}",
        at=now,
        lat_deg=LAT_DEG + 0.001 * (number - 1),
        lon_deg=LON_DEG,
        alt_amsl_m=101.0,
        alt_home_m=45.0,
        yaw_deg=90.0,
        speed_mps=6.0,
        battery_pct=81.0,
        mode="AUTO",
        armed=True,
        mission_id=None,
    )


def place(index: int, ago_s: float) -> tuple[float, float]:
    """Where the index-th track was: each flies its own way east at 8 m/s."""
    east_deg = -8.0 * ago_s / (111_320.0 * math.cos(math.radians(LAT_DEG)))
    return LAT_DEG + 0.0012 * (index - 2), LON_DEG + 0.002 * index + east_deg


def put_track(
    session: Session,
    now: datetime,
    track_id: int,
    kind: str,
    uas_id: str,
    index: int,
    extra: dict[str, Any],
) -> None:
    """A track with a point every second of PAST, and its messages."""
    lat_deg, lon_deg = place(index, 0.0)
    fields: dict[str, Any] = {
        "uas_id": uas_id,
        "transmitters": [f"02:{track_id}"],
        "receivers": ["roof"] if index % 2 else ["roof", "van"],
        "status": 2,
        "lat_deg": lat_deg,
        "lon_deg": lon_deg,
        "speed_mps": 8.0,
        "course_deg": 90.0,
        "sigma_m": 6.0,
        "ellipse": [30.0, 12.0, 60.0],
        "height_m": 40.0 + 10.0 * index,
        "height_reference": 0,
        "started_at": now - PAST,
        "last_at": now,
        "flags": [],
        "ended": False,
        "match_kind": kind,
        "match_evidence": ["identity_not_registered"],
    }
    session.add(TrackRow(id=track_id, **(fields | extra)))
    session.flush()
    points = []
    for ago_s in range(int(PAST.total_seconds()), -1, -1):
        lat_deg, lon_deg = place(index, ago_s)
        points.append(
            {
                "track_id": track_id,
                "at": now - timedelta(seconds=ago_s),
                "lat_deg": lat_deg,
                "lon_deg": lon_deg,
                "height_m": 40.0 + 10.0 * index,
                "speed_mps": 8.0,
                "course_deg": 90.0,
                "sigma_m": 6.0,
            }
        )
    session.execute(insert(Sighting), points)
    put_messages(session, now, track_id, uas_id)


def put_messages(session: Session, now: datetime, track_id: int, uas_id: str) -> None:
    """An identity before the alerts were raised, and one after."""
    payload = rid.encode_pack((rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, uas_id[:20]),))
    for ago_s in (200, 30):
        session.add(
            RidMessage(
                at=now - timedelta(seconds=ago_s),
                receiver="roof",
                transport="wifi-beacon",
                transmitter=f"02:{track_id}",
                rssi_dbm=-70,
                payload_hex=payload.hex(),
                track_id=track_id,
            )
        )


def put_alerts(session: Session, now: datetime) -> None:
    """A doubted identity, a conflict with the own drone, a flight that nobody announced."""
    raised = now - timedelta(seconds=120)
    spoof = {
        "score": 0.75,
        "replayed": {"repeats": 7},
        "operator_far": {"away_km": 16.2},
        "constant_signal": {"receiver": "roof", "messages": 40, "spread_db": 0.4, "path_m": 812},
    }
    conflict = {
        "drone": "drone-01",
        "in_s": 21.5,
        "distance_m": 34.0,
        "probability": 0.41,
        "vertical": "not_comparable",
        "height_frame": "none",
        "advice": "turn_right",
        "advice_distance_m": 180.2,
        "advice_probability": 0.01,
    }
    for alert_id, kind, track_id, evidence, facts in (
        (SPOOF, "suspected_spoof", 14, ["replayed", "operator_far"], spoof),
        (CONFLICT, "conflict", 13, ["heights_not_comparable"], conflict),
        (UNREGISTERED, "unregistered_flight", 13, ["identity_not_registered"], {}),
    ):
        lat_deg, lon_deg = place(track_id - 11, 120.0)
        session.add(
            AlertRow(
                id=alert_id,
                kind=kind,
                key=f"{kind}:{track_id}",
                track_id=track_id,
                uas_id=CLASSES[track_id][1],
                lat_deg=lat_deg,
                lon_deg=lon_deg,
                evidence=evidence,
                facts={"since": (raised - timedelta(seconds=2)).isoformat(), **facts},
                raised_at=raised,
                updated_at=now,
            )
        )


def put_receivers(session: Session, now: datetime) -> None:
    """Two receivers, one with its place, and what they have heard from some cells."""
    for name, site in (("roof", (LAT_DEG, LON_DEG, 3000.0)), ("van", (None, None, None))):
        session.add(
            ReceiverRow(
                name=name,
                kind="wifi-beacon",
                state="working",
                heard_at=now,
                problem="",
                received=1200,
                dropped=0,
                updated_at=now,
                lat_deg=site[0],
                lon_deg=site[1],
                range_m=site[2],
            )
        )
    for east in range(-6, 7):
        for north in range(-3, 4):
            session.add(
                CoverageCell(
                    receiver="roof",
                    band=1 + (east + north) % 2,
                    north=math.floor(LAT_DEG / 0.002) + north,
                    east=math.floor(LON_DEG / 0.003) + east,
                    n=1 + abs(east * north) * 20,
                    best_rssi_dbm=-60 - abs(east),
                    heard_at=now,
                )
            )
