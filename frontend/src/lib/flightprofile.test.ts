import { expect, test } from "vitest";

import { flightDrawing, type ProfilePoint } from "./flightprofile";

/** Over a hill of 20 m at 60 m along, flown level at 50 m; a mast of 10 m stands on its top. */
const HILL: readonly ProfilePoint[] = [
  [0, 50, 0, 50],
  [60, 50, 20, 20],
  [120, 50, 0, 50],
];

const corners = (points: string): number[][] => points.split(" ").map((pair) => pair.split(",").map(Number));

test("fewer than two points are no way", () => {
  expect(flightDrawing([])).toBeNull();
  expect(flightDrawing(HILL.slice(0, 1))).toBeNull();
});

test("heights and lengths keep their proportions", () => {
  const drawn = flightDrawing(HILL);
  const [start, top, end] = corners(drawn?.ground ?? "") as [number[], number[], number[]];
  const [from, , to] = corners(drawn?.flight ?? "") as [number[], number[], number[]];
  const perMetre = ((start[1] as number) - (from[1] as number)) / 50;
  expect(((start[1] as number) - (top[1] as number)) / perMetre).toBeCloseTo(20, 1);
  expect((top[0] as number) - (start[0] as number)).toBeCloseTo((end[0] as number) - (top[0] as number), 1);
  expect(from[1]).toBe(to[1]);
  expect(drawn?.lengthM).toBe(120);
});

test("what stands on the ground lies between it and the flight, and the nearest place is the mast", () => {
  const drawn = flightDrawing(HILL);
  const [, ground] = corners(drawn?.ground ?? "") as number[][];
  const [, mast] = corners(drawn?.tops ?? "") as number[][];
  const [, flight] = corners(drawn?.flight ?? "") as number[][];
  const perMetre = ((ground?.[1] as number) - (flight?.[1] as number)) / 30;
  expect(((ground?.[1] as number) - (mast?.[1] as number)) / perMetre).toBeCloseTo(10, 1);
  expect(drawn?.nearest).toMatchObject({ metres: 20, atM: 60 });
  expect(drawn?.nearest.y).toBeCloseTo(mast?.[1] as number, 1);
});

test("a level way over level ground has a scale that does not divide by nothing", () => {
  const drawn = flightDrawing([[0, 0, 0, 0], [10, 0, 0, 0]]);
  expect(drawn?.flight).not.toContain("NaN");
});
