import { expect, test } from "vitest";

import { duration } from "./duration";

const all = (seconds: number) => ["fr", "nl", "en"].map((code) => duration(seconds, code));

test("days and hours are shortened as the language does, and as the server writes them", () => {
  expect(all(40)).toEqual(["40 s", "40 s", "40 s"]);
  expect(all(-65)).toEqual(["−1 min 05 s", "−1 min 05 s", "−1 min 05 s"]);
  expect(all(898 * 60)).toEqual(["14 h 58 min", "14 u 58 min", "14 h 58 min"]);
  expect(all(276_000)).toEqual(["3 j 4 h", "3 d 4 u", "3 d 4 h"]);
});

test("an unknown language is read as English", () => {
  expect(duration(90_000, "de")).toBe("1 d 1 h");
});
