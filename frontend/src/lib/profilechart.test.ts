import { expect, test } from "vitest";

import { drawing, scale, type Station } from "./profilechart";

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
