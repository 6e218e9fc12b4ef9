import { expect, test } from "vitest";

import type { TreeNode } from "./octree";
import { Residence } from "./residence";

function node(key: string, count = 10): TreeNode {
  return { key, count, offset: 0, length: 1 };
}

function keys(nodes: readonly TreeNode[]): string[] {
  return nodes.map((one) => one.key);
}

test("what is wanted is asked for in its order, a few at once", () => {
  const held = new Residence(2);
  const wanted = [node("a"), node("b"), node("c")];
  expect(keys(held.plan(wanted, 100).load)).toEqual(["a", "b"]);
  expect(held.plan(wanted, 100).load).toEqual([]);
  expect(held.arrived("a")).toBe(true);
  expect(keys(held.plan(wanted, 100).load)).toEqual(["c"]);
});

test("what is no longer wanted is cancelled, and does not count when it comes all the same", () => {
  const held = new Residence(4);
  held.plan([node("a"), node("b")], 100);
  expect(held.plan([node("b")], 100).cancel).toEqual(["a"]);
  expect(held.arrived("a")).toBe(false);
  expect(held.has("a")).toBe(false);
  expect(held.points).toBe(10);
});

test("the longest unused goes first, and what is wanted never goes", () => {
  const held = new Residence(9);
  for (const key of ["a", "b", "c"]) {
    held.plan([node(key)], 30);
    held.arrived(key);
  }
  held.plan([node("a")], 30); // used again: b is the oldest now
  const steps = held.plan([node("a"), node("d")], 30);
  expect(steps.evict).toEqual(["b"]);
  expect(keys(steps.load)).toEqual(["d"]);
});

test("a smaller budget takes effect at once", () => {
  const held = new Residence(9);
  const wanted = ["a", "b", "c"].map((key) => node(key));
  held.plan(wanted, 30);
  for (const { key } of wanted) held.arrived(key);
  expect([...held.plan([node("a")], 10).evict].sort()).toEqual(["b", "c"]);
  expect(held.points).toBe(10);
});

test("what failed may be asked for again", () => {
  const held = new Residence(1);
  held.plan([node("a")], 30);
  held.failed("a");
  expect(keys(held.plan([node("a")], 30).load)).toEqual(["a"]);
});

test("the budget holds on any walk, with points on their way counted", () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const held = new Residence(3);
  const coming: string[] = [];
  const here = new Set<string>();
  const all = Array.from({ length: 60 }, (_, n) => node(`n${n}`, 1 + random(40)));
  for (let turn = 0; turn < 2000; turn++) {
    const budget = 200;
    const wanted: TreeNode[] = [];
    let sum = 0;
    for (let n = random(60), k = 0; k < 12; k++, n = (n + 1) % 60) {
      const one = all[n] as TreeNode;
      if (sum + one.count > budget) break;
      sum += one.count;
      wanted.push(one);
    }
    const steps = held.plan(wanted, budget);
    for (const key of steps.evict) expect(here.delete(key)).toBe(true);
    for (const key of steps.cancel) coming.splice(coming.indexOf(key), 1);
    coming.push(...keys(steps.load));
    expect(held.points).toBeLessThanOrEqual(budget);
    expect(coming.length).toBeLessThanOrEqual(3);
    const came = random(2) === 0 ? coming.shift() : undefined;
    if (came !== undefined && held.arrived(came)) here.add(came);
  }
  const truth = all.filter((one) => here.has(one.key)).reduce((sum, one) => sum + one.count, 0);
  const underway = all.filter((one) => coming.includes(one.key)).reduce((sum, one) => sum + one.count, 0);
  expect(held.points).toBe(truth + underway);
});
