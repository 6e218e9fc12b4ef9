"""The control of a scene: what its parameters' files say, and what people marked instead."""

from __future__ import annotations

from droneteam.photogrammetry.control import (
    NO_CONTROL,
    Control,
    merge,
    read_control,
    read_kept_marks,
    with_marks,
)
from droneteam.photogrammetry.scene_params import SceneParams


def read_scene_control(params: SceneParams) -> Control:
    """Control points, check points and scale bars of the files that the parameters name.

    Raises
    ------
    InputError
        Names the file, the line and what is wrong with it.
    """
    parts = []
    if params.gcp_path is not None:
        parts.append(read_control(params.gcp_path))
    if params.check_path is not None:
        parts.append(read_control(params.check_path, role="check"))
    if params.scale_bars_path is not None:
        parts.append(read_control(params.scale_bars_path))
    control = merge(*parts) if parts else NO_CONTROL
    if params.marks_path is None:
        return control
    return with_marks(control, *read_kept_marks(params.marks_path))
