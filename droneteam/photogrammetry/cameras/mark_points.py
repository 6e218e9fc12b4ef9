"""Which marks of a named point can be relied on; pure.

People click on the wrong nail.  A mark that contradicts the others of its point is left out and
named with its photo, instead of pulling the point or the cameras away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.consensus import GROSS_SIGMA, AgreedPoint, agreed_point
from droneteam.photogrammetry.cameras.triangulation import Optics, optics
from droneteam.photogrammetry.control import Control, Mark
from droneteam.photogrammetry.scene import FloatArray, View

CAMERA_SLACK_PX = 2.0
"""How far adjusted cameras may put a good mark off by themselves."""
ROUGH_SLACK = 0.03
"""The same before the adjustment, over the focal length: a first calibration is wrong by a per
cent or two at the photo's edge."""


@dataclass(frozen=True, slots=True, eq=False)
class RoughPoints:
    """Control's usable marks and where they put their points in the views' frame, and words."""

    marks: tuple[Mark, ...]
    points: dict[str, FloatArray]
    notes: tuple[str, ...]


def rough_points(control: Control, views: Sequence[View]) -> RoughPoints:
    """The marked control points and ends of bars, through cameras that are not adjusted yet.

    Raises
    ------
    InputError
        A mark outside its photo.
    """
    require_inside(control.marks, views)
    arrays = optics(views)
    slack_px = ROUGH_SLACK * float(arrays.intrinsics[:, 0].max(initial=0.0))
    marks: list[Mark] = []
    points: dict[str, FloatArray] = {}
    notes: list[str] = []
    for name in _names(control, "control"):
        own = marks_in(name, control.marks, views)
        found = mark_consensus(own, views, arrays, slack_px=slack_px)
        if found is None:
            notes.append(_no_point(name, own))
            continue
        points[name] = found.found.point
        marks += [m for m, agrees in zip(own, found.agrees, strict=True) if agrees]
        notes += wrong_marks(own, found)
    return RoughPoints(tuple(marks), points, tuple(notes))


@dataclass(frozen=True, slots=True)
class CheckMarks:
    """All marks but the check points' wrong ones, and words on those."""

    marks: tuple[Mark, ...]
    notes: tuple[str, ...]


def check_marks(control: Control, views: Sequence[View]) -> CheckMarks:
    """Which marks of check points and check bars agree with the adjusted cameras.

    They are not in the adjustment, so its robust weights do not judge them; one mark on the wrong
    nail would otherwise move a check point by metres and accuse the scene.
    """
    arrays = optics(views)
    names = _names(control, "check")
    good = [m for m in control.marks if m.point not in names]
    notes: list[str] = []
    for name in names:
        own = marks_in(name, control.marks, views)
        found = mark_consensus(own, views, arrays, slack_px=CAMERA_SLACK_PX)
        if found is None:
            notes.append(_no_point(name, own))
            continue
        good += [m for m, agrees in zip(own, found.agrees, strict=True) if agrees]
        notes += wrong_marks(own, found)
    return CheckMarks(tuple(good), tuple(notes))


def _names(control: Control, role: str) -> list[str]:
    """The points and bar ends of a role, each once."""
    named: Iterable[str] = [
        *(p.name for p in control.points if p.role == role),
        *(end for b in control.bars if b.role == role for end in (b.a, b.b)),
    ]
    return list(dict.fromkeys(named))


def require_inside(marks: Sequence[Mark], views: Sequence[View]) -> None:
    """Nothing, when every mark lies in its photo.

    Raises
    ------
    InputError
        Names the point, the photo and its size.
    """
    camera_of = {view.name: view.camera for view in views}
    for mark in marks:
        camera = camera_of.get(mark.photo)
        if camera is None:
            continue
        if not (0 <= mark.x_px <= camera.width_px and 0 <= mark.y_px <= camera.height_px):
            raise InputError(
                f"mark of {mark.point} in {mark.photo} at ({mark.x_px}, {mark.y_px}) lies outside "
                f"its {camera.width_px}×{camera.height_px} pixels"
            )


def marks_in(name: str, marks: Sequence[Mark], views: Sequence[View]) -> tuple[Mark, ...]:
    """The marks of a point in photos that have a place."""
    placed = {view.name for view in views}
    return tuple(m for m in marks if m.point == name and m.photo in placed)


def mark_consensus(
    own: Sequence[Mark],
    views: Sequence[View],
    arrays: Optics,
    *,
    slack_px: float = CAMERA_SLACK_PX,
) -> AgreedPoint | None:
    """The point that these marks of it agree on; None when they do not give one.

    slack_px : how far off the cameras alone may put a good mark.
    """
    if len(own) < 2:
        return None
    index_of = {view.name: i for i, view in enumerate(views)}
    return agreed_point(
        arrays,
        np.array([index_of[m.photo] for m in own], dtype=np.int64),
        np.array([(m.x_px, m.y_px) for m in own]),
        np.array([m.sigma_px for m in own]),
        np.full(len(own), slack_px / GROSS_SIGMA),
    )


def wrong_marks(own: Sequence[Mark], found: AgreedPoint) -> list[str]:
    """The marks that were left out, in words."""
    others = int(found.agrees.sum())
    return [
        f"mark of {m.point} in {m.photo} is of a point behind that photo; not used"
        if not np.isfinite(off_px)
        else f"mark of {m.point} in {m.photo} lies {off_px:.0f} px from where the {others} others "
        "put it; not used: check that photo"
        for m, agrees, off_px in zip(own, found.agrees, found.off_px, strict=True)
        if not agrees
    ]


def _no_point(name: str, own: Sequence[Mark]) -> str:
    photos = ", ".join(sorted(m.photo for m in own))
    if not own:
        return f"{name}: not marked in any oriented photo; not used"
    if len(own) < 2:
        return f"{name}: marked in one oriented photo only ({photos}); not used"
    return f"{name}: its {len(own)} marks contradict each other ({photos}); not used"
