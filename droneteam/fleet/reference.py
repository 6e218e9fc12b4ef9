"""The reference data of a new installation: organisations, agreement, drones, packs and pilots.

Serials and registrations are of the right form and belong to nobody.  The agreement's numbers
are the defaults agreed for version 1; a manager replaces them by adding a version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM, OrganisationKind, add_organisation
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import store_version
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.head import lock_head

ZONES = {
    "5339": ("Bruxelles-Capitale-Ixelles", "Brussel-Hoofdstad-Elsene", "Brussels-Capital-Ixelles"),
    "5340": ("Bruxelles-Ouest", "Brussel-West", "Brussels West"),
    "5341": ("Midi", "Zuid", "Midi"),
    "5342": (
        "Uccle/Watermael-Boitsfort/Auderghem (Marlow)",
        "Ukkel/Watermaal-Bosvoorde/Oudergem (Marlow)",
        "Uccle/Watermael-Boitsfort/Auderghem (Marlow)",
    ),
    "5343": ("Montgomery", "Montgomery", "Montgomery"),
    "5344": ("Bruxelles-Nord (Polbruno)", "Brussel-Noord (Polbruno)", "Brussels North (Polbruno)"),
}
FEDERAL = {
    "FED-ROAD": (
        "Police fédérale de la route",
        "Federale wegpolitie",
        "Federal Road Police",
    ),
    "FED-JUD": (
        "Police judiciaire fédérale",
        "Federale gerechtelijke politie",
        "Federal Judicial Police",
    ),
    "FED-DAS": (
        "Direction de la sécurité publique",
        "Directie openbare veiligheid",
        "Directorate of Public Security",
    ),
}

SLA_V1: dict[str, Any] = {
    "service_hours": {
        "core_start": "07:00",
        "core_end": "23:00",
        "holidays_on_call": True,
        "core_prep_min": 10,
        "on_call_prep_min": 40,
        "daylight_kinds": ["photogrammetry"],
    },
    "classes": {
        "P0": {
            "acknowledge": {"seconds": 60},
            "decision": {"seconds": 180},
            "on_scene": {"seconds": 1200, "on_call_seconds": 3600},
            "lead_time_days": 0,
            "setup_min": 0,
            "reactive": True,
            "emergency": True,
            "exempt": True,
            "displaces": ["P2", "P3", "P4"],
        },
        "P1": {
            "acknowledge": {"seconds": 120},
            "decision": {"seconds": 300},
            "on_scene": {"seconds": 1800, "on_call_seconds": 4500},
            "lead_time_days": 0,
            "setup_min": 0,
            "reactive": True,
            "emergency": True,
            "exempt": True,
            "displaces": ["P3", "P4"],
        },
        "P2": {
            "acknowledge": {"seconds": 900},
            "decision": {"seconds": 3600},
            "on_scene": {"seconds": 5400, "slot_offset_s": 900},
            "lead_time_days": 0,
            "setup_min": 0,
            "reactive": True,
            "emergency": False,
            "exempt": False,
            "displaces": ["P4"],
        },
        "P3": {
            "acknowledge": {"working_days": 1},
            "decision": {"days_before_start": 5},
            "on_scene": {"slot_offset_s": -1800},
            "lead_time_days": 10,
            "setup_min": 30,
            "reactive": False,
            "emergency": False,
            "exempt": False,
            "displaces": [],
        },
        "P4": {
            "acknowledge": {"days": 3},
            "decision": {"days": 10},
            "on_scene": {"slot_offset_s": 0},
            "lead_time_days": 20,
            "setup_min": 0,
            "reactive": False,
            "emergency": False,
            "exempt": False,
            "displaces": [],
        },
    },
    "escalation": [
        {"fraction": 0.5, "to": "coordinator"},
        {"fraction": 0.8, "to": "duty_officer"},
        {"fraction": 1.0, "to": "crisis_centre"},
    ],
    "entitlement": {
        "yearly_crew_hours": 6000,
        "weights": {
            "5339": 30,
            "5340": 16,
            "5341": 16,
            "5342": 12,
            "5343": 10,
            "5344": 16,
            "FED-ROAD": 8,
            "FED-JUD": 8,
            "FED-DAS": 8,
            "CRISIS": 4,
        },
        "default_weight": 1,
        "floor": {"priority": "P3", "crew_minutes": 240},
    },
    "exclusions": ["weather", "airspace_refused", "scene_unsafe"],
    "cancellation_codes": [
        "requester_withdrew",
        "event_cancelled",
        "weather",
        "airspace_refused",
        "team_unavailable",
    ],
}
"""Agreement version 1.  P0's numbers: acknowledged in 60 s, decided in 3 min, on the scene in
20 min in hours and 60 min on call; P1 2, 5, 30 and 75 min; P2 15 min, 1 h, 90 min or the slot
within 15 min; P3 1 working day, 5 days before, 30 min before the slot; P4 3 days, 10 days, slot."""

_BASES = {
    "Etterbeek": (50.82680, 4.39560),
    "Anderlecht": (50.83620, 4.30870),
}

_SERVICE = [
    {"name": "inspection", "every_flight_h": 50.0, "every_days": 182},
    {"name": "overhaul", "every_flight_h": 300.0, "every_days": 730},
]


@dataclass(frozen=True, slots=True)
class _DroneSeed:
    name: str
    model: str
    pack_type: str
    payload: str
    base: str
    flight_h: float
    low_noise: bool = False
    sensitive: bool = True


_DRONES = (
    _DroneSeed("drone-01", "Matrice 350 RTK", "TB65", "H20T", "Etterbeek", 31.5),
    _DroneSeed("drone-02", "Matrice 350 RTK", "TB65", "H20T", "Anderlecht", 22.0),
    _DroneSeed("drone-03", "Matrice 30T", "TB30", "M30T camera", "Etterbeek", 40.2),
    _DroneSeed("drone-04", "Matrice 30T", "TB30", "M30T camera", "Anderlecht", 18.9),
    _DroneSeed("drone-05", "Mavic 3 Enterprise", "Mavic 3", "M3E camera", "Etterbeek", 12.4),
    _DroneSeed("drone-06", "Mavic 3 Enterprise", "Mavic 3", "M3E camera", "Anderlecht", 9.7),
    _DroneSeed("drone-07", "Mavic 3 Thermal", "Mavic 3", "M3T camera", "Etterbeek", 28.1),
    _DroneSeed("drone-08", "Mavic 3 Thermal", "Mavic 3", "M3T camera", "Anderlecht", 14.6),
    _DroneSeed("drone-09", "Mini 4 Pro", "Mini 4", "Mini camera", "Etterbeek", 5.3, True, False),
    _DroneSeed("drone-10", "Mini 4 Pro", "Mini 4", "Mini camera", "Anderlecht", 6.8, True, False),
)

_PAYLOADS: dict[str, tuple[list[str], list[str]]] = {
    "H20T": (["rgb", "thermal", "zoom"], ["Matrice 350 RTK"]),
    "M30T camera": (["rgb", "thermal", "zoom"], ["Matrice 30T"]),
    "M3E camera": (["rgb", "zoom", "photogrammetry"], ["Mavic 3 Enterprise"]),
    "M3T camera": (["rgb", "thermal", "zoom"], ["Mavic 3 Thermal"]),
    "Mini camera": (["rgb"], ["Mini 4 Pro"]),
    "P1": (["rgb", "photogrammetry"], ["Matrice 350 RTK"]),
}
"""Photogrammetry takes a mechanical or global shutter and RTK: the M3E's 4/3 camera and the P1."""

_LIMITS = {
    "Matrice 350 RTK": (12.0, 7.6),
    "Matrice 30T": (12.0, 7.6),
    "Mavic 3 Enterprise": (12.0, 0.0),
    "Mavic 3 Thermal": (12.0, 0.0),
    "Mini 4 Pro": (10.7, 0.0),
}
"""(gust in m/s, rain in mm/h): the maker's wind resistance; the models of class IP55 take moderate
rain, which ends at 7.6 mm/h (AMS glossary), the others none."""

_PACK_TYPES = {
    # endurance with reserve, charge on the scene, packs per flight, rated cycles, packs owned
    "TB65": (38, 60, 2, 400, 12),
    "TB30": (30, 40, 2, 400, 12),
    "Mavic 3": (32, 70, 1, 300, 16),
    "Mini 4": (24, 70, 1, 200, 8),
}


def seed_reference(session: Session, now: datetime) -> None:
    """The reference data, written once; an installation that has drones is left as it is."""
    _organisations(session)
    if session.scalar(select(models.Drone.id).limit(1)) is not None:
        return
    lock_head(session)
    store_version(session, SYSTEM, SLA_V1, effective_from=now - timedelta(days=366), now=now)
    today = to_local(now).date()
    _pack_rows(session)
    _drone_rows(session, today)
    _pilot_rows(session, today)
    session.flush()


def _organisations(session: Session) -> None:
    for code, names in ZONES.items():
        add_organisation(session, code=code, kind=OrganisationKind.ZONE, names=names)
    for code, names in FEDERAL.items():
        add_organisation(session, code=code, kind=OrganisationKind.FEDERAL, names=names)
    add_organisation(
        session,
        code="CRISIS",
        kind=OrganisationKind.CRISIS_CENTRE,
        names=("Centre de crise", "Crisiscentrum", "Crisis centre"),
    )
    add_organisation(
        session,
        code="DRONE",
        kind=OrganisationKind.DRONE_TEAM,
        names=("Équipe drones", "Droneteam", "Drone team"),
    )


def _pack_rows(session: Session) -> None:
    for name, (endurance, charge, per_flight, max_cycles, owned) in _PACK_TYPES.items():
        session.add(
            models.BatteryType(
                name=name,
                endurance_min=endurance,
                charge_min=charge,
                per_flight=per_flight,
                max_cycles=max_cycles,
            )
        )
        session.flush()
        for index in range(1, owned + 1):
            session.add(
                models.Battery(
                    label=f"{name} {index:02d}",
                    type=name,
                    cycles=11 * index % 120,
                    health_pct=100 - index % 9,
                )
            )


def _drone_rows(session: Session, today: date) -> None:
    for name, (gust_mps, rain_mm_h) in _LIMITS.items():
        session.add(models.DroneModel(name=name, max_gust_mps=gust_mps, max_rain_mm_h=rain_mm_h))
    for index, seed in enumerate(_DRONES, start=1):
        lat_deg, lon_deg = _BASES[seed.base]
        drone = models.Drone(
            name=seed.name,
            model=seed.model,
            serial=f"SN-{index:04d}",
            operator_registration="BELdroneteam0001",
            remote_id_serial=f"1581F{index:015d}",
            firmware="07.01.10.03",
            base_name=seed.base,
            base_lat_deg=lat_deg,
            base_lon_deg=lon_deg,
            pack_type=seed.pack_type,
            low_noise=seed.low_noise,
            sensitive_allowed=seed.sensitive,
            flight_h=seed.flight_h,
            cycles=round(2.5 * seed.flight_h),
            in_service_since=today - timedelta(days=120),
            maintenance_rules=_SERVICE,
        )
        session.add(drone)
        session.flush()
        _payload_row(session, f"PL-{index:04d}", seed.payload, drone.id)
    _payload_row(session, "PL-0101", "P1", None)


def _payload_row(session: Session, serial: str, model: str, drone_id: int | None) -> None:
    able, fits = _PAYLOADS[model]
    session.add(
        models.Payload(
            serial=serial, model=model, capabilities=able, fits_models=fits, drone_id=drone_id
        )
    )


def _pilot_rows(session: Session, today: date) -> None:
    """Seven pilots; pilots 1, 2, 4 and 6 are trained for photogrammetry."""
    for number in range(1, 8):
        pilot = models.Pilot(name=f"pilot {number}")
        session.add(pilot)
        session.flush()
        kinds = ["A2", "national"]
        if number <= 5:
            kinds.append("STS-01")
        if number <= 3:
            kinds.append("STS-02")
        if number in (1, 2, 4, 6):
            kinds.append("photogrammetry")
        for kind in kinds:
            session.add(_credential_row(pilot.id, number, kind, today))
        for days_ago in (8, 21, 40, 63):
            flown_on = today - timedelta(days=days_ago + number)
            session.add(models.PilotFlight(pilot_id=pilot.id, flown_on=flown_on))


def _credential_row(pilot_id: int, number: int, kind: str, today: date) -> models.Credential:
    """Five years for EU certificates (2019/947, article 12 and UAS.OPEN.030), two for others."""
    years = 5 if kind in ("A2", "STS-01", "STS-02") else 2
    valid_from = today - timedelta(days=100 + 30 * number)
    return models.Credential(
        pilot_id=pilot_id,
        kind=kind,
        number=f"BEL-RP-{number:04d}-{kind}",
        valid_from=valid_from,
        valid_until=valid_from + timedelta(days=365 * years),
    )
