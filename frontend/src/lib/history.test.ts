import { expect, test } from "vitest";

import { History } from "./history";

test("every step is undone and redone, however many there were", () => {
  const history = new History(0);
  for (let n = 1; n <= 5000; n += 1) history.push(n);
  const past: number[] = [];
  while (history.undo()) past.push(history.present);
  expect(past).toEqual(Array.from({ length: 5000 }, (_, i) => 4999 - i));
  const future: number[] = [];
  while (history.redo()) future.push(history.present);
  expect(future).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  expect([history.redo(), history.canRedo, history.canUndo]).toEqual([false, false, true]);
});

test("an edit after an undo begins a new future", () => {
  const history = new History("a");
  history.push("b");
  history.undo();
  history.push("c");
  expect(history.redo()).toBe(false);
  expect(history.present).toBe("c");
  expect(history.undo()).toBe(true);
  expect(history.present).toBe("a");
});
