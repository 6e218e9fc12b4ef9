import { describe, expect, it } from "vitest";

import { KeyedList } from "./keyed";

/** As much of a document as a list needs; counts what is put in. */
class FakeList {
  children: FakeNode[] = [];
  moves = 0;

  insertBefore(node: FakeNode, before: FakeNode | null): void {
    this.children = this.children.filter((one) => one !== node);
    const at = before === null ? this.children.length : this.children.indexOf(before);
    this.children.splice(at, 0, node);
    node.list = this;
    this.moves++;
  }
}

class FakeNode {
  list: FakeList | null = null;
  text = "";

  constructor(readonly number: number) {}

  remove(): void {
    if (this.list !== null) this.list.children = this.list.children.filter((one) => one !== this);
  }
}

function listed(): { list: FakeList; rows: KeyedList<string>; made: () => number } {
  const list = new FakeList();
  let count = 0;
  const rows = new KeyedList<string>(list as unknown as Element, (row) => row[0] ?? "", () => {
    const node = new FakeNode(++count);
    return { node: node as unknown as Element, update: (row) => { node.text = row; } };
  });
  return { list, rows, made: () => count };
}

describe("a list with keys", () => {
  it("always shows the rows that it was given, in their order", () => {
    const { list, rows } = listed();
    const letters = [..."abcdefgh"];
    let seed = 7;
    for (let turn = 0; turn < 60; turn++) {
      const wanted = letters.map((letter) => {
        seed = (seed * 48271) % 2147483647;
        return { letter, by: seed };
      }).filter((one) => one.by % 3 > 0).sort((a, b) => a.by - b.by).map((one) => one.letter + String(turn));
      rows.show(wanted);
      expect(list.children.map((node) => node.text)).toEqual(wanted);
    }
  });

  it("makes an element once and leaves alone what stays in its place", () => {
    const { list, rows, made } = listed();
    rows.show(["a1", "b1", "c1"]);
    const first = [...list.children];
    const moves = list.moves;
    rows.show(["a2", "b2", "c2"]);
    expect(list.children).toEqual(first);
    expect(list.moves).toBe(moves);
    rows.show(["c3", "a3", "b3", "d3"]);
    expect(list.children.slice(0, 3)).toEqual([first[2], first[0], first[1]]);
    expect(made()).toBe(4);
    expect(list.moves).toBe(moves + 2);
  });
});
