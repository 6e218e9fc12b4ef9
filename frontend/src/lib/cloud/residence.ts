/** Which nodes stay in memory: never more points than the budget, the least lately used go first; pure. */

import type { TreeNode } from "./octree";

export interface Steps {
  /** To be asked for now, the most useful first. */
  readonly load: readonly TreeNode[];
  /** Asked for, and no longer wanted. */
  readonly cancel: readonly string[];
  /** To be thrown away before anything is loaded. */
  readonly evict: readonly string[];
}

interface Held {
  readonly count: number;
  usedAt: number;
}

export class Residence {
  private readonly held = new Map<string, Held>();
  private readonly coming = new Map<string, number>();
  private turn = 0;

  constructor(private readonly atOnce: number) {}

  /** Points in memory and on their way. */
  get points(): number {
    let sum = 0;
    for (const { count } of this.held.values()) sum += count;
    for (const count of this.coming.values()) sum += count;
    return sum;
  }

  get isWaiting(): boolean {
    return this.coming.size > 0;
  }

  has(key: string): boolean {
    return this.held.has(key);
  }

  /** What to do, so that the wanted nodes come within the budget; it counts as done. */
  plan(wanted: readonly TreeNode[], budget: number): Steps {
    this.turn += 1;
    const keys = new Set(wanted.map((node) => node.key));
    for (const key of keys) {
      const one = this.held.get(key);
      if (one !== undefined) one.usedAt = this.turn;
    }
    const cancel = [...this.coming.keys()].filter((key) => !keys.has(key));
    for (const key of cancel) this.coming.delete(key);
    const evict = this.room(budget, 0);
    const load: TreeNode[] = [];
    for (const node of wanted) {
      if (this.coming.size >= this.atOnce) break;
      if (this.held.has(node.key) || this.coming.has(node.key)) continue;
      evict.push(...this.room(budget, node.count));
      if (this.points + node.count > budget) break;
      this.coming.set(node.key, node.count);
      load.push(node);
    }
    return { load, cancel, evict };
  }

  /** A node has come; false when nobody waits for it any more. */
  arrived(key: string): boolean {
    const count = this.coming.get(key);
    if (count === undefined) return false;
    this.coming.delete(key);
    this.held.set(key, { count, usedAt: this.turn });
    return true;
  }

  failed(key: string): void {
    this.coming.delete(key);
  }

  /** Throws away what is not wanted now, the longest unused first, until so many points fit. */
  private room(budget: number, count: number): string[] {
    const gone: string[] = [];
    let points = this.points;
    if (points + count <= budget) return gone;
    const idle = [...this.held].filter(([, one]) => one.usedAt < this.turn);
    idle.sort((a, b) => a[1].usedAt - b[1].usedAt);
    for (const [key, one] of idle) {
      if (points + count <= budget) break;
      this.held.delete(key);
      points -= one.count;
      gone.push(key);
    }
    return gone;
  }
}
