"""From hits to light: the kernels that colour a photo's pixels.

A pixel whose neighbours all lie on its own smooth surface is shaded once, at its centre, its
textures filtered by its footprint; a pixel on an edge is shaded at several samples and averaged.
"""

from __future__ import annotations

import math

from sitl.decals import apply_decals
from sitl.jit import Lens, Rgb, Rgbg, Vector, kernel
from sitl.light import sky_over_ground, sun_share
from sitl.materials import (
    GROUND_LAST,
    Material,
    asphalt,
    banded,
    brick,
    car_body,
    grass,
    kerb,
    leaves,
    pavement,
    plain,
    plaster,
    rim,
    roof,
    scale_bar,
    tyre,
)
from sitl.mesh import Float32Array, FloatArray, IntArray
from sitl.noise import smooth, value_noise
from sitl.raster import undistort_factor

SMOOTH_COSINE = 0.97
"""Neighbouring pixels whose normals agree better than this see one surface."""
SMOOTH_DEPTH = 0.02
"""… and whose depths agree within this share."""
COAT_REFLECTANCE = 0.04
"""Mirror reflection of clear coat and glass straight on (index 1.5)."""
GLINT_SHARPNESS = 500.0
"""Exponent of the sun's image in paint and glass: a spot some 5° wide."""
CLOUD_RADIANCE = 1.5

MeshArrays = tuple[FloatArray, FloatArray, FloatArray, IntArray, Float32Array]
"""Points, normals, texture, triangles, share of the sky at every vertex."""
SurfaceArrays = tuple[IntArray, IntArray, FloatArray, int]
"""Materials and parts of the triangles, part table, seed."""
DecalArrays = tuple[FloatArray, IntArray, IntArray, FloatArray]
"""Rows, starts, items, grid (see `decals.DecalIndex`)."""
LightArrays = tuple[
    FloatArray, FloatArray, FloatArray, float, Float32Array, Float32Array, FloatArray
]
"""Sun, shadow axes, corner, cell and heights, share of the sky on the ground and its grid."""


@kernel
def find_edges(
    ident: IntArray,
    depth: Float32Array,
    triangles: IntArray,
    normals: FloatArray,
    materials: IntArray,
    slots: IntArray,
) -> int:
    """Number the pixels that differ from a neighbour in surface; how many there are.

    ident, depth : from `raster.rasterise`; slots : same shape, filled with -1 beforehand
    """
    rows, columns = ident.shape
    count = 0
    for i in range(rows):
        for j in range(columns):
            m, z = ident[i, j], depth[i, j]
            edge = False
            for a in range(max(i - 1, 0), min(i + 2, rows)):
                for b in range(max(j - 1, 0), min(j + 2, columns)):
                    n = ident[a, b]
                    if n != m and not edge:
                        edge = (
                            m < 0
                            or n < 0
                            or materials[m] != materials[n]
                            or abs(z - depth[a, b]) > SMOOTH_DEPTH * z
                            or _bend(normals, triangles[m, 0], triangles[n, 0]) < SMOOTH_COSINE
                        )
            if edge:
                slots[i, j] = count
                count += 1
    return count


@kernel
def _bend(normals: FloatArray, p: int, q: int) -> float:
    """Cosine of the angle between two vertices' normals."""
    return float(
        normals[p, 0] * normals[q, 0]
        + normals[p, 1] * normals[q, 1]
        + normals[p, 2] * normals[q, 2]
    )


@kernel
def shade_rows(
    ident: IntArray,
    slots: IntArray,
    sample_ident: IntArray,
    samples: int,
    first_row: int,
    lens: Lens,
    table: FloatArray,
    cam_from_enu: FloatArray,
    centre: FloatArray,
    mesh: MeshArrays,
    surfaces: SurfaceArrays,
    decals: DecalArrays,
    light: LightArrays,
    sky: FloatArray,
    out: Float32Array,
) -> None:
    """Linear radiance of every pixel of a band of rows.

    ident, slots, sample_ident : triangles at the pixels' centres and, in the pixels that
    `slots` numbers, at their samples; cam_from_enu : (3, 3); sky : (4, 3) colours of sun,
    zenith, horizon and bounced light; out : (rows, columns, 3)
    """
    share = 1.0 / samples
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            slot = slots[i, j]
            if slot < 0:
                r, g, b = _shade(
                    ident[i, j], j + 0.5, i + first_row + 0.5, 1.0, lens, table,
                    cam_from_enu, centre, mesh, surfaces, decals, light, sky,
                )  # fmt: skip
            else:
                r = g = b = 0.0
                for k in range(samples * samples):
                    sr, sg, sb = _shade(
                        sample_ident[slot, k], j + (k % samples + 0.5) * share,
                        i + first_row + (k // samples + 0.5) * share, share, lens, table,
                        cam_from_enu, centre, mesh, surfaces, decals, light, sky,
                    )  # fmt: skip
                    r, g, b = r + sr, g + sg, b + sb
                scale = share * share
                r, g, b = r * scale, g * scale, b * scale
            out[i, j, 0], out[i, j, 1], out[i, j, 2] = r, g, b


@kernel
def _shade(
    m: int,
    u: float,
    v: float,
    size: float,
    lens: Lens,
    table: FloatArray,
    cam_from_enu: FloatArray,
    centre: FloatArray,
    mesh: MeshArrays,
    surfaces: SurfaceArrays,
    decals: DecalArrays,
    light: LightArrays,
    sky: FloatArray,
) -> Rgb:
    """Radiance along the ray through (u, v), which meets triangle m; size in pixels."""
    ray = _ray(u, v, lens, table, cam_from_enu)
    if m < 0:
        return _sky_colour(ray, light[0], sky, 0.0)
    points, normals, texture, triangles, open_sky = mesh
    ia, ib, ic = triangles[m, 0], triangles[m, 1], triangles[m, 2]
    side_b = _difference(points, ib, ia)
    side_c = _difference(points, ic, ia)
    face = _cross(side_b, side_c)
    from_eye = (
        points[ia, 0] - centre[0], points[ia, 1] - centre[1], points[ia, 2] - centre[2]
    )  # fmt: skip
    slant = _dot(ray, face)
    t = _dot(from_eye, face) / slant
    x, y, z = centre[0] + t * ray[0], centre[1] + t * ray[1], centre[2] + t * ray[2]
    step_u = _footprint(0, t * size / lens[0], ray, face, slant, cam_from_enu)
    step_v = _footprint(1, t * size / lens[0], ray, face, slant, cam_from_enu)
    size_u, size_v = math.sqrt(_dot(step_u, step_u)), math.sqrt(_dot(step_v, step_v))
    footprint = min(0.5 * (size_u + size_v), 4.0 * min(size_u, size_v))
    from_a = (x - points[ia, 0], y - points[ia, 1], z - points[ia, 2])
    wb, wc = _weights(from_a, side_b, side_c, face)
    wa = 1.0 - wb - wc
    material = surfaces[0][m]
    part = surfaces[2][surfaces[1][m]]
    tu, tv, tw = _blend(texture, ia, ib, ic, wa, wb, wc)
    r, g, b, gloss = _albedo(material, part, surfaces[3], x, y, z, tu, tv, tw, footprint)
    openness = wa * open_sky[ia] + wb * open_sky[ib] + wc * open_sky[ic]
    if material <= GROUND_LAST:
        r, g, b, gloss = apply_decals(x, y, step_u, step_v, footprint, r, g, b, decals)
        openness = sky_over_ground(x, y, light[6], light[5])
    normal = _facing(_blend(normals, ia, ib, ic, wa, wb, wc), ray)
    return _lit((r, g, b, gloss), (x, y, z), normal, ray, openness, light, sky)


@kernel
def _ray(u: float, v: float, lens: Lens, table: FloatArray, cam_from_enu: FloatArray) -> Vector:
    """Direction in the world of the ray through a pixel position, with unit depth."""
    focal, cx, cy, _, _, r2_max = lens
    x, y = (u - cx) / focal, (v - cy) / focal
    g = undistort_factor(x * x + y * y, table, r2_max)
    x, y = x * g, y * g
    r = cam_from_enu
    return (
        r[0, 0] * x + r[1, 0] * y + r[2, 0],
        r[0, 1] * x + r[1, 1] * y + r[2, 1],
        r[0, 2] * x + r[1, 2] * y + r[2, 2],
    )


@kernel
def _footprint(
    axis: int, step: float, ray: Vector, face: Vector, slant: float, cam_from_enu: FloatArray
) -> Vector:
    """How far the hit moves on the triangle's plane for one pixel step along an image axis.

    The step's own change of distortion is left out: this only sets a filter's width.
    """
    across = (cam_from_enu[axis, 0], cam_from_enu[axis, 1], cam_from_enu[axis, 2])
    slide = step * _dot(across, face) / slant
    return (
        step * across[0] - slide * ray[0],
        step * across[1] - slide * ray[1],
        step * across[2] - slide * ray[2],
    )


@kernel
def _weights(from_a: Vector, side_b: Vector, side_c: Vector, face: Vector) -> tuple[float, float]:
    """Barycentric weights of the corners b and c."""
    area2 = _dot(face, face)
    wb = min(max(_dot(_cross(from_a, side_c), face) / area2, 0.0), 1.0)
    wc = min(max(_dot(_cross(side_b, from_a), face) / area2, 0.0), 1.0 - wb)
    return wb, wc


@kernel
def _blend(
    values: FloatArray, ia: int, ib: int, ic: int, wa: float, wb: float, wc: float
) -> Vector:
    return (
        wa * values[ia, 0] + wb * values[ib, 0] + wc * values[ic, 0],
        wa * values[ia, 1] + wb * values[ib, 1] + wc * values[ic, 1],
        wa * values[ia, 2] + wb * values[ib, 2] + wc * values[ic, 2],
    )


@kernel
def _difference(points: FloatArray, i: int, j: int) -> Vector:
    return (
        points[i, 0] - points[j, 0], points[i, 1] - points[j, 1], points[i, 2] - points[j, 2]
    )  # fmt: skip


@kernel
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _cross(a: Vector, b: Vector) -> Vector:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@kernel
def _facing(normal: Vector, ray: Vector) -> Vector:
    """The unit normal on the viewer's side."""
    scale = 1.0 / max(math.sqrt(_dot(normal, normal)), 1e-9)
    if _dot(normal, ray) > 0.0:
        scale = -scale
    return normal[0] * scale, normal[1] * scale, normal[2] * scale


@kernel
def _albedo(
    material: int,
    part: FloatArray,
    seed: int,
    x: float,
    y: float,
    z: float,
    u: float,
    v: float,
    w: float,
    f: float,
) -> Rgbg:
    """Colour and gloss of a material at a place and at its texture coordinates."""
    if material == Material.ASPHALT:
        return asphalt(x, y, u, v, f, seed)
    if material == Material.KERB:
        return kerb(x, y, z, u, v, f, seed)
    if material == Material.PAVEMENT:
        return pavement(x, y, u, v, f, seed)
    if material == Material.GRASS:
        return grass(x, y, f, seed)
    if material == Material.BRICK:
        return brick(u, v, f, part, seed)
    if material == Material.PLASTER:
        return plaster(u, v, f, part, seed)
    if material == Material.ROOF:
        return roof(u, v, f, part, seed)
    if material == Material.CAR_BODY:
        return car_body(u, v, w, f, part, seed, x + 0.3 * z, y + 0.7 * z)
    if material == Material.TYRE:
        return tyre(u, v, f, seed)
    if material == Material.RIM:
        return rim(u, w, f, part)
    if material == Material.BANDED:
        return banded(v, f, part)
    if material == Material.PLAIN:
        return plain(x + 0.4 * z, y + 0.6 * z, f, part, seed)
    if material == Material.SCALE_BAR:
        return scale_bar(u, v, w, f, part)
    return leaves(x, y, z, f, part, seed)


@kernel
def _sky_colour(ray: Vector, sun: FloatArray, sky: FloatArray, sharpness: float) -> Rgb:
    """Sky or ground seen in a direction; sharpness > 0 adds the sun's glint."""
    scale = 1.0 / math.sqrt(_dot(ray, ray))
    up = ray[2] * scale
    if up < -0.02:
        r, g, b = sky[3, 0] * 0.35, sky[3, 1] * 0.35, sky[3, 2] * 0.35
    else:
        w = math.sqrt(min(max(up, 0.0), 1.0))
        cloud = _cloud(ray[0] / ray[2], ray[1] / ray[2]) if up > 0.03 else 0.0
        clear = 1.0 - cloud
        r = clear * (sky[2, 0] + (sky[1, 0] - sky[2, 0]) * w) + cloud * CLOUD_RADIANCE
        g = clear * (sky[2, 1] + (sky[1, 1] - sky[2, 1]) * w) + cloud * CLOUD_RADIANCE
        b = clear * (sky[2, 2] + (sky[1, 2] - sky[2, 2]) * w) + cloud * CLOUD_RADIANCE
    if sharpness > 0.0:
        cosine = (ray[0] * sun[0] + ray[1] * sun[1] + ray[2] * sun[2]) * scale
        if cosine > 0.0:
            glint = 6.0 * math.exp(sharpness * (cosine - 1.0))
            r, g, b = r + glint * sky[0, 0], g + glint * sky[0, 1], b + glint * sky[0, 2]
    return r, g, b


@kernel
def _cloud(x: float, y: float) -> float:
    """Cover of fair-weather clouds where a direction meets their layer."""
    value = value_noise(0.9 * x, 0.9 * y, 5) + 0.5 * value_noise(2.3 * x, 2.3 * y, 6)
    value += 0.25 * value_noise(5.1 * x, 5.1 * y, 7)
    return 0.85 * smooth(0.05, 0.75, value)


@kernel
def _lit(
    albedo: Rgbg,
    at: Vector,
    normal: Vector,
    ray: Vector,
    openness: float,
    light: LightArrays,
    sky: FloatArray,
) -> Rgb:
    """Sun, sky and bounced light on a surface, and its mirror image of the sky."""
    sun = light[0]
    cosine = normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2]
    direct = 0.0
    if cosine > 0.0:
        slope = math.sqrt(max(1.0 - cosine * cosine, 0.0)) / cosine
        direct = cosine * sun_share(at, slope, light[1], light[2], light[3], light[4])
    up = 0.5 * openness * (0.5 + 0.5 * normal[2])
    down = (0.5 - 0.5 * normal[2]) * (0.3 + 0.7 * openness)
    r, g, b, gloss = albedo
    r *= direct * sky[0, 0] + up * (sky[1, 0] + sky[2, 0]) + down * sky[3, 0]
    g *= direct * sky[0, 1] + up * (sky[1, 1] + sky[2, 1]) + down * sky[3, 1]
    b *= direct * sky[0, 2] + up * (sky[1, 2] + sky[2, 2]) + down * sky[3, 2]
    if gloss <= 0.02:
        return r, g, b
    length = math.sqrt(_dot(ray, ray))
    facing = min(max(-_dot(normal, ray) / length, 0.0), 1.0)
    k = 2.0 * facing * length
    mirrored = (ray[0] + k * normal[0], ray[1] + k * normal[1], ray[2] + k * normal[2])
    # Schlick's approximation of Fresnel's reflectance (Computer Graphics Forum 13:3, 1994).
    fresnel = COAT_REFLECTANCE + (1.0 - COAT_REFLECTANCE) * (1.0 - facing) ** 5
    strength = min(gloss, 1.0) * fresnel * (0.3 + 0.7 * openness)
    sharpness = GLINT_SHARPNESS if direct > 0.0 and gloss > 0.5 else 0.0
    sr, sg, sb = _sky_colour(mirrored, sun, sky, sharpness)
    keep = 1.0 - strength
    return r * keep + strength * sr, g * keep + strength * sg, b * keep + strength * sb
