"""Where texts stand on a drawing so that none hides another; pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from droneteam.photogrammetry.scene import FloatArray

LETTER_MM = 1.35
"""Mean width of a letter at 7.5 pt, rather too wide than too narrow."""
LINE_MM = 3.8
"""Height of a line of text with its box."""
MAX_MOVES = 40


def spread(
    places_mm: Sequence[Sequence[float]],
    texts: Sequence[str],
    turns_deg: Sequence[float],
    taken: Sequence[FloatArray] = (),
) -> FloatArray:
    """(n, 2) places of the texts' centres, each as near its own place as earlier ones allow.

    places_mm : (n, 2), y downwards.  A turned text in the way is passed along its line, where it
    still stands at what it names; where that does not help, and for level texts, above or below.
    turns_deg : of each text, clockwise as drawn.  taken : (4, 2) corners of what must stay free.
    """
    placed = list(taken)
    found = np.array(places_mm, dtype=np.float64).reshape(-1, 2)
    for index, (text, turn_deg) in enumerate(zip(texts, turns_deg, strict=True)):
        own = corners(found[index], LETTER_MM * len(text), LINE_MM, turn_deg)
        free = (m for m in _moves(turn_deg, text) if not any(meet(own + m, box) for box in placed))
        move = next(free, np.zeros(2))
        found[index] += move
        placed.append(own + move)
    return found


def corners(
    centre_mm: FloatArray, width_mm: float, height_mm: float, turn_deg: float
) -> FloatArray:
    """(4, 2) corners of a turned box in order."""
    cosine, sine = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    signs = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    flat = 0.5 * signs * [width_mm, height_mm]
    return np.asarray(centre_mm + flat @ np.array([[cosine, sine], [-sine, cosine]]))


def _moves(turn_deg: float, text: str) -> list[FloatArray]:
    """Ways to go, nearest first."""
    along = np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    steps = [0.5 * LINE_MM * ((k + 1) // 2) * (1 if k % 2 else -1) for k in range(MAX_MOVES)]
    own_line = 0.5 * LETTER_MM * len(text)
    turned = [step * along for step in steps if turn_deg and abs(step) <= own_line]
    upright = [np.array([0.0, step]) for step in steps]
    return [*turned, *upright]


def meet(a: FloatArray, b: FloatArray) -> bool:
    """Whether two convex (4, 2) boxes overlap: no side of either parts them (separating axis)."""
    for box in (a, b):
        sides = np.roll(box, -1, axis=0) - box
        for normal in np.column_stack([-sides[:2, 1], sides[:2, 0]]):
            on_a, on_b = a @ normal, b @ normal
            if on_a.max() <= on_b.min() + 1e-9 or on_b.max() <= on_a.min() + 1e-9:
                return False
    return True
