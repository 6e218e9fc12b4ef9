/** Entries that wait on the device for the network: each under a key of its own, so that two tabs
    never overwrite each other, and each somebody's, so that nobody sends another's. */

export interface Entry {
  readonly key: string;
  readonly kind: "check" | "time" | "defect" | "note";
  readonly item: string;
  readonly value: string;
  readonly at: string;
  readonly base: string;
}

interface Store {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class Waiting {
  private readonly prefix: string;

  constructor(
    private readonly store: Store,
    user: number,
    mission: number,
  ) {
    this.prefix = `field:${user}:${mission}:`;
  }

  /** The entries in the order in which they were written. */
  all(): Entry[] {
    const found: { readonly n: number; readonly entry: Entry }[] = [];
    for (let index = 0; index < this.store.length; index += 1) {
      const name = this.store.key(index) ?? "";
      const text = name.startsWith(this.prefix) ? this.store.getItem(name) : null;
      if (text !== null) found.push(JSON.parse(text) as { n: number; entry: Entry });
    }
    found.sort((a, b) => a.n - b.n || a.entry.at.localeCompare(b.entry.at));
    return found.map((one) => one.entry);
  }

  /** Keeps an entry; throws when the device has no room, so that nobody believes it is kept. */
  add(entry: Entry): void {
    const n = this.all().length === 0 ? 0 : this.next();
    this.store.setItem(this.prefix + entry.key, JSON.stringify({ n, entry }));
  }

  /** The server has them. */
  remove(keys: Iterable<string>): void {
    for (const key of keys) this.store.removeItem(this.prefix + key);
  }

  private next(): number {
    let highest = 0;
    for (let index = 0; index < this.store.length; index += 1) {
      const name = this.store.key(index) ?? "";
      if (!name.startsWith(this.prefix)) continue;
      const { n } = JSON.parse(this.store.getItem(name) ?? '{"n":0}') as { n: number };
      highest = Math.max(highest, n);
    }
    return highest + 1;
  }
}
