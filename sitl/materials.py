"""What surfaces are made of: procedural colours in world coordinates, as numba kernels.

Each material returns (red, green, blue, gloss): linear albedo and how mirror-like its coat is
(0 matt, GLOSS_PAINT clear coat, GLOSS_GLASS dark glass).  `footprint` is the pixel's size on the
surface in metres; noise fades and edges are box-filtered by it.  Albedos are after tables of
measured road and building materials (asphalt 0.05-0.15, concrete 0.25-0.4, grass 0.05/0.10/0.04).
"""

from __future__ import annotations

import math
from enum import IntEnum

from sitl.jit import Rgb, Rgbg, kernel
from sitl.mesh import FloatArray
from sitl.noise import box_cover, hash01, octave, smooth, stripe_cover


class Material(IntEnum):
    """The surfaces a world is built of; the numbers label reference points in the truth."""

    ASPHALT = 0
    KERB = 1
    PAVEMENT = 2
    GRASS = 3
    BRICK = 4
    PLASTER = 5
    ROOF = 6
    CAR_BODY = 7
    TYRE = 8
    RIM = 9
    BANDED = 10
    PLAIN = 11
    SCALE_BAR = 12
    LEAVES = 13


GROUND_LAST = int(Material.GRASS)
"""Materials up to this one are the ground and carry decals."""
GLOSS_PAINT = 1.0
GLOSS_GLASS = 2.0
PART_FIELDS = 12
"""Columns of the part table: red, green, blue, then the material's own numbers."""

SLAB_M = 0.30
JOINT_M = 0.006
KERB_STONE_M = 1.0
BRICK_LENGTH_M, BRICK_HEIGHT_M, MORTAR_M = 0.22, 0.075, 0.012


@kernel
def asphalt(x: float, y: float, s: float, t: float, footprint: float, seed: int) -> Rgbg:
    """Aggregate from 6 mm up, weathering, wheel tracks along the main road."""
    stones = octave(x, y, 0.007, footprint, seed + 1)
    grain = octave(x, y, 0.013, footprint, seed + 2)
    coarse = octave(x, y, 0.026, footprint, seed + 3)
    middle = octave(x, y, 0.055, footprint, seed + 4)
    wide = octave(x, y, 0.13, footprint, seed + 5) + octave(x, y, 0.34, footprint, seed + 6)
    large = octave(x, y, 1.1, footprint, seed + 7) + octave(x, y, 4.3, footprint, seed + 8)
    tone = 1.0 + 0.34 * stones + 0.30 * grain + 0.22 * coarse + 0.13 * middle
    tone += 0.07 * wide + 0.07 * large
    bright = max(grain - 0.42, 0.0) + max(stones - 0.5, 0.0)
    dark = max(-coarse - 0.45, 0.0)
    track = math.exp(-(((abs(abs(t) - 1.75) - 0.8) / 0.28) ** 2))
    tone *= 1.0 - 0.10 * track + 0.04 * octave(s * 0.12, t, 0.3, footprint, seed + 9)
    tone = max(tone + 1.3 * bright - 0.5 * dark, 0.2)
    warm = 0.03 * large + 0.05 * grain
    base = 0.100 * tone
    return base * (1.02 + warm), base, base * (0.97 - warm), 0.0


@kernel
def concrete(x: float, y: float, footprint: float, seed: int) -> float:
    """Tone of weathered concrete about 1."""
    tone = 1.0 + 0.13 * octave(x, y, 0.008, footprint, seed + 11)
    tone += 0.12 * octave(x, y, 0.017, footprint, seed + 12)
    tone += 0.09 * octave(x, y, 0.045, footprint, seed + 13)
    tone += 0.08 * octave(x, y, 0.16, footprint, seed + 14)
    tone += 0.08 * octave(x, y, 0.9, footprint, seed + 15)
    return tone


@kernel
def pavement(x: float, y: float, s: float, t: float, footprint: float, seed: int) -> Rgbg:
    """Concrete slabs in running bond; every slab has a tone of its own."""
    row = math.floor(t / SLAB_M)
    shifted = s + (0.5 * SLAB_M if int(row) % 2 else 0.0)
    column = math.floor(shifted / SLAB_M)
    shade = 0.86 + 0.28 * hash01(int(column), int(row), seed + 21)
    joint = stripe_cover(shifted + 0.5 * JOINT_M, SLAB_M, JOINT_M, footprint)
    joint = max(joint, stripe_cover(t + 0.5 * JOINT_M, SLAB_M, JOINT_M, footprint))
    far = smooth(0.15, 0.6, footprint)
    tone = concrete(x, y, footprint, seed) * (shade + (1.0 - shade) * far)
    moss = smooth(0.35, 0.9, octave(x, y, 1.7, footprint, seed + 22)) * 0.5
    tone *= 1.0 - 0.72 * joint
    tone *= 1.0 - 0.35 * moss
    return 0.27 * tone * (1 - 0.25 * moss), 0.258 * tone, 0.232 * tone * (1 - 0.4 * moss), 0.0


@kernel
def kerb(x: float, y: float, z: float, s: float, t: float, footprint: float, seed: int) -> Rgbg:
    """Kerb stones a metre long, dirtier towards the gutter."""
    tone = concrete(x + 0.31 * z, y + 0.57 * z, footprint, seed + 40)
    joint_s = stripe_cover(s + 0.5 * JOINT_M, KERB_STONE_M, JOINT_M, footprint)
    joint_t = stripe_cover(t + 0.5 * JOINT_M, KERB_STONE_M, JOINT_M, footprint)
    stone = hash01(math.floor(s / KERB_STONE_M), math.floor(t / KERB_STONE_M), seed)
    tone *= (0.9 + 0.2 * stone) * (1.0 - 0.5 * max(joint_s, joint_t))
    return 0.36 * tone, 0.35 * tone, 0.32 * tone, 0.0


@kernel
def grass(x: float, y: float, footprint: float, seed: int) -> Rgbg:
    """Blades, tufts, dry and bare patches."""
    blades = octave(x, y, 0.009, footprint, seed + 31) + octave(x, y, 0.016, footprint, seed + 32)
    tufts = octave(x, y, 0.034, footprint, seed + 33) + octave(x, y, 0.08, footprint, seed + 34)
    clumps = octave(x, y, 0.21, footprint, seed + 35) + octave(x, y, 0.6, footprint, seed + 36)
    fields = octave(x, y, 1.9, footprint, seed + 37) + octave(x, y, 6.1, footprint, seed + 38)
    tone = max(1.0 + 0.42 * blades + 0.33 * tufts + 0.16 * clumps + 0.08 * fields, 0.12)
    dry = smooth(-0.2, 1.1, 0.55 * clumps + 0.6 * fields + 0.25 * tufts)
    red = 0.055 + 0.085 * dry
    green = 0.092 + 0.040 * dry
    blue = 0.030 + 0.032 * dry
    return red * tone, green * tone, blue * tone, 0.0


@kernel
def brick(u: float, v: float, footprint: float, part: FloatArray, seed: int) -> Rgbg:
    """A brick wall with rows of windows and a door; part: colour, width, height, storeys."""
    row = math.floor(v / BRICK_HEIGHT_M)
    shifted = u + (0.5 * BRICK_LENGTH_M if int(row) % 2 else 0.0)
    column = math.floor(shifted / BRICK_LENGTH_M)
    joint = max(
        stripe_cover(v, BRICK_HEIGHT_M, MORTAR_M, footprint),
        stripe_cover(shifted, BRICK_LENGTH_M, MORTAR_M, footprint),
    )
    far = smooth(0.04, 0.15, footprint)
    shade = 0.65 + 0.7 * hash01(int(column), int(row), seed + 51)
    shade += (1.0 - shade) * far
    shade *= 1.0 + 0.15 * octave(u, v, 0.02, footprint, seed + 52)
    shade *= 1.0 + 0.12 * octave(u, v, 0.5, footprint, seed + 53)
    red = part[0] * shade + (0.33 - part[0] * shade) * joint
    green = part[1] * shade + (0.31 - part[1] * shade) * joint
    blue = part[2] * shade + (0.28 - part[2] * shade) * joint
    glass, frame = _windows(u, v, footprint, part)
    red += (0.62 - red) * frame
    green += (0.61 - green) * frame
    blue += (0.58 - blue) * frame
    keep = 1.0 - glass
    return (
        red * keep + 0.02 * glass,
        green * keep + 0.025 * glass,
        blue * keep + 0.03 * glass,
        GLOSS_GLASS * glass,
    )


@kernel
def _windows(u: float, v: float, footprint: float, part: FloatArray) -> tuple[float, float]:
    """How much of the footprint is window pane and how much its frame."""
    pitch, width, height, sill = part[3], part[4], part[5], part[6]
    storey = part[7]
    if pitch <= 0.0 or v < 0.0:
        return 0.0, 0.0
    x = u - math.floor(u / pitch) * pitch - 0.5 * pitch
    y = v - math.floor(v / storey) * storey - sill
    outer = box_cover(x, -0.5 * width, 0.5 * width, footprint)
    outer *= box_cover(y, 0.0, height, footprint)
    rim = 0.06
    left = box_cover(x, -0.5 * width + rim, -0.5 * rim, footprint)
    right = box_cover(x, 0.5 * rim, 0.5 * width - rim, footprint)
    pane = (left + right) * box_cover(y, rim, height - rim, footprint)
    return pane, max(outer - pane, 0.0)


@kernel
def plaster(u: float, v: float, footprint: float, part: FloatArray, seed: int) -> Rgbg:
    """Rendered wall with stains running down."""
    tone = 1.0 + 0.10 * octave(u, v, 0.012, footprint, seed + 61)
    tone += 0.09 * octave(u, v, 0.05, footprint, seed + 62)
    tone += 0.10 * octave(u, v * 0.2, 0.23, footprint, seed + 63)
    tone += 0.10 * octave(u, v, 1.3, footprint, seed + 64)
    tone *= 1.0 - 0.25 * smooth(0.5, 0.0, v)
    return part[0] * tone, part[1] * tone, part[2] * tone, 0.0


@kernel
def roof(u: float, v: float, footprint: float, part: FloatArray, seed: int) -> Rgbg:
    """Roof tiles in rows."""
    row = math.floor(v / 0.32)
    shifted = u + (0.12 if int(row) % 2 else 0.0)
    shade = 0.75 + 0.5 * hash01(math.floor(shifted / 0.24), int(row), seed + 71)
    edge = max(
        stripe_cover(v, 0.32, 0.03, footprint), 0.6 * stripe_cover(shifted, 0.24, 0.02, footprint)
    )
    tone = shade * (1.0 - 0.6 * edge) * (1.0 + 0.2 * octave(u, v, 0.03, footprint, seed + 72))
    return part[0] * tone, part[1] * tone, part[2] * tone, 0.0


@kernel
def leaves(x: float, y: float, z: float, footprint: float, part: FloatArray, seed: int) -> Rgbg:
    """A hedge's foliage."""
    u, v = x + 0.37 * z, y + 0.61 * z
    tone = 1.0 + 0.5 * octave(u, v, 0.02, footprint, seed + 81)
    tone += 0.45 * octave(u, v, 0.05, footprint, seed + 82)
    tone += 0.35 * octave(u + z, v - z, 0.12, footprint, seed + 83)
    tone = max(tone, 0.1)
    return part[0] * tone, part[1] * tone, part[2] * tone, 0.0


@kernel
def car_body(
    u: float, v: float, w: float, footprint: float, part: FloatArray, seed: int, x: float, y: float
) -> Rgbg:
    """Paint, panes, door gaps, lamps, arches and sills of a car.

    u : along the car, forward, metres from its middle; v : place round the section (0 centre
    below, 1 sill, 2 belt line, 3 roof rail, 4 centre line); w : height over the road, all
    before any damage.  part: colour, length, wheel x front and rear, wheel radius, screen
    base and top, rear screen top and base.
    """
    length, front, rear, radius = part[3], part[4], part[5], part[6]
    base, top, back_top, back_base = part[7], part[8], part[9], part[10]
    f = footprint
    dirt = 0.5 * octave(x, y, 0.11, f, seed) + 0.5 * octave(x, y, 0.02, f, seed + 1)
    tone = 1.0 + (0.04 + 0.08 * smooth(0.75, 0.3, w)) * dirt - 0.10 * smooth(0.5, 0.25, w)
    r, g, b = part[0] * tone, part[1] * tone, part[2] * tone
    gap = 0.0
    if 1.05 < v < 2.97:
        for door in (0.5 * (base + 0.25), -0.02 * length, back_top + 0.1):
            gap = max(gap, box_cover(u - door, -0.004, 0.004, f))
    if v > 3.1:
        gap = max(gap, box_cover(u - base - 0.09, -0.004, 0.004, f))
    if v > 2.0 and u > base:
        gap = max(gap, 0.8 * box_cover(v, 2.62, 2.66, f * 2.0))
    low = smooth(0.31, 0.27, w) if v < 2.0 else 0.0
    arch = 0.0
    if v < 2.2:
        for wheel in (front, rear):
            distance = math.hypot(u - wheel, w - radius)
            arch = max(arch, box_cover(distance, -1.0, radius + 0.045, f))
    dark = max(gap, low, arch)
    r += (0.015 - r) * dark
    g += (0.015 - g) * dark
    b += (0.016 - b) * dark
    pane = _car_panes(u, v, f, base, top, back_top, back_base)
    # What shows of the cabin through the tinted pane: seats and shelves as blurred patches.
    cabin = 0.016 * (1.0 + 0.7 * octave(u, v * 0.35, 0.33, f, seed + 2))
    r += (cabin - r) * pane
    g += (1.1 * cabin - g) * pane
    b += (1.15 * cabin - b) * pane
    r, g, b = _car_ends(u, v, w, f, length, r, g, b)
    gloss = GLOSS_PAINT * (1.0 - dark) * (1.0 - pane) + GLOSS_GLASS * pane
    return r, g, b, gloss


@kernel
def _car_panes(
    u: float, v: float, f: float, base: float, top: float, back_top: float, back_base: float
) -> float:
    """How much of the footprint is window."""
    vf = 2.2 * f
    screen = box_cover(u, top + 0.03, base - 0.04, f) * box_cover(v, 3.12, 9.0, vf)
    rear = box_cover(u, back_base + 0.05, back_top - 0.03, f) * box_cover(v, 3.15, 9.0, vf)
    lean = max(v - 2.0, 0.0)
    front_edge = base - 0.22 - (base - top - 0.05) * lean
    rear_edge = back_base + 0.30 + (back_top - back_base) * 0.7 * lean
    side = box_cover(v, 2.14, 2.86, vf) * box_cover(u, rear_edge, front_edge, f)
    side *= 1.0 - box_cover(u + 0.09, -0.045, 0.045, f)
    return max(screen, rear, side)


@kernel
def _car_ends(
    u: float, v: float, w: float, f: float, length: float, r: float, g: float, b: float
) -> Rgb:
    """Head and tail lamps, grille and plates."""
    nose = 0.5 * length - u
    tail = 0.5 * length + u
    if nose < 0.30 and 1.0 < v < 3.0:
        lamp = box_cover(w, 0.56, 0.70, f) * box_cover(nose, -1.0, 0.24, f)
        r, g, b = r + (0.70 - r) * lamp, g + (0.72 - g) * lamp, b + (0.74 - b) * lamp
    if nose < 0.1:
        grille = box_cover(w, 0.28, 0.44, f)
        r, g, b = r + (0.02 - r) * grille, g + (0.02 - g) * grille, b + (0.02 - b) * grille
    if tail < 0.28 and 1.0 < v < 3.0:
        lamp = box_cover(w, 0.68, 0.88, f) * box_cover(tail, -1.0, 0.20, f)
        r, g, b = r + (0.45 - r) * lamp, g + (0.01 - g) * lamp, b + (0.01 - b) * lamp
    return r, g, b


@kernel
def tyre(u: float, v: float, footprint: float, seed: int) -> Rgbg:
    """Rubber with tread across it."""
    tread = stripe_cover(u, 0.035, 0.008, footprint)
    tone = 1.0 - 0.4 * tread + 0.25 * octave(u, v, 0.02, footprint, seed + 91)
    return 0.028 * tone, 0.028 * tone, 0.029 * tone, 0.0


@kernel
def rim(u: float, w: float, footprint: float, part: FloatArray) -> Rgbg:
    """A wheel's five spokes; u runs round the rim, w is the radius."""
    turn = u / max(part[3], 0.05) * 5.0 / (2.0 * math.pi)
    spoke = smooth(0.30, 0.22, abs(turn - math.floor(turn) - 0.5))
    metal = max(spoke, box_cover(w, 0.0, 0.055, footprint), box_cover(w, 0.165, 0.3, footprint))
    tone = 0.05 + 0.45 * metal
    return tone, tone, tone * 1.02, GLOSS_PAINT * metal * 0.6


@kernel
def banded(v: float, footprint: float, part: FloatArray) -> Rgbg:
    """Two colours in bands up a post or a cone: part colour, band height, second colour."""
    light = stripe_cover(v - part[7], 2.0 * part[3], part[3], footprint)
    return (
        part[0] + (part[4] - part[0]) * light,
        part[1] + (part[5] - part[1]) * light,
        part[2] + (part[6] - part[2]) * light,
        0.15,
    )


@kernel
def plain(u: float, v: float, footprint: float, part: FloatArray, seed: int) -> Rgbg:
    """One colour, slightly worn; part[3] is its gloss."""
    tone = 1.0 + 0.10 * octave(u, v, 0.011, footprint, seed + 95)
    tone += 0.08 * octave(u, v, 0.04, footprint, seed + 96)
    return part[0] * tone, part[1] * tone, part[2] * tone, part[3]


@kernel
def scale_bar(u: float, v: float, top: float, footprint: float, part: FloatArray) -> Rgbg:
    """A bar with decimetre bands and a checked target at each end.

    u : along the bar from its middle, v across it; part[3] is the distance between the two
    target centres, part[4] half the bar's width
    """
    if top < 0.5:
        return 0.05, 0.05, 0.05, 0.1
    end = 0.5 * part[3]
    near = end - 2.0 * part[4]
    if abs(u) > near:
        p = box_cover(abs(u) - end, 0.0, 1.0, footprint)
        q = box_cover(v, 0.0, 1.0, footprint)
        light = p * q + (1.0 - p) * (1.0 - q)
    else:
        light = stripe_cover(u + 10.0, 0.2, 0.1, footprint)
    tone = 0.04 + 0.74 * light
    return tone, tone, tone * (0.96 if abs(u) > near else 0.75), 0.1
