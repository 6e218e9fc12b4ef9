import { describe, expect, it } from "vitest";

import { asked, clashes, laneAt, moved, steps, withinAsked, type Piece } from "./schedule";

const HOUR = 3_600_000;
const piece: Piece = {
  request: "12",
  lane: "drone:3",
  takenMs: 9.5 * HOUR,
  startMs: 10 * HOUR,
  endMs: 11 * HOUR,
  freeMs: 11.5 * HOUR,
  fromMs: 10 * HOUR,
  untilMs: 14 * HOUR,
  crew: ["4", "7"],
};

describe("moving a bar", () => {
  it("counts whole steps, to the nearest", () => {
    expect([0, 4, 6, -6, 29].map((dx) => steps(dx, 0.7, 15))).toEqual([0, 0, 1, -1, 3]);
  });

  it("stays within the picture, on its own grid", () => {
    const ten = { ...piece, startMs: 10.1 * HOUR, endMs: 11.1 * HOUR };
    expect(moved(ten, 4, 15, 0, 24 * HOUR)).toBeCloseTo(11.1 * HOUR);
    expect(moved(ten, -400, 15, 0, 24 * HOUR) / HOUR).toBeCloseTo(0.1);
    expect(moved(ten, 400, 15, 0, 24 * HOUR) / HOUR).toBeCloseTo(22.85);
    expect(moved(ten, 1, 15, 10.2 * HOUR, 10.9 * HOUR)).toBe(ten.startMs);
  });

  it("knows the first and the last lane", () => {
    expect([-1, 0, 1, 9].map((index) => laneAt(["a", "b"], index))).toEqual(["a", "a", "b", "b"]);
  });

  it("names each request that it would overlap, once, and never itself", () => {
    const other = { ...piece, request: "9", lane: "drone:4", takenMs: 12 * HOUR, freeMs: 15 * HOUR };
    const pieces = [piece, other, { ...other, request: "8", lane: "drone:5" }, other];
    expect(clashes(pieces, piece, { lane: "drone:4", startMs: 10 * HOUR })).toEqual([]);
    expect(clashes(pieces, piece, { lane: "drone:4", startMs: 10.75 * HOUR })).toEqual(["9"]);
    expect(clashes(pieces, piece, { lane: "drone:3", startMs: 10.75 * HOUR })).toEqual([]);
  });

  it("touching ends do not clash", () => {
    const after = { ...piece, request: "9", takenMs: 11.5 * HOUR, freeMs: 13 * HOUR };
    expect(clashes([after], piece, { lane: "drone:3", startMs: piece.startMs })).toEqual([]);
  });

  it("knows the window that was asked for", () => {
    const at = (startMs: number) => withinAsked(piece, { lane: "drone:3", startMs });
    expect([9.9, 10, 13, 13.1].map((hour) => at(hour * HOUR))).toEqual([false, true, true, false]);
  });
});

describe("what is asked for", () => {
  it("is nothing where nothing has moved", () => {
    expect(asked(piece, { lane: "drone:3", startMs: piece.startMs })).toBeNull();
  });

  it("is the drone alone in another row of drones", () => {
    const found = asked(piece, { lane: "drone:9", startMs: piece.startMs });
    expect(found).toEqual({ droneId: "9", crew: [], startMs: null });
  });

  it("is the whole crew with one member replaced in another row of pilots", () => {
    const flown = { ...piece, lane: "pilot:4" };
    expect(asked(flown, { lane: "pilot:2", startMs: 12 * HOUR })).toEqual({
      droneId: "",
      crew: ["2", "7"],
      startMs: 12 * HOUR,
    });
    expect(asked(flown, { lane: "pilot:7", startMs: piece.startMs })?.crew).toEqual(["7"]);
  });

  it("keeps the row when only the time has moved", () => {
    expect(asked(piece, { lane: "drone:3", startMs: 11 * HOUR })).toEqual({
      droneId: "3",
      crew: [],
      startMs: 11 * HOUR,
    });
  });
});
