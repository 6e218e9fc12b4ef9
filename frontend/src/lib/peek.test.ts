import { describe, expect, it } from "vitest";

import { CUT_PX, SEEN_PX, peekAt } from "./peek";

describe("a window onto a photo", () => {
  it("has the place in its middle, wherever that lies, and never looks beyond the server's square", () => {
    for (const overview of [1, 2, 4]) {
      for (let k = -40; k < 700; k++) {
        const [x, y] = [k * 7.13, 5000 - k * 6.77];
        const peek = peekAt(x, y, overview);
        // What the window's middle shows: the square's begin, and how far into it the window looks.
        expect(overview * (peek.left - peek.shiftX + SEEN_PX / 2)).toBeCloseTo(x, 6);
        expect(overview * (peek.top - peek.shiftY + SEEN_PX / 2)).toBeCloseTo(y, 6);
        for (const shift of [peek.shiftX, peek.shiftY]) {
          expect(shift).toBeLessThanOrEqual(0);
          expect(shift + CUT_PX).toBeGreaterThanOrEqual(SEEN_PX);
        }
      }
    }
  });

  it("asks for the same square while the place moves by a few pixels, and for whole pixels", () => {
    const squares = new Set<string>();
    for (let dx = 0; dx < 40; dx++) {
      const { left, top } = peekAt(2001 + dx, 1501 + dx / 2, 4);
      expect(Number.isInteger(left) && Number.isInteger(top)).toBe(true);
      squares.add(`${left} ${top}`);
    }
    expect(squares.size).toBeLessThanOrEqual(2);
  });
});
