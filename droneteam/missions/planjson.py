"""Plans and findings as JSON for the database and the API, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, replace
from typing import Any

from droneteam.missions.airspace.rules import Finding
from droneteam.missions.formats.chancemap import chance_map_from_json
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.planner.chances import RegionOutlook, SearchOutlook
from droneteam.missions.planner.estimate import Wind
from droneteam.missions.planner.packs import PackPart
from droneteam.missions.planner.plan import MissionPlan, PhotoPosition
from droneteam.missions.planner.profile import ProfilePoint

BESIDE = frozenset({"volumes", "fence", "home_level_known"})
"""What is stored beside a plan's own fields."""


def plan_to_json(plan: MissionPlan) -> dict[str, Any]:
    """A JSON object that holds the whole plan."""
    document = asdict(plan)
    document["items"] = [_item_to_json(item) for item in plan.items]
    document["photo_positions"] = [
        [p.lat_deg, p.lon_deg, p.alt_home_m, p.yaw_deg, p.pitch_deg] for p in plan.photo_positions
    ]
    document["profile"] = [list(astuple(point)) for point in plan.profile]
    document["area"] = [list(corner) for corner in plan.area]
    document["home_level_known"] = plan.home.alt_amsl_m is not None
    return document


def plan_from_json(document: Mapping[str, Any]) -> MissionPlan:
    """The plan of `plan_to_json`."""
    fields = {name: value for name, value in document.items() if name not in BESIDE}
    fields["home"] = _home_from_json(document)
    fields["items"] = tuple(_item_from_json(item) for item in document["items"])
    fields["photo_positions"] = tuple(PhotoPosition(*row) for row in document["photo_positions"])
    fields["area"] = tuple((lat, lon) for lat, lon in document["area"])
    fields["wind"] = Wind(**document.get("wind", {}))
    fields["parts"] = tuple(PackPart(**part) for part in document.get("parts", ()))
    fields["profile"] = tuple(ProfilePoint(*row) for row in document.get("profile", ()))
    fields["search"] = _search_from_json(document.get("search"))
    return MissionPlan(**fields)


def _home_from_json(document: Mapping[str, Any]) -> HomePoint:
    """The take-off point; plans without the mark are older and wrote an unknown height as 0."""
    home = HomePoint(**document["home"])
    if "home_level_known" not in document and home.alt_amsl_m == 0.0:
        return replace(home, alt_amsl_m=None)
    return home


def _search_from_json(document: Mapping[str, Any] | None) -> SearchOutlook | None:
    if document is None:
        return None
    chances = document["chances"]
    return SearchOutlook(
        None if chances is None else chance_map_from_json(chances),
        tuple((at_s, chance) for at_s, chance in document["over_time"]),
        tuple(RegionOutlook(**region) for region in document["regions"]),
        document["by_blocks"],
    )


def _item_to_json(item: MissionItem) -> dict[str, Any]:
    document: dict[str, Any] = {"command": item.command.name, "params": list(item.params)}
    if item.has_position:
        document |= {"lat_deg": item.lat_deg, "lon_deg": item.lon_deg}
    if item.alt_home_m is not None:
        document["alt_home_m"] = item.alt_home_m
    if any(item.extra):
        document["extra"] = list(item.extra)
    return document


def _item_from_json(document: Mapping[str, Any]) -> MissionItem:
    p1, p2, p3, p4 = document["params"]
    x, y, z = document.get("extra", (0.0, 0.0, 0.0))
    return MissionItem(
        command=MissionCommand[document["command"]],
        params=(p1, p2, p3, p4),
        lat_deg=document.get("lat_deg"),
        lon_deg=document.get("lon_deg"),
        alt_home_m=document.get("alt_home_m"),
        extra=(x, y, z),
    )


def findings_to_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """A JSON list of findings."""
    return [asdict(finding) for finding in findings]


def findings_from_json(documents: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """The findings of `findings_to_json`."""
    return tuple(Finding(**document) for document in documents)
