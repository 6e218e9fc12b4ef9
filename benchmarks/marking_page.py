"""What marking costs the server in a scene of 300 photos: ``python -m benchmarks.marking_page``.

A block of 300 photos of 20 megapixels with known cameras; one file stands for all of them, by hard
links, because decoding costs the same.  Printed are CPU milliseconds and bytes of what the pages
ask for: the marking page and the point's sheet, the previews that a list shows (the first time,
and again for another point), a mark with the new sheet, and the first look at a photo itself.
The exit status is 1 when the first preview of a photo costs more than 0.2 CPU s.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.web_site import empty_site
from droneteam import db
from droneteam.photogrammetry import service
from droneteam.photogrammetry.scene import Camera
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.web import phototiles
from tests.photogrammetry.networks import Network, block_poses, network, orbit_poses
from tests.photogrammetry.pictures import noise, write_jpeg
from tests.web import scene_world
from tests.web.conftest import Site, csrf_token

SIDE, RING = 17, 11
CAMERA = Camera("PINHOLE", 5472, 3648, (3650.0, 3650.0, 2736.0, 1824.0))
FIRST_AT_MOST_S = 0.2
LISTED = 60
"""Photos whose previews are fetched: as many as somebody scrolls through."""


def built(site: Site) -> tuple[int, Network]:
    """The scene of 300 photos and its truth."""
    poses = [*block_poses(spacing_m=2.5, side=SIDE), *orbit_poses(RING)]
    truth = network(poses, n_points=80, camera=CAMERA, seed=3)
    folder = site.settings.blob_dir("photos") / "block"
    for index, view in enumerate(truth.views):  # small ones: the build reads every photo
        write_jpeg(folder / view.name, noise(64, 48, seed=index))
    control = site.settings.blob_dir("control") / "gcp.csv"
    control.write_text(scene_world.survey(truth))
    with db.session_scope(site.engine) as session:
        new = service.NewScene("Block", folder, SceneParams(gcp_path=control))
        actor, now = site.actor("investigator"), site.clock()
        scene_id = service.create_scene(session, actor, new, site.settings, now)
    scene_world.rebuild(site, scene_id, truth)
    replace_photos(folder, truth)
    return scene_id, truth


def replace_photos(folder: Path, truth: Network) -> None:
    """Puts one photo of 20 megapixels in the place of all."""
    large = write_jpeg(folder.with_name("large.jpg"), noise(CAMERA.width_px, CAMERA.height_px))
    for view in truth.views:
        (folder / view.name).unlink()
        (folder / view.name).hardlink_to(large)


def cost(ask: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of an answer, and the answer."""
    before = time.process_time()
    answer = ask()
    assert answer.status_code == 200, answer.get_data(as_text=True)[:300]
    return time.process_time() - before, answer


def say(what: str, times_s: Sequence[float], sizes: Sequence[int]) -> None:
    ms = 1000 * statistics.median(times_s)
    worst = 1000 * max(times_s)
    kb = statistics.median(sizes) / 1000
    print(f"{what:44s}{len(times_s):5d}{ms:10.0f}{worst:10.0f}{kb:10.1f}")


def previews(
    site: Site, scene_id: int, rows: Sequence[dict[str, Any]]
) -> tuple[list[float], list[int]]:
    """CPU seconds and bytes of the previews of a point's photos."""
    client = site.client("investigator")
    times, sizes = [], []
    scale = phototiles.facts(CAMERA.width_px, CAMERA.height_px)["overview"]
    for row in rows:
        x, y = (int(row[key] / scale // 96 * 96 - 48) for key in ("x_px", "y_px"))
        path = f"/scenes/{scene_id}/photos/{row['photo']}/preview.jpg?x={x}&y={y}"
        spent, answer = cost(lambda path=path: client.get(path))
        times.append(spent)
        sizes.append(len(answer.data))
    return times, sizes


def report(site: Site, scene_id: int, truth: Network) -> float:
    """Prints the table; CPU seconds of the first preview."""
    client = site.client("investigator")
    base = f"/api/v1/scenes/{scene_id}"
    spent, answer = cost(lambda: client.get(f"/scenes/{scene_id}/marks?point=gcp_1"))
    spent, answer = cost(lambda: client.get(f"/scenes/{scene_id}/marks?point=gcp_1"))
    say("page", [spent], [len(answer.data)])
    spent, answer = cost(lambda: client.get(f"{base}/sheet?point=gcp_1"))
    rows = answer.get_json()["predictions"]
    say(f"sheet of a point in {len(rows)} photos", [spent], [len(answer.data)])
    first, sizes = previews(site, scene_id, rows[:LISTED])
    say("preview, first of its photo", first, sizes)
    say("preview, again", *previews(site, scene_id, rows[:LISTED]))
    other = client.get(f"{base}/sheet?point=cp_1").get_json()["predictions"]
    seen = {row["photo"] for row in rows[:LISTED]}
    say(
        "preview, another point",
        *previews(site, scene_id, [r for r in other if r["photo"] in seen]),
    )
    token = {"X-CSRFToken": csrf_token(client)}
    marks = []
    for row in rows[:4]:
        body = {"point": "gcp_1", **{key: row[key] for key in ("photo", "x_px", "y_px")}}
        marks.append(cost(lambda body=body: client.post(f"{base}/marks", json=body, headers=token)))
    say("mark, with the new sheet", [m[0] for m in marks], [len(m[1].data) for m in marks])
    photo, level = rows[0]["photo"], phototiles.levels(CAMERA.width_px, CAMERA.height_px) - 1
    path = f"/scenes/{scene_id}/photos/{photo}/tiles/{level}/3/3.jpg"
    spent, answer = cost(lambda: client.get(path))
    say("the photo's own pixels, first tile", [spent], [len(answer.data)])
    return float(np.median(first))


def main() -> int:
    with empty_site() as site:
        scene_id, truth = built(site)
        print(f"{len(truth.views)} photos of {CAMERA.width_px} × {CAMERA.height_px} pixels")
        print(f"{'':44s}{'n':>5s}{'CPU ms':>10s}{'worst':>10s}{'kB':>10s}")
        first_s = report(site, scene_id, truth)
    return 0 if first_s <= FIRST_AT_MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
