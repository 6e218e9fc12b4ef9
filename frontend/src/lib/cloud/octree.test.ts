import { Box3, Frustum, Matrix4, PerspectiveCamera, Vector3 } from "three";
import { describe, expect, test } from "vitest";

import { type Eye, FINE_PX, Octree, type TreeNode, children } from "./octree";

const SIDE = 128;
const SPACING = 1;

/** A full octree of a depth, each node with so many points. */
function full(depth: number, count = 1000): Octree {
  const nodes: TreeNode[] = [];
  let keys = ["0-0-0-0"];
  for (let level = 0; level <= depth; level++) {
    for (const key of keys) nodes.push({ key, count, offset: 0, length: 1 });
    keys = keys.flatMap(children);
  }
  const tree = new Octree({ low: [-SIDE / 2, -SIDE / 2, -SIDE / 2], side: SIDE }, SPACING);
  tree.add(nodes, []);
  return tree;
}

function eye(position: Vector3, target = new Vector3(), heightPx = 600): Eye {
  const camera = new PerspectiveCamera(50, 1, 0.1, 10_000);
  camera.position.copy(position);
  camera.lookAt(target);
  camera.updateMatrixWorld();
  const matrix = new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
  const pxPerRad = heightPx / (2 * Math.tan((50 * Math.PI) / 360));
  return { position, frustum: new Frustum().setFromProjectionMatrix(matrix), pxPerRad };
}

describe("an octree's boxes", () => {
  test("eight children fill their parent and do not overlap", () => {
    const tree = full(2);
    const parent = tree.box("1-1-0-1");
    const parts = children("1-1-0-1").map((key) => tree.box(key));
    const whole = parts.reduce((box, part) => box.union(part), new Box3());
    expect(whole.min.distanceTo(parent.min)).toBeLessThan(1e-9);
    expect(whole.max.distanceTo(parent.max)).toBeLessThan(1e-9);
    const volume = (box: Box3): number => box.getSize(new Vector3()).toArray().reduce((a, b) => a * b, 1);
    expect(parts.reduce((sum, part) => sum + volume(part), 0)).toBeCloseTo(volume(parent), 6);
  });

  test("points lie half as far apart in a child", () => {
    const tree = full(2);
    expect(tree.spacingOf("0-0-0-0")).toBe(SPACING);
    expect(tree.spacingOf("2-0-0-0")).toBe(SPACING / 4);
  });
});

describe("what a view needs", () => {
  test("is the root alone from far away", () => {
    const wanted = full(3).wanted(eye(new Vector3(0, -5000, 0)), 1e9);
    expect(wanted.nodes.map((node) => node.key)).toEqual(["0-0-0-0"]);
  });

  test("is finer where the view is nearer, as a search through all nodes says", () => {
    const tree = full(4);
    const from = eye(new Vector3(0, -150, 0), new Vector3(0, 0, 0));
    const wanted = new Set(tree.wanted(from, 1e9).nodes.map((node) => node.key));
    const expected = new Set<string>();
    const walk = (key: string): void => {
      if (tree.node(key) === undefined) return;
      expected.add(key);
      const apart = (from.pxPerRad * tree.spacingOf(key)) / Math.max(tree.box(key).distanceToPoint(from.position), 1e-6);
      if (apart <= FINE_PX) return;
      for (const child of children(key)) if (from.frustum.intersectsBox(tree.box(child))) walk(child);
    };
    walk("0-0-0-0");
    expect(wanted).toEqual(expected);
    expect(wanted.size).toBeGreaterThan(30);
    expect(wanted.size).toBeLessThan(4681);
  });

  test("never is more than the budget, and every node's parent comes before it", () => {
    const tree = full(4);
    for (const budget of [999, 1000, 12_345, 100_000]) {
      const wanted = tree.wanted(eye(new Vector3(0, -60, 0)), budget);
      expect(wanted.points).toBeLessThanOrEqual(budget);
      expect(wanted.points).toBeGreaterThan(budget - 1001);
      const seen = new Set<string>();
      for (const node of wanted.nodes) {
        const [depth, x, y, z] = node.key.split("-").map(Number) as [number, number, number, number];
        if (depth > 0) expect(seen).toContain(`${depth - 1}-${x >> 1}-${y >> 1}-${z >> 1}`);
        seen.add(node.key);
      }
    }
  });

  test("leaves out what lies behind", () => {
    const tree = full(3);
    const inside = eye(new Vector3(0, 0, 0), new Vector3(0, 100, 0));
    for (const node of tree.wanted(inside, 1e9).nodes) {
      if (node.key !== "0-0-0-0") expect(tree.box(node.key).max.y).toBeGreaterThanOrEqual(0);
    }
  });

  test("names the parts of the hierarchy that were not read, once it comes to them", () => {
    const tree = full(1);
    tree.add([], [{ key: "2-0-0-0", offset: 7, length: 32 }]);
    expect(tree.wanted(eye(new Vector3(0, -5000, 0)), 1e9).pages).toEqual([]);
    const near = tree.wanted(eye(new Vector3(-70, -70, -70)), 1e9);
    expect(near.pages.map((page) => page.key)).toEqual(["2-0-0-0"]);
    tree.add([{ key: "2-0-0-0", count: 5, offset: 0, length: 1 }], []);
    const read = tree.wanted(eye(new Vector3(-70, -70, -70)), 1e9);
    expect(read.pages).toEqual([]);
    expect(read.nodes.map((node) => node.key)).toContain("2-0-0-0");
  });
});
