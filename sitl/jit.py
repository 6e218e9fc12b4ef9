"""How the simulator compiles its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Lens = tuple[float, float, float, float, float, float]
"""focal_px, cx_px, cy_px, k1, k2, largest squared distorted radius."""
Rgb = tuple[float, float, float]
Rgbg = tuple[float, float, float, float]
"""Linear red, green, blue, and gloss."""
Vector = tuple[float, float, float]
Function = TypeVar("Function", bound=Callable[..., Any])


_njit: Callable[..., Any] = njit
"""numba's own annotations leave out `_nrt`."""


def kernel(function: Function) -> Function:
    """The function compiled; it takes arrays, scalars and tuples of them, and allocates nothing.

    Reference counting is off (`_nrt`): kernels never own an array, and counting every row view
    with atomic operations more than doubled the time of a rendered pixel.  Division follows
    IEEE 754, without a check per division.
    """
    compiled: Function = _njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    return compiled
