"""From hits to light: the kernel that colours a photo's pixels.

A pixel whose samples all hit one smooth surface is shaded once at its centre, its textures
filtered by its footprint; a pixel on an edge is shaded at every sample and averaged.
"""

from __future__ import annotations

import math

from sitl.jit import kernel

from sitl.decals import apply_decals
from sitl.light import sky_over_ground, sun_share
from sitl.materials import (
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
from sitl.noise import smooth, value_noise
from sitl.raster import undistort_factor

SMOOTH_COSINE = 0.97
"""Samples of one pixel whose normals agree better than this count as one surface."""
SMOOTH_DEPTH = 0.02
"""… and whose depths agree within this share."""


@kernel
def find_edges(ident, depth, triangles, normals, materials, slots):
    """Number the pixels that differ from a neighbour in surface; returns how many there are.

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
                            or not _one_surface(m, n, z, depth[a, b], triangles, normals, materials)
                        )
            if edge:
                slots[i, j] = count
                count += 1
    return count


@kernel
def shade_rows(
    ident,
    slots,
    sample_ident,
    samples,
    first_row,
    lens,
    table,
    cam_from_enu,
    centre,
    mesh,
    surfaces,
    decals,
    light,
    sky,
    out,
):
    """Linear radiance of every pixel of a band of rows.

    ident, slots, sample_ident : triangles at pixel centres and, in the pixels that `slots`
    numbers, at their samples; mesh : points, normals, texture, triangles, sky share per
    vertex; surfaces : materials, parts, part table, seed; decals : rows, starts, items, grid;
    light : sun, axes, corner, cell_m, height, ground share, ground grid; sky : (4, 3) colours
    of sun, zenith, horizon and bounced light; out : (rows, columns, 3)
    """
    share = 1.0 / samples
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            slot = slots[i, j]
            if slot < 0:
                r, g, b = _shade(
                    ident[i, j],
                    j + 0.5,
                    i + first_row + 0.5,
                    1.0,
                    lens,
                    table,
                    cam_from_enu,
                    centre,
                    mesh,
                    surfaces,
                    decals,
                    light,
                    sky,
                )
            else:
                r = g = b = 0.0
                for k in range(samples * samples):
                    sr, sg, sb = _shade(
                        sample_ident[slot, k],
                        j + (k % samples + 0.5) * share,
                        i + first_row + (k // samples + 0.5) * share,
                        share,
                        lens,
                        table,
                        cam_from_enu,
                        centre,
                        mesh,
                        surfaces,
                        decals,
                        light,
                        sky,
                    )
                    r, g, b = r + sr, g + sg, b + sb
                scale = share * share
                r, g, b = r * scale, g * scale, b * scale
            out[i, j, 0], out[i, j, 1], out[i, j, 2] = r, g, b


@kernel
def _one_surface(m, n, z, other_z, triangles, normals, materials):
    if materials[m] != materials[n] or abs(z - other_z) > SMOOTH_DEPTH * z:
        return False
    p, q = normals[triangles[m, 0]], normals[triangles[n, 0]]
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2] > SMOOTH_COSINE


@kernel
def _ray(u, v, lens, table, cam_from_enu):
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
def _shade(m, u, v, size, lens, table, cam_from_enu, centre, mesh, surfaces, decals, light, sky):
    dx, dy, dz = _ray(u, v, lens, table, cam_from_enu)
    if m < 0:
        return _sky_colour(dx, dy, dz, light[0], sky, 0.0)
    points, normals, texture, triangles, open_sky = mesh
    ia, ib, ic = triangles[m, 0], triangles[m, 1], triangles[m, 2]
    a, b, c = points[ia], points[ib], points[ic]
    e1x, e1y, e1z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    e2x, e2y, e2z = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    gx, gy, gz = e1y * e2z - e1z * e2y, e1z * e2x - e1x * e2z, e1x * e2y - e1y * e2x
    area2 = gx * gx + gy * gy + gz * gz
    offset = (a[0] - centre[0]) * gx + (a[1] - centre[1]) * gy + (a[2] - centre[2]) * gz
    t = offset / (dx * gx + dy * gy + dz * gz)
    x, y, z = centre[0] + t * dx, centre[1] + t * dy, centre[2] + t * dz
    # Footprint vectors: how far the hit moves on the triangle's plane for one pixel step
    # (the step's own change of distortion is left out; it only sets a filter's width).
    step = size / lens[0]
    k = t * step / (dx * gx + dy * gy + dz * gz)
    rx, ry, rz = cam_from_enu[0, 0], cam_from_enu[0, 1], cam_from_enu[0, 2]
    slide = k * (rx * gx + ry * gy + rz * gz)
    fx, fy, fz = t * step * rx - slide * dx, t * step * ry - slide * dy, t * step * rz - slide * dz
    rx, ry, rz = cam_from_enu[1, 0], cam_from_enu[1, 1], cam_from_enu[1, 2]
    slide = k * (rx * gx + ry * gy + rz * gz)
    hx, hy, hz = t * step * rx - slide * dx, t * step * ry - slide * dy, t * step * rz - slide * dz
    f1 = math.sqrt(fx * fx + fy * fy + fz * fz)
    f2 = math.sqrt(hx * hx + hy * hy + hz * hz)
    footprint = min(0.5 * (f1 + f2), 4.0 * min(f1, f2))
    # Barycentric weights of the hit.
    px, py, pz = x - a[0], y - a[1], z - a[2]
    wb = (py * e2z - pz * e2y) * gx + (pz * e2x - px * e2z) * gy + (px * e2y - py * e2x) * gz
    wc = (e1y * pz - e1z * py) * gx + (e1z * px - e1x * pz) * gy + (e1x * py - e1y * px) * gz
    wb = min(max(wb / area2, 0.0), 1.0)
    wc = min(max(wc / area2, 0.0), 1.0 - wb)
    wa = 1.0 - wb - wc
    ta, tb, tc = texture[ia], texture[ib], texture[ic]
    tu = wa * ta[0] + wb * tb[0] + wc * tc[0]
    tv = wa * ta[1] + wb * tb[1] + wc * tc[1]
    tw = wa * ta[2] + wb * tb[2] + wc * tc[2]
    na, nb, nc = normals[ia], normals[ib], normals[ic]
    nx = wa * na[0] + wb * nb[0] + wc * nc[0]
    ny = wa * na[1] + wb * nb[1] + wc * nc[1]
    nz = wa * na[2] + wb * nb[2] + wc * nc[2]
    if nx * dx + ny * dy + nz * dz > 0.0:
        nx, ny, nz = -nx, -ny, -nz
    scale = 1.0 / max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    r, g, b_, gloss = _albedo(
        surfaces[0][m], surfaces[2][surfaces[1][m]], surfaces[3], x, y, z, tu, tv, tw, footprint
    )
    openness = wa * open_sky[ia] + wb * open_sky[ib] + wc * open_sky[ic]
    if surfaces[0][m] <= 3:
        r, g, b_, gloss = apply_decals(
            x, y, fx, fy, hx, hy, footprint, r, g, b_, decals[0], decals[1], decals[2], decals[3]
        )
        openness = sky_over_ground(x, y, light[6], light[5])
    return _lit(r, g, b_, gloss, x, y, z, nx, ny, nz, dx, dy, dz, openness, light, sky)


@kernel
def _albedo(material, part, seed, x, y, z, u, v, w, f):
    if material == 0:
        return asphalt(x, y, u, v, f, seed)
    if material == 1:
        return kerb(x, y, z, u, v, f, seed)
    if material == 2:
        return pavement(x, y, u, v, f, seed)
    if material == 3:
        return grass(x, y, f, seed)
    if material == 4:
        return brick(u, v, f, part, seed)
    if material == 5:
        return plaster(u, v, f, part, seed)
    if material == 6:
        return roof(u, v, f, part, seed)
    if material == 7:
        return car_body(u, v, w, f, part, seed, x + 0.3 * z, y + 0.7 * z)
    if material == 8:
        return tyre(u, v, w, f, seed)
    if material == 9:
        return rim(u, w, f, part)
    if material == 10:
        return banded(v, f, part)
    if material == 11:
        return plain(x + 0.4 * z, y + 0.6 * z, f, part, seed)
    if material == 12:
        return scale_bar(u, v, w, f, part)
    return leaves(x, y, z, f, part, seed)


@kernel
def _sky_colour(dx, dy, dz, sun, sky, sharpness):
    """Sky or ground seen in a direction; sharpness > 0 adds the sun's glint."""
    scale = 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)
    up = dz * scale
    if up < -0.02:
        r, g, b = sky[3, 0] * 0.35, sky[3, 1] * 0.35, sky[3, 2] * 0.35
    else:
        w = math.sqrt(min(max(up, 0.0), 1.0))
        r = sky[2, 0] + (sky[1, 0] - sky[2, 0]) * w
        g = sky[2, 1] + (sky[1, 1] - sky[2, 1]) * w
        b = sky[2, 2] + (sky[1, 2] - sky[2, 2]) * w
        if up > 0.03:
            cloud = _cloud(dx / dz, dy / dz)
            r, g, b = r + (1.5 - r) * cloud, g + (1.5 - g) * cloud, b + (1.52 - b) * cloud
    if sharpness > 0.0:
        c = (dx * sun[0] + dy * sun[1] + dz * sun[2]) * scale
        if c > 0.0:
            glint = 6.0 * math.exp(sharpness * (c - 1.0))
            r, g, b = r + glint * sky[0, 0], g + glint * sky[0, 1], b + glint * sky[0, 2]
    return r, g, b


@kernel
def _cloud(x, y):
    """Cover of fair-weather clouds where a direction meets their layer."""
    value = value_noise(0.9 * x, 0.9 * y, 5) + 0.5 * value_noise(2.3 * x, 2.3 * y, 6)
    value += 0.25 * value_noise(5.1 * x, 5.1 * y, 7)
    return 0.85 * smooth(0.05, 0.75, value)


@kernel
def _lit(r, g, b, gloss, x, y, z, nx, ny, nz, dx, dy, dz, openness, light, sky):
    """Sun, sky and bounced light on a surface, and its mirror image of the sky (Schlick)."""
    sun = light[0]
    cosine = nx * sun[0] + ny * sun[1] + nz * sun[2]
    direct = 0.0
    if cosine > 0.0:
        slope = math.sqrt(max(1.0 - cosine * cosine, 0.0)) / cosine
        direct = cosine * sun_share(x, y, z, slope, light[1], light[2], light[3], light[4])
    up = openness * (0.5 + 0.5 * nz)
    down = (0.5 - 0.5 * nz) * (0.3 + 0.7 * openness)
    lr = direct * sky[0, 0] + up * 0.5 * (sky[1, 0] + sky[2, 0]) + down * sky[3, 0]
    lg = direct * sky[0, 1] + up * 0.5 * (sky[1, 1] + sky[2, 1]) + down * sky[3, 1]
    lb = direct * sky[0, 2] + up * 0.5 * (sky[1, 2] + sky[2, 2]) + down * sky[3, 2]
    r, g, b = r * lr, g * lg, b * lb
    if gloss > 0.02:
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        facing = -(nx * dx + ny * dy + nz * dz) / length
        k = 2.0 * facing * length
        mx, my, mz = dx + k * nx, dy + k * ny, dz + k * nz
        fresnel = 0.04 + 0.96 * (1.0 - min(max(facing, 0.0), 1.0)) ** 5
        strength = min(gloss, 1.0) * fresnel * (0.3 + 0.7 * openness)
        glint = 500.0 if direct > 0.0 and gloss > 0.5 else 0.0
        sr, sg, sb = _sky_colour(mx, my, mz, sun, sky, glint)
        keep = 1.0 - strength
        r, g, b = r * keep + strength * sr, g * keep + strength * sg, b * keep + strength * sb
    return r, g, b
