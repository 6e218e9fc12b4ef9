import { Box3, Ray, Vector3 } from "three";
import { expect, test } from "vitest";

import { pick } from "./pick";
import { arraysOf, BYTES_PER_POINT, type RecordShape, unpack, widened } from "./points";

const EVERYWHERE = new Box3(new Vector3(-1e9, -1e9, -1e9), new Vector3(1e9, 1e9, 1e9));
const DOWN = new Vector3(0, 0, -1);

function node(places: readonly (readonly [number, number, number])[]): { arrays: ReturnType<typeof arraysOf>; box: Box3 } {
  const arrays = arraysOf(new ArrayBuffer(places.length * BYTES_PER_POINT));
  places.forEach((place, n) => {
    arrays.places.set(place, 3 * n);
    arrays.sigmas[n] = 0.001 * n;
  });
  return { arrays, box: new Box3().setFromArray(arrays.places) };
}

test("the point nearest to the ray is picked, with its deviation", () => {
  const cloud = node([[0, 0, 0], [0.2, 0, 0], [1, 0, 0]]);
  const found = pick([cloud], new Ray(new Vector3(0.15, 0, 10), DOWN), 0.05, EVERYWHERE);
  expect(found?.at.x).toBeCloseTo(0.2, 6);
  expect(found?.sigma).toBeCloseTo(0.001, 6);
});

test("a roof hides the floor below it, even where the floor lies nearer to the ray", () => {
  const roof = node([[0.1, 0, 5]]);
  const floor = node([[0, 0, 0]]);
  const found = pick([floor, roof], new Ray(new Vector3(0, 0, 10), DOWN), 0.05, EVERYWHERE);
  expect(found?.at.z).toBe(5);
});

test("nothing is picked behind the eye, beside the finger or outside the clip box", () => {
  const cloud = node([[0, 0, 0]]);
  const above = new Ray(new Vector3(0, 0, 10), DOWN);
  expect(pick([cloud], new Ray(new Vector3(0, 0, -10), DOWN), 0.05, EVERYWHERE)).toBeNull();
  expect(pick([cloud], new Ray(new Vector3(1, 0, 10), DOWN), 0.05, EVERYWHERE)).toBeNull();
  expect(pick([cloud], above, 0.05, new Box3(new Vector3(-1, -1, 1), new Vector3(1, 1, 9)))).toBeNull();
  expect(pick([cloud], above, 0.05, EVERYWHERE)).not.toBeNull();
});

test("it is the same point as a search through every point of a cloud in many nodes", () => {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 - 0.5;
  };
  const surface = Array.from({ length: 4000 }, () => [40 * random(), 40 * random(), 0.1 * random()] as const);
  const nodes = [0, 1, 2, 3].map((n) => node(surface.filter((_, k) => k % 4 === n)));
  for (let turn = 0; turn < 50; turn++) {
    const origin = new Vector3(20 * random(), 20 * random(), 30);
    const ray = new Ray(origin, new Vector3(0.3 * random(), 0.3 * random(), -1).normalize());
    const off = (place: readonly [number, number, number]): number => {
      const by = new Vector3(...place).sub(origin);
      return by.clone().cross(ray.direction).length() / by.dot(ray.direction);
    };
    const best = [...surface].sort((a, b) => off(a) - off(b))[0] as (typeof surface)[number];
    const found = pick(nodes, ray, 0.05, EVERYWHERE);
    expect(found?.at.distanceTo(new Vector3(...best))).toBeLessThan(1e-5);
  }
});

test("a record becomes a point: scaled, about the middle, eight bits of colour, with its deviation", () => {
  const shape: RecordShape = {
    format: 7, length: 41, colourAt: 30, sigmaAt: 36, scale: [1e-4, 1e-4, 1e-3], zero: [-2, 5, 0.5],
  };
  const record = new DataView(new ArrayBuffer(41));
  record.setInt32(0, 12_345, true);
  record.setInt32(4, -10_000, true);
  record.setInt32(8, 250, true);
  record.setUint8(16, 6);
  [0xffff, 0x8000, 0x00ff].forEach((band, n) => record.setUint16(30 + 2 * n, band, true));
  record.setFloat32(36, 0.0125, true);
  const { count, places, paints, sigmas } = arraysOf(unpack({ next: () => record }, 2, shape));
  expect(count).toBe(2);
  const expected = [1.2345 - 2, -1 + 5, 0.25 + 0.5];
  expected.forEach((value, axis) => expect(places[3 + axis]).toBeCloseTo(value, 6));
  expect([...paints.subarray(4)]).toEqual([255, 128, 0, 6]);
  expect(sigmas[1]).toBeCloseTo(0.0125, 8);
});

test("the server's buffer of old scenes holds the same points without a deviation", () => {
  const plain = new DataView(new ArrayBuffer(32));
  [1.5, -2.5, 3.25].forEach((value, axis) => plain.setFloat32(16 + 4 * axis, value, true));
  [10, 20, 30].forEach((value, band) => plain.setUint8(28 + band, value));
  const { count, places, paints, sigmas } = arraysOf(widened(plain.buffer));
  expect(count).toBe(2);
  expect([...places.subarray(3)]).toEqual([1.5, -2.5, 3.25]);
  expect([...paints.subarray(4, 7)]).toEqual([10, 20, 30]);
  expect(sigmas[1]).toBeNaN();
});
