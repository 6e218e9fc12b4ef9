/** How far away a box just fits into a view; pure. */

import { type Box3, Vector3 } from "three";

/** Distance of the eye from the box's middle at which every corner is in view.

    direction : from the middle to the eye, of length 1, east, north, up; tan : of half of the
    view's angle from top to bottom; aspect : width over height. */
export function fittingDistance(box: Box3, direction: Vector3, tan: number, aspect: number): number {
  const right = new Vector3(-direction.y, direction.x, 0);
  if (right.lengthSq() < 1e-12) right.set(1, 0, 0);
  right.normalize();
  const up = new Vector3().crossVectors(direction, right);
  const middle = box.getCenter(new Vector3());
  let distance = 0;
  for (const x of [box.min.x, box.max.x]) {
    for (const y of [box.min.y, box.max.y]) {
      for (const z of [box.min.z, box.max.z]) {
        const off = new Vector3(x, y, z).sub(middle);
        const beside = Math.max(Math.abs(off.dot(right)) / aspect, Math.abs(off.dot(up)));
        distance = Math.max(distance, off.dot(direction) + beside / tan);
      }
    }
  }
  return distance;
}
