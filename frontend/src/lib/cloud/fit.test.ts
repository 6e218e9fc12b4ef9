import { Box3, PerspectiveCamera, Vector3 } from "three";
import { expect, test } from "vitest";

import { fittingDistance } from "./fit";

const FOV_DEG = 50;

/** How far the outermost corner lies from the view's middle, where 1 is its edge. */
function outermost(box: Box3, direction: Vector3, aspect: number): number {
  const camera = new PerspectiveCamera(FOV_DEG, aspect, 0.01, 1e5);
  const distance = fittingDistance(box, direction, Math.tan((FOV_DEG * Math.PI) / 360), aspect);
  const middle = box.getCenter(new Vector3());
  camera.up.set(0, 0, 1);
  camera.position.copy(middle).addScaledVector(direction, distance);
  camera.lookAt(middle);
  camera.updateMatrixWorld();
  let most = 0;
  for (let n = 0; n < 8; n++) {
    const corner = new Vector3(...([0, 1, 2] as const).map((axis) => (n >> axis & 1 ? box.max : box.min).getComponent(axis)) as [number, number, number]);
    corner.project(camera);
    most = Math.max(most, Math.abs(corner.x), Math.abs(corner.y));
  }
  return most;
}

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
