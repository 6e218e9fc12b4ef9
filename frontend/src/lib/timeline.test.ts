import { describe, expect, it } from "vitest";

import { angleBetween, between, heldAt, placeAt, runs } from "./timeline";

const times = [-2, 0, 1, 4];

describe("a time line", () => {
  it("finds the last sample that is not after a time", () => {
    expect([-9, -2, -0.1, 0, 3.9, 4, 9].map((t) => placeAt(times, t))).toEqual([0, 0, 0, 1, 2, 3, 3]);
  });

  it("goes straight between samples and holds beyond them", () => {
    const values = [10, 20, 40, 10];
    expect([-5, -1, 0.5, 2.5, 9].map((t) => between(times, values, t))).toEqual([10, 15, 30, 25, 10]);
  });

  it("knows nothing where nothing is known", () => {
    expect(between(times, [null, 1, 2, 3], -1)).toBeNull();
    expect(between(times, [1, null, 2, 3], -1)).toBe(1);
    expect(between([], [], 1)).toBeNull();
  });

  it("turns angles the short way round", () => {
    expect(angleBetween([0, 1], [350, 10], 0.5)).toBeCloseTo(0);
    expect(angleBetween([0, 1], [10, 350], 0.25)).toBeCloseTo(5);
    expect(angleBetween([0], [90], 7)).toBe(90);
  });

  it("says which mode held", () => {
    const modes = [[0, "GUIDED"], [3, "AUTO"]] as const;
    expect([-1, 0, 2, 3].map((t) => heldAt(modes, t))).toEqual(["", "GUIDED", "GUIDED", "AUTO"]);
  });

  it("draws runs without gaps inside the frame", () => {
    const drawn = runs([0, 1, 2, 3, 4], [0, 10, null, 10, 5], 10);
    expect(drawn).toEqual(["0.0,118.0 250.0,4.0", "750.0,4.0 1000.0,61.0"]);
  });
});
