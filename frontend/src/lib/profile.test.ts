import { expect, test, vi } from "vitest";

import { drawing, flightDrawing, scale, type ProfilePoint, type Station } from "./profile";

const ROWS: readonly Station[] = [[0, 1, 0.9, 1.1], [2, 3, 2.5, 3.5], [10, 2, 1.9, 2.1]];

function corners(text: string): [number, number][] {
  return text.split(" ").map((pair) => pair.split(",").map(Number) as [number, number]);
}

test("stations lie in proportion to their distance and higher ones are drawn higher", () => {
  const [a, b, c] = corners(drawing(ROWS)?.line ?? "") as [[number, number], [number, number], [number, number]];
  expect((b[0] - a[0]) / (c[0] - a[0])).toBeCloseTo(0.2, 3);
  expect((a[1] - b[1]) / (a[1] - c[1])).toBeCloseTo((3 - 1) / (2 - 1), 1);
});

test("the band holds the line and reaches to the ends of the intervals", () => {
  const found = drawing(ROWS);
  const band = corners(found?.band ?? "");
  expect(band).toHaveLength(6);
  corners(found?.line ?? "").forEach(([x, y], n) => {
    const [above, below] = [band[n], band[5 - n]] as [[number, number], [number, number]];
    expect(above[0]).toBe(x);
    expect(below[0]).toBe(x);
    expect(above[1]).toBeLessThan(y);
    expect(below[1]).toBeGreaterThan(y);
  });
});

test.each([[0.9, 3.5], [-0.013, 0.021], [99.2, 187], [0, 0]])("the scale from %d to %d is of a few round heights", (low, high) => {
  const found = scale(low, high);
  expect(found.length).toBeLessThanOrEqual(7);
  if (high > low) expect(found.length).toBeGreaterThanOrEqual(2);
  for (const one of found) {
    expect(one).toBeGreaterThanOrEqual(low - 1e-6);
    expect(one).toBeLessThanOrEqual(high + 1e-6);
  }
});

test("one station is no profile", () => {
  expect(drawing(ROWS.slice(0, 1))).toBeNull();
  expect(drawing([])).toBeNull();
});

/** Over a hill of 20 m at 60 m along, flown level at 50 m; a mast of 10 m stands on its top. */
const HILL: readonly ProfilePoint[] = [
  [0, 50, 0, 50],
  [60, 50, 20, 20],
  [120, 50, 0, 50],
];

test("fewer than two points are no way", () => {
  expect(flightDrawing([])).toBeNull();
  expect(flightDrawing(HILL.slice(0, 1))).toBeNull();
});

test("heights and lengths keep their proportions", () => {
  const drawn = flightDrawing(HILL);
  const [start, top, end] = corners(drawn?.ground ?? "") as number[][] as [number[], number[], number[]];
  const [from, , to] = corners(drawn?.flight ?? "") as number[][] as [number[], number[], number[]];
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

test.each([["nl", ["0,0 m", "0,5 m"]], ["fr", ["0,0 m", "0,5 m"]], ["en", ["0.0 m", "0.5 m"]]])(
  "in %s heights are written as its readers write them",
  (language, written) => {
    vi.stubGlobal("document", { documentElement: { lang: language } });
    const low: readonly ProfilePoint[] = [[0, 2.5, 0, 2.5], [10, 2.5, 0, 2.5]];
    const flown = flightDrawing(low)?.ticks.map((tick) => tick.text) ?? [];
    expect(flown.slice(0, 2)).toEqual(written);
    expect(drawing([[0, 1, 0, 2.5], [5, 1, 0, 2.5]])?.ticks.map((tick) => tick.text).slice(0, 2)).toEqual(written);
    vi.unstubAllGlobals();
  },
);
