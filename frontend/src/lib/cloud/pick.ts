/** The point under a finger, among those in memory; pure. */

import type { Box3, Ray } from "three";
import { Sphere, Vector3 } from "three";

import type { PointArrays } from "./points";

export interface Pickable {
  readonly arrays: PointArrays;
  readonly box: Box3;
}

export interface Picked {
  readonly at: Vector3;
  readonly sigma: number;
}

/** Of the points near the ray those that lie behind the nearest one by more than this many radii are hidden. */
const BEHIND = 4;

/** The point nearest to the ray among those that nothing hides; null where there is none.

    tan : of the angle within which a point counts; within : where points are shown at all. */
export function pick(nodes: Iterable<Pickable>, ray: Ray, tan: number, within: Box3): Picked | null {
  const near = candidates(nodes, ray, tan, within);
  let front = Infinity;
  for (const one of near) front = Math.min(front, one.depth);
  let best: Candidate | null = null;
  for (const one of near) {
    if (one.depth > front * (1 + BEHIND * tan)) continue;
    if (best === null || one.angle < best.angle) best = one;
  }
  if (best === null) return null;
  const { places, sigmas } = best.arrays;
  return { at: new Vector3().fromArray(places, 3 * best.n), sigma: sigmas[best.n] ?? NaN };
}

interface Candidate {
  readonly arrays: PointArrays;
  readonly n: number;
  readonly depth: number;
  readonly angle: number;
}

function candidates(nodes: Iterable<Pickable>, ray: Ray, tan: number, within: Box3): Candidate[] {
  const found: Candidate[] = [];
  const sphere = new Sphere();
  for (const node of nodes) {
    node.box.getBoundingSphere(sphere);
    const depth = sphere.center.clone().sub(ray.origin).dot(ray.direction) + sphere.radius;
    if (depth <= 0) continue;
    if (Math.sqrt(ray.distanceSqToPoint(sphere.center)) > sphere.radius + tan * depth) continue;
    scan(node.arrays, ray, tan, within, found);
  }
  return found;
}

/** Plain numbers in the innermost loop: a million points take some milliseconds. */
function scan(arrays: PointArrays, ray: Ray, tan: number, within: Box3, found: Candidate[]): void {
  const { x: ox, y: oy, z: oz } = ray.origin;
  const { x: dx, y: dy, z: dz } = ray.direction;
  const tanSquared = tan * tan;
  const { min, max } = within;
  const { places, count } = arrays;
  for (let n = 0; n < count; n++) {
    const px = places[3 * n] as number;
    const py = places[3 * n + 1] as number;
    const pz = places[3 * n + 2] as number;
    const depth = (px - ox) * dx + (py - oy) * dy + (pz - oz) * dz;
    if (depth <= 0) continue;
    const ex = px - ox - depth * dx;
    const ey = py - oy - depth * dy;
    const ez = pz - oz - depth * dz;
    const off = ex * ex + ey * ey + ez * ez;
    if (off > tanSquared * depth * depth) continue;
    if (px < min.x || py < min.y || pz < min.z || px > max.x || py > max.y || pz > max.z) continue;
    found.push({ arrays, n, depth, angle: off / (depth * depth) });
  }
}
