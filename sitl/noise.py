"""Band-limited lattice noise and box-filtered edges: what procedural textures are made of.

Every function is a numba kernel on scalars.  Noise is anchored to world coordinates, so two
photos of a spot see the same pattern, and each octave fades out before its lattice falls below
the pixel's footprint on the surface, which is what keeps a texture from aliasing.
"""

from __future__ import annotations

import math

import numpy as np

from sitl.jit import kernel

_MIX_A = np.uint64(0x9E3779B97F4A7C15)
_MIX_B = np.uint64(0xC2B2AE3D27D4EB4F)
_MIX_C = np.uint64(0x165667B19E3779F9)
_S32 = np.uint64(32)
_S29 = np.uint64(29)
_S40 = np.uint64(40)
_UNIT = 1.0 / 16777216.0
_TURNS = np.stack([np.cos(1.7 * np.arange(64)), np.sin(1.7 * np.arange(64))], axis=1)
"""Directions of the lattices, by the low bits of their seeds."""

FADE_OUT_RATIO = 0.6
"""Lattice spacing over footprint at which an octave has vanished."""
FADE_SPAN = 0.9
"""How much larger that ratio must be for the octave to stand in full."""


@kernel
def hash01(ix: int, iy: int, seed: int) -> float:
    """A value in [0, 1) that looks random and depends on nothing but its arguments."""
    h = np.uint64(ix) * _MIX_A ^ np.uint64(iy) * _MIX_B ^ np.uint64(seed) * _MIX_C
    h ^= h >> _S32
    h *= _MIX_A
    h ^= h >> _S29
    h *= _MIX_B
    h ^= h >> _S32
    return float(h >> _S40) * _UNIT


@kernel
def value_noise(x: float, y: float, seed: int) -> float:
    """Smooth noise in [-1, 1] on the unit lattice."""
    fx = math.floor(x)
    fy = math.floor(y)
    ix = int(fx)
    iy = int(fy)
    u = x - fx
    v = y - fy
    u = u * u * (3.0 - 2.0 * u)
    v = v * v * (3.0 - 2.0 * v)
    a = hash01(ix, iy, seed)
    b = hash01(ix + 1, iy, seed)
    c = hash01(ix, iy + 1, seed)
    d = hash01(ix + 1, iy + 1, seed)
    low = a + (b - a) * u
    return 2.0 * (low + (c + (d - c) * u - low) * v) - 1.0


@kernel
def octave(x: float, y: float, spacing: float, footprint: float, seed: int) -> float:
    """Noise of one lattice spacing, faded by the pixel's footprint; zero below it.

    The lattice is turned by an angle of its own per seed so that octaves never line up.
    """
    weight = (spacing / footprint - FADE_OUT_RATIO) / FADE_SPAN
    if weight <= 0.0:
        return 0.0
    weight = min(weight, 1.0)
    c = _TURNS[seed & 63, 0]
    s = _TURNS[seed & 63, 1]
    inverse = 1.0 / spacing
    return weight * value_noise((c * x - s * y) * inverse, (s * x + c * y) * inverse, seed)


@kernel
def box_cover(x: float, low: float, high: float, width: float) -> float:
    """The share of the interval x ± width/2 that lies between low and high."""
    width = max(width, 1e-6)
    left = max(x - 0.5 * width, low)
    right = min(x + 0.5 * width, high)
    return min(max((right - left) / width, 0.0), 1.0)


@kernel
def stripe_cover(x: float, period: float, line: float, width: float) -> float:
    """The share of x ± width/2 that falls on lines of the given width, one at each period."""
    width = max(width, 1e-6)
    return (
        _stripe_integral(x + 0.5 * width, period, line)
        - _stripe_integral(x - 0.5 * width, period, line)
    ) / width


@kernel
def _stripe_integral(x: float, period: float, line: float) -> float:
    n = math.floor(x / period)
    return n * line + min(x - n * period, line)


@kernel
def smooth(low: float, high: float, x: float) -> float:
    """0 below low, 1 above high, a smooth ramp between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)
