"""What a person may choose about a scene; everything else follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from droneteam.errors import InputError
from droneteam.photogrammetry.area import Corners, check_area
from droneteam.photogrammetry.scene import Camera

StageName = Literal["photos", "sfm", "adjust", "dense", "surface", "export"]
STAGES: tuple[StageName, ...] = get_args(StageName)
Preset = Literal["preview", "normal", "full"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
LANGUAGES = ("fr", "nl", "en")
_CONTROL = ("gcp_path", "check_path", "scale_bars_path", "marks_path")


@dataclass(frozen=True, slots=True)
class SceneParams:
    """How a scene is built.

    camera : a calibration for every photo, taken as exact.
    gcp_path, check_path, scale_bars_path : control, points kept out of the adjustment, lengths.
    marks_path : marks of control that people set in the browser, in place of the files' own.
    until : the last stage to run.
    area : corners that the cloud and its products are cut to, with a margin; None for all.
    epsg : reference system of the products; None for Belgian Lambert 2008 in Belgium and the UTM
    zone elsewhere.
    language, title : of the report.
    threads : processor cores to use; it does not change the result.
    """

    preset: Preset = "normal"
    camera: Camera | None = None
    gcp_path: Path | None = None
    check_path: Path | None = None
    scale_bars_path: Path | None = None
    marks_path: Path | None = None
    until: StageName = "export"
    epsg: int | None = None
    language: str = "fr"
    title: str = ""
    threads: int = 2
    area: Corners | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise InputError(
                f"preset {self.preset!r} is not one of {', '.join(PRESETS)}", field="preset"
            )
        if self.until not in STAGES:
            raise InputError(
                f"stage {self.until!r} is not one of {', '.join(STAGES)}", field="until"
            )
        if self.language not in LANGUAGES:
            raise InputError(f"language {self.language!r} is not fr, nl or en", field="language")
        if self.epsg is not None and not 1024 <= self.epsg <= 32767:
            raise InputError(f"EPSG code {self.epsg} outside [1024, 32767]", field="epsg")
        if self.threads < 1:
            raise InputError(f"threads {self.threads} is less than 1", field="threads")
        if self.area is not None:
            check_area(self.area)
        for path in (getattr(self, name) for name in _CONTROL):
            if path is not None and not path.is_file():
                raise InputError(f"there is no file {path}", field="control")


def params_document(params: SceneParams) -> dict[str, Any]:
    """The parameters as JSON can hold them, to be read by `params_of`."""
    camera = params.camera
    paths = {name: getattr(params, name) for name in _CONTROL}
    return {
        "preset": params.preset,
        "camera": None if camera is None else _camera_row(camera),
        "control": {k: None if p is None else p.absolute().as_posix() for k, p in paths.items()},
        "until": params.until,
        "epsg": params.epsg,
        "language": params.language,
        "title": params.title,
        "threads": params.threads,
        "area": None if params.area is None else [list(corner) for corner in params.area],
    }


def control_files(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Which file each control parameter named, (parameter, file name); they may be gone since."""
    paths = document["control"]
    return tuple((name, Path(paths[name]).name) for name in _CONTROL if paths.get(name) is not None)


def params_of(
    document: Mapping[str, Any],
    *,
    with_control: bool = True,
    where: Callable[[str], Path] = Path,
) -> SceneParams:
    """The parameters that `params_document` wrote.

    Without control the files need not be there any more: their work is done.
    where : the place of a file that was written down.

    Raises
    ------
    InputError
        A control file has gone, or a value is out of its range.
    """
    camera, area = document["camera"], document.get("area")
    control = document["control"] if with_control else {}
    return SceneParams(
        preset=document["preset"],
        camera=None if camera is None else Camera(**{**camera, "params": tuple(camera["params"])}),
        until=document["until"],
        epsg=document["epsg"],
        language=document["language"],
        title=document["title"],
        threads=document["threads"],
        area=None if area is None else tuple((lat, lon) for lat, lon in area),
        **{name: where(path) for name, path in control.items() if path is not None},
    )


def _camera_row(camera: Camera) -> dict[str, Any]:
    return {
        "model": camera.model,
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "params": list(camera.params),
    }
