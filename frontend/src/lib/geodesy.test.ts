import { expect, test } from "vitest";

import { areaM2, distanceM, eastNorth, moved, parseCorners, wrongLine } from "./geodesy";

/** Values of GeographicLib (pyproj.Geod, WGS84). */
const A = { latDeg: 50.8197, lonDeg: 4.3908 };
const B = { latDeg: 50.8227, lonDeg: 4.395 };

test("distances, areas and places agree with the geodesic's", () => {
  expect(Math.abs(distanceM(A, B) - 446.0630)).toBeLessThan(0.002);
  const ring = [A, { ...A, lonDeg: B.lonDeg }, B, { ...A, latDeg: B.latDeg }];
  expect(Math.abs(areaM2(ring) - 98_772.73) / 98_772.73).toBeLessThan(3e-5);
  expect(Math.abs(areaM2([...ring].reverse()) / areaM2(ring) - 1)).toBeLessThan(1e-4);
  expect(moved(A, 100, 0).lonDeg).toBeCloseTo(4.392219056, 8);
  expect(moved(A, 0, 100).latDeg).toBeCloseTo(50.820598918, 8);
  const [east, north] = eastNorth(A, moved(A, -12.5, 7.25));
  expect(east).toBeCloseTo(-12.5, 4);
  expect(north).toBeCloseTo(7.25, 4);
});

test.each([
  ["50.8197, 4.3908", 50.8197, 4.3908],
  ["50,8197 4,3908", 50.8197, 4.3908],
  ["50,8197; 4,3908", 50.8197, 4.3908],
  ["  -50.8 -4.3  ", -50.8, -4.3],
])("%j is a place", (text, latDeg, lonDeg) => {
  expect(parseCorners(text)).toEqual([{ latDeg, lonDeg }]);
});

test.each([
  ["abc", 1],
  ["50.8, 4.3\n\nabc", 3],
  ["50.8, 4.3\n91, 4", 2],
  ["50.8, 4.3\n50, 181", 2],
  ["50.8", 1],
  ["50.8, 4.3, 60", 1],
  ["NaN, 4.3", 1],
])("%j is refused by its line", (text, line) => {
  expect(wrongLine(text)).toBe(line);
  expect(parseCorners(text)).toBeNull();
});

test("empty lines are no places and no faults", () => {
  expect(wrongLine("\n  \n")).toBe(0);
  expect(parseCorners("\n50.8, 4.3\n\n")).toHaveLength(1);
});
