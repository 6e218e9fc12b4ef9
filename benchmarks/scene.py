"""What a scene costs: wall and CPU seconds and peak memory per stage, on a folder of photos.

    python -m benchmarks.scene PHOTOS [--camera FILE.json] [--truth FOLDER] [--preset normal]
    python -m benchmarks.scene PHOTOS --again OUT    (what taking everything over costs)

With `--truth`, a folder of `<photo>.camera` files (K, zeros, camera-to-world rotation, centre,
size: the layout of C. Strecha's benchmark), the error of the camera centres after the best
similarity is printed as well.  DRONETEAM_DASK runs it on a cluster.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import cluster
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_files import camera_from_file
from droneteam.photogrammetry.scene_params import PRESETS, STAGES, SceneParams
from droneteam.photogrammetry.surface.overlap import few_words

FloatArray = NDArray[np.float64]


def main() -> int:
    args = _arguments()
    params = SceneParams(
        preset=args.preset,
        camera=None if args.camera is None else camera_from_file(args.camera),
        until=args.until,
        threads=os.cpu_count() or 1,
    )
    with tempfile.TemporaryDirectory() as folder:
        out = args.again or Path(folder)
        with cluster.executor(os.environ.get(cluster.VARIABLE), params.threads) as executor:
            scene = build_scene(args.photos, out, params, progress=_report, executor=executor)
        sys.stderr.write("\n")
        print(table(scene))
        if scene.coverage is not None and scene.advice is not None:
            print(f"{few_words(scene.coverage)}\n{scene.advice.statement}")
        if args.truth is not None and scene.network is not None:
            print(f"camera centres: {centre_errors(scene, args.truth)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--camera", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--preset", choices=PRESETS, default="normal")
    parser.add_argument("--until", choices=STAGES, default="export")
    parser.add_argument("--again", type=Path)
    return parser.parse_args()


def _report(stage: str, fraction: float, message: str) -> None:
    sys.stderr.write(f"\r\x1b[K{stage} {fraction:.0%} {message[:60]}")


def table(scene: Scene) -> str:
    """One line per stage, a total, and CPU seconds per megapixel of photo."""
    lines = [f"{'stage':10s}{'wall s':>10s}{'CPU s':>10s}{'peak MB':>10s}{'s/Mpx':>10s}"]
    pixels = sum(photo.width_px * photo.height_px for photo in scene.photos.photos) / 1e6
    rows = [(r.manifest.stage, r.manifest.usage, r.state) for r in scene.stages]
    for name, usage, state in rows:
        peak_mb = (usage.peak_memory_bytes or 0) / 1e6
        lines.append(
            f"{name:10s}{usage.wall_s:10.1f}{usage.cpu_s:10.1f}{peak_mb:10.0f}"
            f"{usage.cpu_s / pixels:10.2f}{'  taken over' if state == 'reused' else ''}"
        )
    wall_s = sum(usage.wall_s for _, usage, _ in rows)
    cpu_s = sum(usage.cpu_s for _, usage, _ in rows)
    peak_mb = max((usage.peak_memory_bytes or 0) for _, usage, _ in rows) / 1e6
    total = f"{wall_s:10.1f}{cpu_s:10.1f}{peak_mb:10.0f}{cpu_s / pixels:10.2f}"
    lines.append(f"{'total':10s}{total}")
    lines.append(f"{scene.n_registered}/{len(scene.photos.photos)} photos, {pixels:.0f} Mpx")
    return "\n".join(lines)


def centre_errors(scene: Scene, truth: Path) -> str:
    """RMS and largest distance of the camera centres from the truth, in its unit."""
    assert scene.network is not None
    found = np.array([view.centre_enu_m for view in scene.network.views])
    known = np.array([_centre(truth / f"{view.name}.camera") for view in scene.network.views])
    errors = np.linalg.norm(_aligned(found, known) - known, axis=1)
    return f"RMS {np.sqrt(np.mean(errors**2)) * 1000:.2f} mm, largest {errors.max() * 1000:.2f} mm"


def _centre(path: Path) -> FloatArray:
    numbers = [float(word) for word in path.read_text().split()]
    return np.array(numbers[21:24])


def _aligned(source: FloatArray, target: FloatArray) -> FloatArray:
    """The source after the least-squares similarity to the target (Umeyama 1991)."""
    s, t = source - source.mean(axis=0), target - target.mean(axis=0)
    u, d, vt = np.linalg.svd(t.T @ s)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (d * sign).sum() / (s**2).sum()
    return np.asarray(scale * s @ ((u * sign) @ vt).T + target.mean(axis=0))


if __name__ == "__main__":
    sys.exit(main())
