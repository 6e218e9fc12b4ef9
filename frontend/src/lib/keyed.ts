/** A list whose elements stay while their rows do: an element made anew would fetch its picture again. */

export class KeyedList<Row> {
  private readonly kept = new Map<string, { readonly node: Element; update(row: Row): void }>();

  constructor(
    private readonly list: Element,
    private readonly key: (row: Row) => string,
    private readonly make: (row: Row) => { readonly node: Element; update(row: Row): void },
  ) {}

  /** Shows these rows in this order; what is in its place is not touched. */
  show(rows: readonly Row[]): void {
    const wanted = new Set(rows.map(this.key));
    for (const [key, item] of this.kept) {
      if (wanted.has(key)) continue;
      item.node.remove();
      this.kept.delete(key);
    }
    rows.forEach((row, index) => {
      const node = this.item(row);
      const there = this.list.children[index] ?? null;
      if (there !== node) this.list.insertBefore(node, there);
    });
  }

  private item(row: Row): Element {
    const key = this.key(row);
    const item = this.kept.get(key) ?? this.make(row);
    this.kept.set(key, item);
    item.update(row);
    return item.node;
  }
}
