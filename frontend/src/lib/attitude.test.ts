import { describe, expect, it } from "vitest";

import { bearingDeg, shortWay, tilt } from "./attitude";

describe("an attitude's picture", () => {
  it("turns the short way round and keeps the angle", () => {
    for (const before of [-725, -180, 0, 1, 359, 720.5]) {
      for (const next of [0, 1, 90, 179, 181, 270, 359.5]) {
        const found = shortWay(before, next);
        expect(Math.abs(found - before)).toBeLessThanOrEqual(180);
        expect(Math.cos(((found - next) * Math.PI) / 180)).toBeCloseTo(1, 9);
      }
    }
    expect(shortWay(359, 1)).toBeCloseTo(361);
    expect(shortWay(-359, -1)).toBeCloseTo(-361);
  });

  it("turns the horizon against the roll and lowers it for a nose that is up", () => {
    expect(tilt(20, 0).turnDeg).toBe(-20);
    expect(tilt(0, 10).down).toBe(10);
    expect(tilt(0, -10).down).toBe(-10);
    expect(tilt(0, 400).down).toBe(90);
  });

  it("finds the way home by the compass", () => {
    const here = { latDeg: 50.8, lonDeg: 4.4 };
    const at = (latDeg: number, lonDeg: number): number => bearingDeg(here, { latDeg, lonDeg });
    expect(at(50.81, 4.4)).toBeCloseTo(0, 1);
    expect(at(50.8, 4.41)).toBeCloseTo(90, 1);
    expect(at(50.79, 4.4)).toBeCloseTo(180, 1);
    expect(at(50.8, 4.39)).toBeCloseTo(270, 1);
    expect(at(50.81, 4.4 + 0.01 / Math.cos((50.8 * Math.PI) / 180))).toBeCloseTo(45, 0);
  });
});
