"""Fills the disk under a running build: a program for a mount namespace of its own.

python -m tests.photogrammetry.full_disk FOLDER PHOTOS STAGE

Mounts a small file system on FOLDER, builds up to the stage before STAGE, leaves room for little
more, builds on, frees the room and builds again.  Prints what happened as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from droneteam.errors import SceneError
from droneteam.photogrammetry import workdir
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene_params import STAGES, SceneParams

DISK = "150m"
LEFT_BYTES = {"photos": 4_000, "sfm": 300_000, "dense": 500_000}
"""Room for the beginning of the stage, not for the whole of it."""
LEFT_OTHERWISE_BYTES = 200_000


def main(folder: Path, photos: Path, stage: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)], check=True)
    workdir.require_free = lambda *_: None  # the stage is to run into the end of the disk
    out, params = folder / "out", SceneParams(preset="preview", threads=1)
    before = STAGES[max(0, STAGES.index(stage) - 1)]  # type: ignore[arg-type]
    built = build_scene(photos, out, SceneParams(preset="preview", threads=1, until=before))
    filler = folder / "filler"
    left = LEFT_BYTES.get(stage, LEFT_OTHERWISE_BYTES)
    filler.write_bytes(bytes(max(0, workdir.free_bytes(folder) - left)))
    error = ""
    try:
        build_scene(photos, out, params)
    except SceneError as found:
        error = str(found)
    during = json.loads((out / "scene.json").read_text())
    filler.unlink()
    after = build_scene(photos, out, params)
    print(
        json.dumps(
            {
                "error": error,
                "state": during["state"],
                "last_stage": during["last_stage"],
                "kept": [r.manifest.digest for r in built.stages]
                == [r.manifest.digest for r in after.stages][: len(built.stages)],
                "states": {r.manifest.stage: r.state for r in after.stages},
                "complete": after.complete,
                "left_over": [path.name for path in (out / "stages").glob(".*")],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
