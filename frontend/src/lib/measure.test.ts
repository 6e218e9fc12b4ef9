import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { isClosed, sentence, takes, type Measured } from "./measure";

beforeAll(() => vi.stubGlobal("document", { documentElement: { lang: "en" } }));
afterAll(() => vi.unstubAllGlobals());

const LENGTH: Measured = { value: 12.806, unit: "m", ci95_low: 12.789, ci95_high: 12.823, note: "", series: [] };
const WORDS = "{value} {unit}, 95 % interval {low} to {high} {unit}";

test("kinds between two places end by themselves, polygons and ways go on", () => {
  for (const kind of ["distance", "horizontal", "height", "slope", "section"]) expect(takes(kind)).toEqual([2, 2]);
  expect(takes("angle")).toEqual([3, 3]);
  for (const kind of ["area", "plan_area", "volume"]) {
    expect(takes(kind)[0]).toBe(3);
    expect(takes(kind)[1]).toBeGreaterThan(100);
    expect(isClosed(kind)).toBe(true);
  }
  for (const kind of ["polyline", "profile"]) {
    expect(takes(kind)[0]).toBe(2);
    expect(takes(kind)[1]).toBeGreaterThan(100);
    expect(isClosed(kind)).toBe(false);
  }
});

test("a value is said with its interval, and an interval that is open with a dash", () => {
  expect(sentence(LENGTH, WORDS)).toBe("12.806 m, 95 % interval 12.789 to 12.823 m");
  expect(sentence({ ...LENGTH, ci95_low: null, ci95_high: null }, WORDS)).toBe("12.806 m, 95 % interval – to – m");
});

test("what was not determined is not given a number", () => {
  expect(sentence({ ...LENGTH, value: null, note: "there is no height" }, WORDS)).toBe("there is no height");
});
