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
    places_mm: Sequence[Sequence[float]], texts: Sequence[str], turns_deg: Sequence[float]
) -> FloatArray:
    """(n, 2) places of the texts' centres, each as near its own place as earlier ones allow.

    places_mm : (n, 2), y downwards.  A text in the way is passed above or below it.
    turns_deg : of each text; its box is that of the turned text.
    """
    placed: list[FloatArray] = []
    found = np.array(places_mm, dtype=np.float64).reshape(-1, 2)
    for index, (text, turn_deg) in enumerate(zip(texts, turns_deg, strict=True)):
        half = _half_size_mm(text, turn_deg)
        for move in range(MAX_MOVES):
            step = (move + 1) // 2 * (1 if move % 2 else -1)
            centre = found[index] + [0.0, 0.5 * LINE_MM * step]
            if not any(_meet(centre, half, box) for box in placed):
                found[index] = centre
                break
        placed.append(np.concatenate([found[index], half]))
    return found


def _half_size_mm(text: str, turn_deg: float) -> FloatArray:
    width, height = LETTER_MM * len(text), LINE_MM
    cosine, sine = abs(np.cos(np.radians(turn_deg))), abs(np.sin(np.radians(turn_deg)))
    return np.array([width * cosine + height * sine, width * sine + height * cosine]) / 2.0


def _meet(centre: FloatArray, half: FloatArray, box: FloatArray) -> bool:
    return bool((np.abs(centre - box[:2]) < half + box[2:]).all())
