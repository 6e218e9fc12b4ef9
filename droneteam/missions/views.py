"""What the missions' services take and give: frozen values, detached from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from droneteam.missions.airspace.fence import Fence
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.sentences import Severity
from droneteam.missions.airspace.volumes import RiskParams, Volumes
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.estimate import CALM, Wind
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan, SurveyParams
from droneteam.missions.planner.route import LatLon
from droneteam.missions.planner.sharing import Share
from droneteam.missions.planner.task_params import TaskParams
from droneteam.missions.planner.terrain import Terrain
from droneteam.missions.planner.terrainfile import TerrainFile
from droneteam.missions.record.sortie import Trigger


class MissionState(StrEnum):
    """Where a mission stands."""

    DRAFT = "draft"
    APPROVED = "approved"
    FLYING = "flying"
    FLOWN = "flown"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({MissionState.FLOWN, MissionState.FAILED, MissionState.CANCELLED})
"""The states of a mission that nobody flies any more."""


@dataclass(frozen=True, slots=True)
class MissionLine:
    """A mission as a list shows it, read without its plan; worst : of what the rules say."""

    id: int
    request_id: int
    assignment_id: int
    drone_name: str
    state: MissionState
    start_at: datetime
    n_photos: int
    duration_s: float
    worst: Severity


@dataclass(frozen=True, slots=True)
class MissionSpec:
    """What the pilot asks the planner for.

    home : the take-off point, None for the request's meeting point; home_alt_amsl_m : its height
    when home is None, itself None where unknown; polygon : the area, axis, wall or places that the
    parameters ask for, None for the request's own area; terrain : the raster below, None for level
    ground; wind : what time and packs reckon with; risk : what the volumes are computed with;
    people, assemblies : places of persons who are not involved, and of crowds; share : which part
    of the area this drone flies, None for all; override_reason : why a stop is lifted, by whom may
    lift it; form : the planning form as it was typed, kept so that the plan can be changed, empty
    where a program asks.
    """

    params: TaskParams = field(default_factory=lambda: SurveyParams(max_photos=60))
    camera: str = SIMULATED.name
    home: HomePoint | None = None
    home_alt_amsl_m: float | None = None
    polygon: GeoPolygon | None = None
    terrain: TerrainFile | None = None
    wind: Wind = CALM
    risk: RiskParams = field(default_factory=RiskParams)
    people: tuple[LatLon, ...] = ()
    assemblies: tuple[LatLon, ...] = ()
    share: Share | None = None
    override_reason: str | None = None
    form: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MissionPreview:
    """A plan that nobody has kept yet, and what the rules say of it."""

    plan: MissionPlan
    findings: tuple[Finding, ...]
    volumes: Volumes
    fence: Fence
    terrain: Terrain | None = None


@dataclass(frozen=True, slots=True)
class MissionView:
    """A mission as pilots and coordinators see it."""

    id: int
    organisation_id: int
    request_id: int
    assignment_id: int
    drone_id: int
    drone_name: str
    pilot_id: int
    state: MissionState
    start_at: datetime
    end_at: datetime
    camera: str
    plan: MissionPlan
    findings: tuple[Finding, ...]
    mission_hash: str
    created_at: datetime
    approved_at: datetime | None
    approved_by: int | None
    volumes: Volumes | None = None
    fence: Fence | None = None

    @property
    def polygon(self) -> GeoPolygon:
        """The surveyed area."""
        return self.plan.area

    @property
    def n_photos(self) -> int:
        """Photos expected."""
        return self.plan.n_photos

    @property
    def duration_s(self) -> float:
        """Time from take-off to landing expected."""
        return self.plan.duration_s


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One line of a sortie's record: a check, an event or a decision."""

    at: datetime
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class OnboardLogView:
    """The vehicle's own log of a sortie.

    source : the protocol that brought it; name : on the vehicle; began_at, ended_at : calendar
    time within uncertainty_s, None where the vehicle had none; note : what is odd about it.
    """

    path: Path
    sha256: str
    size_bytes: int
    source: str
    name: str
    fetched_at: datetime
    began_at: datetime | None
    ended_at: datetime | None
    uncertainty_s: float | None
    note: str


@dataclass(frozen=True, slots=True)
class SortieView:
    """A flown sortie; the track itself is read from the log at log_path.

    onboard_log : None where it was not fetched.
    """

    id: int
    organisation_id: int
    mission_id: int
    drone_id: int
    ending: str
    reason: str
    started_at: datetime
    ended_at: datetime
    took_off_at: datetime | None
    landed_at: datetime | None
    log_path: Path
    log_sha256: str
    log_complete: bool
    packets: int
    distance_m: float
    max_alt_home_m: float
    triggers: tuple[Trigger, ...]
    checklist: tuple[ChecklistItem, ...]
    onboard_log: OnboardLogView | None = None


@dataclass(frozen=True, slots=True)
class RegisteredFlight:
    """A flight that is known to the authority, ours or somebody else's.

    uas_ids : Remote ID serial numbers or session ids; polygon : (lat_deg, lon_deg) corners;
    max_height_m : above take-off, None for no limit; own : a mission of the team.
    """

    reference: str
    operator_id: str
    uas_ids: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    polygon: GeoPolygon
    max_height_m: float | None = None
    own: bool = False
