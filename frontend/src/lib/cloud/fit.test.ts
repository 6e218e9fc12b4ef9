import { Box3, PerspectiveCamera, Vector3 } from "three";
import { expect, test } from "vitest";

import { cornersOf, fittingDistance } from "./fit";

const FOV_DEG = 50;

/** How far the outermost corner lies from the view's middle, where 1 is its edge. */
function outermost(box: Box3, direction: Vector3, aspect: number): number {
  const camera = new PerspectiveCamera(FOV_DEG, aspect, 0.01, 1e5);
  const middle = box.getCenter(new Vector3());
  const distance = fittingDistance(cornersOf(box), middle, direction, Math.tan((FOV_DEG * Math.PI) / 360), aspect);
  camera.up.set(0, 0, 1);
  camera.position.copy(middle).addScaledVector(direction, distance);
  camera.lookAt(middle);
  camera.updateMatrixWorld();
  let most = 0;
  for (const corner of cornersOf(box)) {
    corner.project(camera);
    most = Math.max(most, Math.abs(corner.x), Math.abs(corner.y));
  }
  return most;
}

test("a box has eight corners, all of them different", () => {
  const corners = cornersOf(new Box3(new Vector3(0, 0, 0), new Vector3(1, 2, 3)));
  expect(new Set(corners.map((corner) => corner.toArray().join(" "))).size).toBe(8);
});

test("a street along a box's diagonal is looked at from nearer than the whole box", () => {
  const box = new Box3(new Vector3(-20, -17, 0), new Vector3(20, 17, 3));
  const street = [new Vector3(-20, -17, 0), new Vector3(20, 17, 3), new Vector3(0, 0, 1)];
  const direction = new Vector3(0.5, -0.8, 0.7).normalize();
  const [whole, along] = [cornersOf(box), street].map((places) => fittingDistance(places, new Vector3(0, 0, 1.5), direction, 0.47, 2));
  expect(along as number).toBeLessThan(0.7 * (whole as number));
});

test.each([
  ["a long street, oblique", [100, 10, 5], [0.5, -0.8, 0.7], 2],
  ["a tower from the south", [4, 4, 60], [0, -1, 0.05], 0.5],
  ["a yard from above", [30, 40, 3], [0, -0.001, 1], 1.6],
  ["a wall edge on", [0.1, 50, 8], [1, 0, 0.05], 0.46],
] as const)("the outermost corner of %s touches the edge of the view", (_, size, direction, aspect) => {
  const half = new Vector3(...size).multiplyScalar(0.5);
  const middle = new Vector3(12, -7, 3);
  const box = new Box3(middle.clone().sub(half), middle.clone().add(half));
  expect(outermost(box, new Vector3(...direction).normalize(), aspect)).toBeCloseTo(1, 6);
});
