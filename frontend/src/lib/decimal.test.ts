import { describe, expect, it } from "vitest";

import { decimal, fixed } from "./decimal";

describe("a number on a page", () => {
  it("has the language's decimal sign", () => {
    expect(decimal(-1234.5678, 3, "fr")).toBe("-1234,568");
    expect(decimal(-1234.5678, 3, "nl")).toBe("-1234,568");
    expect(decimal(-1234.5678, 3, "en")).toBe("-1234.568");
    expect(decimal(7, 0, "fr")).toBe("7");
  });

  it("has no sign where nothing is left of it", () => {
    expect(fixed(-0.3, 0)).toBe("0");
    expect(fixed(-0.5004, 1)).toBe("-0.5");
    expect(decimal(-0.04, 1, "fr")).toBe("0,0");
  });

  it("is a dash where there is none", () => {
    for (const none of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) expect(decimal(none, 3, "en")).toBe("–");
  });
});
