"""The adjust stage's result: the adjusted network, with what its photos give reason to doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from droneteam.photogrammetry.cameras.adjust import AdjustParams, adjust
from droneteam.photogrammetry.cameras.placement import Heights
from droneteam.photogrammetry.cameras.plausible import doubts
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, Progress, SfmResult
from droneteam.photogrammetry.control import Control
from droneteam.photogrammetry.ingest.photos import Photo
from droneteam.photogrammetry.scene import CameraNetwork


def adjusted_network(
    result: SfmResult,
    inputs: Sequence[PhotoInput],
    control: Control,
    heights: Heights,
    photos: Sequence[Photo],
    progress: Progress,
) -> CameraNetwork:
    """The largest group's network; its warnings end with what contradicts the photos' own heights.

    heights : which kind the inputs' positions hold; photos : as they were read, with all kinds.
    """
    params = AdjustParams(vertical_datum=heights.datum, datum_note=heights.note)
    network = adjust(result, inputs, control, params, progress)
    said = (*network.accuracy.warnings, *doubts(photos, network))
    return replace(network, accuracy=replace(network.accuracy, warnings=said))
