import { describe, expect, it } from "vitest";

import { differences } from "./importing";

describe("what a file changed in a form", () => {
  const typed = { polygon: "50.8, 4.3", pattern: "survey", height: "60", csrf_token: "a", known: "1" };

  it("is the fields with another value, each with both", () => {
    const taken = { ...typed, polygon: "50.9, 4.4\n50.9, 4.5", pattern: "corridor" };
    expect(differences(typed, taken)).toEqual({
      before: { polygon: "50.8, 4.3", pattern: "survey" },
      after: { polygon: "50.9, 4.4\n50.9, 4.5", pattern: "corridor" },
    });
  });

  it("is never the page's own token or what it has seen, nor a field that one side lacks", () => {
    const taken = { polygon: typed.polygon, pattern: "survey", csrf_token: "b", known: "1,2", heights: "30" };
    expect(differences(typed, taken)).toEqual({ before: {}, after: {} });
  });
});
