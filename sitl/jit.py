"""How the simulator compiles its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """The function compiled; it takes arrays, scalars and tuples of them, and allocates nothing.

    Reference counting is off (`_nrt`): kernels never own an array, and counting every row view
    with atomic operations more than doubled the time of a rendered pixel.  Division follows
    IEEE 754, without a check per division.
    """
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    return compiled
