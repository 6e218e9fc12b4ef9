import { expect, test } from "vitest";

import { Waiting, type Entry } from "./waiting";

class Memory {
  private readonly kept = new Map<string, string>();

  constructor(private readonly room = Infinity) {}

  get length(): number {
    return this.kept.size;
  }

  key(index: number): string | null {
    return [...this.kept.keys()].reverse()[index] ?? null;
  }

  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.kept.size >= this.room) throw new Error("full");
    this.kept.set(key, value);
  }

  removeItem(key: string): void {
    this.kept.delete(key);
  }
}

function entry(key: string, at = "2026-05-04T08:00:00Z"): Entry {
  return { key, kind: "note", item: "", value: key, at, base: "" };
}

test("entries come back in the order in which they were written, whatever the clock said", () => {
  const waiting = new Waiting(new Memory(), 1, 2);
  waiting.add(entry("c", "2026-05-04T10:00:00Z"));
  waiting.add(entry("a", "2026-05-04T08:00:00Z"));
  waiting.add(entry("b", "2026-05-04T09:00:00Z"));
  expect(waiting.all().map((one) => one.key)).toEqual(["c", "a", "b"]);
});

test("two tabs and a restart see the same entries and lose none", () => {
  const store = new Memory();
  new Waiting(store, 1, 2).add(entry("a"));
  new Waiting(store, 1, 2).add(entry("b"));
  expect(new Waiting(store, 1, 2).all().map((one) => one.key)).toEqual(["a", "b"]);
});

test("nobody sees what another person or another mission keeps waiting", () => {
  const store = new Memory();
  new Waiting(store, 1, 2).add(entry("a"));
  expect(new Waiting(store, 9, 2).all()).toEqual([]);
  expect(new Waiting(store, 1, 21).all()).toEqual([]);
});

test("what the server has goes, the rest stays", () => {
  const waiting = new Waiting(new Memory(), 1, 2);
  for (const key of ["a", "b", "c"]) waiting.add(entry(key));
  waiting.remove(["a", "c", "never"]);
  expect(waiting.all().map((one) => one.key)).toEqual(["b"]);
});

test("a full device says so instead of pretending", () => {
  const waiting = new Waiting(new Memory(1), 1, 2);
  waiting.add(entry("a"));
  expect(() => waiting.add(entry("b"))).toThrow("full");
});
