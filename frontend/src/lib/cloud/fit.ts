/** How far away a box just fits into a view; pure. */

import { type Box3, Vector3 } from "three";

/** A box's eight corners. */
export function cornersOf({ min, max }: Box3): Vector3[] {
  return [min.x, max.x].flatMap((x) => [min.y, max.y].flatMap((y) => [min.z, max.z].map((z) => new Vector3(x, y, z))));
}

/** Distance of the eye from a middle at which every place is in view.

    direction : from the middle to the eye, of length 1, east, north, up; tan : of half of the
    view's angle from top to bottom; aspect : width over height. */
export function fittingDistance(places: readonly Vector3[], middle: Vector3, direction: Vector3, tan: number, aspect: number): number {
  const right = new Vector3(-direction.y, direction.x, 0);
  if (right.lengthSq() < 1e-12) right.set(1, 0, 0);
  right.normalize();
  const up = new Vector3().crossVectors(direction, right);
  let distance = 0;
  for (const place of places) {
    const off = place.clone().sub(middle);
    const beside = Math.max(Math.abs(off.dot(right)) / aspect, Math.abs(off.dot(up)));
    distance = Math.max(distance, off.dot(direction) + beside / tan);
  }
  return distance;
}
