"""Numbers in the reader's language, with as many digits as are known."""

from __future__ import annotations

import math
from typing import Literal, get_args

from droneteam.errors import InputError
from droneteam.photogrammetry.scene import Measurement

Language = Literal["nl", "fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
DIAGRAM_SCALES = (50, 100, 200, 250, 500)
"""1:50 to 1:500, the largest first."""


def check_language(language: str) -> None:
    """Nothing for one of LANGUAGES; InputError for another."""
    if language not in LANGUAGES:
        raise InputError(f"language {language!r} is not nl, fr or en", field="language")


def number(value: float, digits: int, language: Language) -> str:
    """A number with a fixed count of decimals, a comma in Dutch and French; a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}".replace("-", "−")
    return text if language == "en" else text.replace(".", ",")


def length_text(value_m: float, language: Language) -> str:
    """A small length in millimetres, a larger one in metres, with sensible digits."""
    if not math.isfinite(value_m):
        return "–"
    if abs(value_m) < 0.1:
        return f"{number(1e3 * value_m, 1, language)} mm"
    return f"{number(value_m, 3, language)} m"


def digits_of(measured: Measurement) -> int:
    """Decimals that show the interval's width to two figures, at most millimetres' tenths."""
    width = measured.ci95_high - measured.ci95_low
    if not width > 0.0:
        return 3
    return int(min(4, max(0, 1 - math.floor(math.log10(width)))))


def value_text(measured: Measurement, language: Language) -> str:
    """Value and half of the 95 % interval's width, "12.345 m ± 0.012"; empty without a value."""
    if not measured.determined:
        return ""
    digits = digits_of(measured)
    half = 0.5 * (measured.ci95_high - measured.ci95_low)
    value = number(measured.value, digits, language)
    return f"{value} {measured.unit} ± {number(half, digits, language)}"
