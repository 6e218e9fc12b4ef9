"""Things that tests put into an application: requests, a plan, a mission, a built scene."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import rasterio
from affine import Affine
from sqlalchemy.orm import Session

from droneteam import db, jobs
from droneteam.evidence import checking, exporting
from droneteam.evidence import service as evidence
from droneteam.fleet import service as fleet
from droneteam.fleet.views import PlanView, RequestDraft, RequestView
from droneteam.missions import service as missions
from droneteam.missions.views import MissionSpec, MissionView
from droneteam.photogrammetry import service as scenes
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene import Measurement
from droneteam.settings import Settings
from tests.web.conftest import Site

SCENE_LAT, SCENE_LON = 50.81970, 4.39080
AREA = (
    (50.81985, 4.39055),
    (50.81985, 4.39105),
    (50.81955, 4.39105),
    (50.81955, 4.39055),
)
M_PER_PX = 0.01
ORTHO_PX = (1400, 900)


def draft(now: datetime, **changed: Any) -> RequestDraft:
    """A photogrammetry of an accident, in three hours."""
    values: dict[str, Any] = {
        "kind": fleet.RequestKind.PHOTOGRAMMETRY,
        "title": "Collision of two cars, avenue F. Roosevelt",
        "priority": "P1",
        "start_at": now + timedelta(hours=3),
        "end_at": now + timedelta(hours=5),
        "lat_deg": SCENE_LAT,
        "lon_deg": SCENE_LON,
        "polygon": AREA,
        "legal_basis": "CPP 44/11",
        "contact": "officer 3, 02 000 00 00",
    }
    return RequestDraft(**{**values, **changed})


def ask(site: Site, login: str = "requester", **changed: Any) -> RequestView:
    """A request of the login's zone."""
    now = site.clock()
    with db.session_scope(site.engine) as session:
        return fleet.submit_request(session, site.actor(login), draft(now, **changed), now)


def publish(site: Site) -> PlanView:
    """The plan for all that is asked, in force."""
    coordinator = site.actor("coordinator")
    plan = fleet.draft_plan(site.engine, coordinator, site.clock())
    with db.session_scope(site.engine) as session:
        return fleet.publish_plan(session, coordinator, plan.id, plan.base_plan_id, site.clock())


def plan_mission(site: Site) -> MissionView:
    """A mission in draft for the first assignment of the plan in force."""
    with db.session_scope(site.engine) as session:
        plan = fleet.current_plan(session, site.actor("coordinator"))
        assert plan is not None
        pilot, first = site.actor("pilot"), plan.assignments[0]
        return missions.plan_mission(session, pilot, first.id, MissionSpec(), site.clock())


def built_scene(site: Site, login: str = "requester") -> int:
    """The id of a scene of the login's zone, with products on disk and one measurement."""
    now, owner = site.clock(), site.actor(login)
    with db.session_scope(site.engine) as session:
        row = SceneRow(
            organisation_id=owner.organisation_id,
            name="Collision, avenue F. Roosevelt",
            photos_folder="photos/1",
            folder="scenes/scene-000001",
            params={},
            created_at=now,
            built_at=now,
        )
        session.add(row)
        session.flush()
        folder = site.settings.data_dir / row.folder
        row.summary = summary(write_products(folder))
        session.flush()
        _measure(session, site, row.id, now)
        return row.id


def _measure(session: Session, site: Site, scene_id: int, now: datetime) -> None:
    investigator = site.actor("investigator")
    known = Measurement("skid 1", "distance", 7.352, "m", 7.346, 7.358, "multi-ray", ("a", "b"))
    nan = float("nan")
    unknown = Measurement(
        "kerb", "height", nan, "m", nan, nan, "surface", determined=False, note="add oblique photos"
    )
    for measurement in (known, unknown):
        scenes.record_measurement(session, investigator, scene_id, measurement, now)


def write_products(folder: Path) -> list[dict[str, Any]]:
    """An orthophoto, a cloud and a report below the folder; their rows for scene.json."""
    products = folder / "products"
    products.mkdir(parents=True, exist_ok=True)
    write_ortho(products / "orthophoto.tif")
    write_cloud(products / "cloud.laz")
    (products / "report.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    kinds = {"orthophoto.tif": "orthophoto", "cloud.laz": "cloud", "report.pdf": "report"}
    return [
        {
            "kind": kind,
            "path": f"products/{name}",
            "media_type": "application/octet-stream",
            "sha256": hashlib.sha256((products / name).read_bytes()).hexdigest(),
            "size_bytes": (products / name).stat().st_size,
        }
        for name, kind in kinds.items()
    ]


def write_ortho(path: Path, west_m: float = -7.0, north_m: float = 4.5) -> None:
    """A road with a kerb and two cars, 1 cm per pixel; the corners hold nothing.

    west_m, north_m : of the top-left corner, in UTM zone 31 N.
    """
    width, height = ORTHO_PX
    y, x = np.mgrid[0:height, 0:width]
    grain = ((x * 7919 + y * 104729) % 23).astype(np.int16)
    image = np.stack([90 + grain, 92 + grain, 96 + grain])
    image[:, 200:215] = 190
    image[:, 440:446, ::120] = 230
    for left, top, colour in ((420, 320, (160, 30, 40)), (700, 500, (30, 70, 150))):
        for band, value in enumerate(colour):
            image[band, top : top + 180, left : left + 430] = value + grain[0, :430]
    mask = np.full((height, width), 255, dtype=np.uint8)
    mask[:80, :80] = 0
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 4,
        "dtype": "uint8",
        "transform": Affine(M_PER_PX, 0.0, west_m, 0.0, -M_PER_PX, north_m),
        "crs": "EPSG:32631",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.clip(image, 0, 255).astype(np.uint8), [1, 2, 3])
        raster.write(mask, 4)
        raster.colorinterp = [*raster.colorinterp[:3], rasterio.enums.ColorInterp.alpha]
        raster.build_overviews([2, 4])


def write_cloud(path: Path, count: int = 60_000) -> None:
    """A flat road with two boxes on it, in metres about the scene's origin."""
    rng = np.random.default_rng(1)
    xyz = rng.uniform([-7, -4.5, 0], [7, 4.5, 0.02], size=(count, 3))
    rgb = np.full((count, 3), 95, dtype=np.uint16)
    for left, south, colour in ((-2.8, -0.5, (170, 40, 50)), (0.0, -2.3, (40, 80, 170))):
        box = (
            (xyz[:, 0] > left)
            & (xyz[:, 0] < left + 4.3)
            & (xyz[:, 1] > south)
            & (xyz[:, 1] < south + 1.8)
        )
        xyz[box, 2] = 1.45 + 0.03 * rng.standard_normal(box.sum())
        rgb[box] = colour
    header = laspy.LasHeader(point_format=2, version="1.4")
    header.scales = np.full(3, 0.001)
    las = laspy.LasData(header)
    las.x, las.y, las.z = xyz.T
    las.red, las.green, las.blue = (rgb << 8).T
    las.write(path)


def summary(products: list[dict[str, Any]]) -> dict[str, Any]:
    """A scene.json as the pipeline writes it."""
    names = ("photos", "sfm", "adjust", "dense", "surface", "export")
    return {
        "format": "droneteam-scene-1",
        "state": "complete",
        "photos": {"total": 42, "usable": 41, "registered": 41, "unregistered": []},
        "frame": {
            "kind": "enu",
            "origin": {"lat_deg": SCENE_LAT, "lon_deg": SCENE_LON, "alt_ellipsoid_m": 100.0},
            "metric": True,
            "note": "heights above the WGS84 ellipsoid",
        },
        "datum": {
            "vertical": "WGS84 ellipsoid",
            "statement": "heights above the WGS84 ellipsoid, not above the geoid",
        },
        "reprojection_px": 0.42,
        "accuracy": {
            "scale_source": "ground control points",
            "vertical_scale": {"determined": True, "statement": "The vertical scale is known."},
            "sigma_frame_m": [0.002, 0.002, 0.004],
            "n_control": 5,
            "n_check": 4,
            "check_rms_enu_m": [0.004, 0.005, 0.009],
            "rows": [],
        },
        "gsd_m": 0.008,
        "warnings": ["2 photos were left out: they are blurred"],
        "stages": [
            {
                "name": name,
                "state": "done",
                "folder": name,
                "digest": f"d-{name}",
                "wall_s": 12.5,
                "cpu_s": 20.0,
                "software": {"droneteam": "test"},
            }
            for name in names
        ],
        "products": products,
    }


def case_with_item(site: Site, folder: Path, content: bytes = b"\xff\xd8 photo") -> int:
    """The id of a case of zone 5339 that holds one file."""
    source = folder / "photo.jpg"
    source.write_bytes(content)
    now, investigator = site.clock(), site.actor("investigator")
    zone = site.actor("requester").organisation_id
    with db.session_scope(site.engine) as session:
        case = evidence.open_case(
            session, investigator, evidence.CaseDraft(zone, "Collision", "CPP 44/11"), now
        )
        item = evidence.NewItem(source, "photos", "photo.jpg", "photo", "sortie:1", {})
        evidence.add_item(session, investigator, case.id, item, store_of(site.settings), now)
        return case.id


def export_case(site: Site, case_id: int, reason: str) -> int:
    """The number of a sealed bag of the case that a worker has written and verified."""
    at, investigator = site.clock(), site.actor("investigator")
    with db.session_scope(site.engine) as session:
        store = store_of(site.settings)
        exporting.request_export(session, investigator, case_id, reason, store, at)
    for handlers in (exporting.HANDLERS, checking.HANDLERS):
        assert jobs.run_once(site.engine, site.settings, handlers)
    with db.read_scope(site.engine) as session:
        return evidence.get_case(session, investigator, case_id).exports[-1].id


def store_of(settings: Settings) -> Path:
    """Where evidence lies."""
    return settings.blob_dir("evidence")
