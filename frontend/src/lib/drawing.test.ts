import { expect, test } from "vitest";

import { lengthM, nudged, placesText, simplified, withoutPlace, withPlace, withSplit, type Drawing } from "./drawing";
import { distanceM, moved, parseCorners, type LatLon } from "./geodesy";

const HOME: LatLon = { latDeg: 50.8197, lonDeg: 4.3908 };
const at = (eastM: number, northM: number): LatLon => moved(HOME, eastM, northM);
const SQUARE: Drawing = { places: [at(0, 0), at(100, 0), at(100, 100), at(0, 100)], home: HOME };

test("an edit leaves the drawing that it was made from as it was", () => {
  const before = JSON.stringify(SQUARE);
  withPlace(SQUARE, 1, HOME);
  withoutPlace(SQUARE, 0);
  withSplit(SQUARE, 2, "polygon");
  nudged(SQUARE, 3, 5, 5);
  expect(JSON.stringify(SQUARE)).toBe(before);
});

test("an edge is split in its middle, the last edge of an area too", () => {
  const first = withSplit(SQUARE, 0, "polygon").places;
  expect(first).toHaveLength(5);
  expect(distanceM(first[1] as LatLon, at(50, 0))).toBeLessThan(0.01);
  const last = withSplit(SQUARE, 3, "polygon").places;
  expect(distanceM(last[4] as LatLon, at(0, 50))).toBeLessThan(0.01);
});

test("after a line's last place the next one lies as far beyond it", () => {
  const line = withSplit(SQUARE, 3, "line").places;
  expect(distanceM(line[4] as LatLon, at(-100, 100))).toBeLessThan(0.05);
});

test("a place is pushed by metres, and a place that is not there is not", () => {
  const pushed = nudged(SQUARE, 2, 10, -0.1).places;
  expect(distanceM(pushed[2] as LatLon, at(110, 99.9))).toBeLessThan(0.001);
  expect(nudged(SQUARE, 9, 1, 1)).toEqual(SQUARE);
  expect(withSplit(SQUARE, 9, "line")).toEqual(SQUARE);
});

test("a traced line keeps its corners and loses what lies within the tolerance of it", () => {
  const wobble = (n: number): number => (n % 2 === 0 ? 0.3 : -0.3);
  const along = Array.from({ length: 51 }, (_, n) => at(2 * n, n === 0 || n === 50 ? 0 : wobble(n)));
  const up = Array.from({ length: 50 }, (_, n) => at(100, 2 * (n + 1)));
  const kept = simplified([...along, ...up], 0.5);
  expect(kept).toHaveLength(3);
  expect(distanceM(kept[1] as LatLon, at(100, 0))).toBeLessThan(0.5);
  expect(simplified([...along, ...up], 0.1).length).toBeGreaterThan(10);
});

test("a closed outline that ends where it began keeps its shape", () => {
  const kept = simplified([at(0, 0), at(50, 0), at(100, 0), at(100, 100), at(0, 100), at(0, 0)], 0.5);
  expect(kept.length).toBeGreaterThanOrEqual(4);
});

test("an area is measured round, a line from end to end", () => {
  expect(lengthM(SQUARE.places, "polygon")).toBeCloseTo(400, 1);
  expect(lengthM(SQUARE.places, "line")).toBeCloseTo(300, 1);
  expect(lengthM([], "line")).toBe(0);
});

test("what is written into the form comes back to a centimetre", () => {
  const read = parseCorners(placesText(SQUARE.places)) ?? [];
  expect(read).toHaveLength(4);
  read.forEach((place, i) => expect(distanceM(place, SQUARE.places[i] as LatLon)).toBeLessThan(0.01));
});
