"""The result of structure from motion on disk: sfm.json and one npz of tie points per group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from droneteam.errors import DecodeError
from droneteam.photogrammetry.cameras.sfm_types import SfmGroup, SfmResult
from droneteam.photogrammetry.scene_files import load_sparse, save_sparse, view_of_row, view_row


def save_sfm(result: SfmResult, folder: Path) -> None:
    """Write sfm.json and group-<n>.npz."""
    content = {
        "groups": [_group_row(group) for group in result.groups],
        "unregistered": [list(pair) for pair in result.unregistered],
        "calibrated": sorted(result.calibrated),
        "notes": list(result.notes),
    }
    (folder / "sfm.json").write_text(json.dumps(content, indent=1))
    for index, group in enumerate(result.groups):
        save_sparse(group.sparse, _sparse_path(folder, index))


def load_sfm(folder: Path, photo_paths: Mapping[str, Path]) -> SfmResult:
    """The result that `save_sfm` wrote; the views' files are found by their names.

    Raises
    ------
    DecodeError
        The files are missing or not what this version writes.
    """
    try:
        content = json.loads((folder / "sfm.json").read_text())
        return SfmResult(
            groups=tuple(
                _group(row, _sparse_path(folder, index), photo_paths)
                for index, row in enumerate(content["groups"])
            ),
            unregistered=tuple((name, reason) for name, reason in content["unregistered"]),
            calibrated=frozenset(content["calibrated"]),
            notes=tuple(content["notes"]),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{folder} holds no readable orientation: {error}") from error


def _sparse_path(folder: Path, index: int) -> Path:
    return folder / f"group-{index}.npz"


def _group_row(group: SfmGroup) -> dict[str, Any]:
    return {
        "views": [view_row(view) for view in group.views],
        "reprojection_px": group.reprojection_px,
        "agreeing_matches": group.agreeing_matches,
        "verified_matches": group.verified_matches,
        "mapper": group.mapper,
    }


def _group(row: Mapping[str, Any], sparse: Path, photo_paths: Mapping[str, Path]) -> SfmGroup:
    return SfmGroup(
        views=tuple(view_of_row(view, photo_paths) for view in row["views"]),
        sparse=load_sparse(sparse),
        reprojection_px=row["reprojection_px"],
        agreeing_matches=row["agreeing_matches"],
        verified_matches=row["verified_matches"],
        mapper=row["mapper"],
    )
