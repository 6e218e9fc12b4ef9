/** Where a cloud's points come from: a COPC file in pieces, or the server's one buffer of old scenes. */

import type { Answer, Ask, Hierarchy, Opened } from "./messages";
import { Octree, type TreeNode, type TreePage } from "./octree";
import { arraysOf, widened } from "./points";

export interface CloudSource {
  readonly tree: Octree;
  /** Points in the whole cloud. */
  readonly count: number;
  readonly low: readonly [number, number, number];
  readonly high: readonly [number, number, number];
  /** How many nodes are fetched at once. */
  readonly atOnce: number;
  node(node: TreeNode, signal: AbortSignal): Promise<ArrayBuffer>;
  page(page: TreePage): Promise<void>;
}

/** Workers that answer one message each with one message; each has a few on its desk, so that
    one piece is on its way while another is unpacked. */
class Workers {
  private readonly workers: readonly Worker[];
  private readonly waiting = new Map<number, { take: (done: unknown) => void; fail: (why: Error) => void }>();
  private last = 0;

  constructor(count: number) {
    this.workers = Array.from({ length: count }, () => {
      const worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module" });
      worker.addEventListener("message", (event: MessageEvent<Answer>) => this.answered(event.data));
      worker.addEventListener("error", (event) => this.broken(event.message));
      return worker;
    });
  }

  ask<T>(what: (id: number) => Ask, signal?: AbortSignal): Promise<T> {
    const id = ++this.last;
    const worker = this.workers[id % this.workers.length] as Worker;
    signal?.addEventListener("abort", () => worker.postMessage({ kind: "cancel", id } satisfies Ask));
    return new Promise<T>((take, fail) => {
      this.waiting.set(id, { take: take as (done: unknown) => void, fail });
      worker.postMessage(what(id));
    });
  }

  private answered(answer: Answer): void {
    const waits = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ("done" in answer) waits?.take(answer.done);
    else waits?.fail(new Error(answer.failed));
  }

  private broken(why: string): void {
    for (const { fail } of this.waiting.values()) fail(new Error(why));
    this.waiting.clear();
  }
}

const PER_WORKER = 3;

/** A COPC file that the server hands out in ranges; opened : what its page says of the file. */
export function openCopc(url: string, opened: Opened): CloudSource {
  const count = Math.min(3, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
  const workers = new Workers(count);
  const tree = new Octree({ low: opened.low, side: opened.side }, opened.spacing);
  // The first view is drawn from the upper levels while the page that names the others is fetched.
  tree.add(opened.nodes, [opened.root]);
  const fetched = (node: TreeNode, signal?: AbortSignal): Promise<ArrayBuffer> =>
    workers.ask((id) => ({ kind: "node", id, url, node, shape: opened.shape }), signal);
  const read = (page: TreePage): Promise<Hierarchy> => workers.ask((id) => ({ kind: "page", id, url, page }));
  // Every view begins with the root: it is on its way before there is anything to draw on.
  const root = tree.node(opened.root.key);
  const early = new Map<string, Promise<ArrayBuffer>>();
  if (root !== undefined) early.set(root.key, fetched(root));
  early.forEach((coming) => coming.catch(() => undefined)); // whoever takes it is told
  return {
    tree,
    count: opened.count,
    low: opened.tight.low,
    high: opened.tight.high,
    atOnce: PER_WORKER * count,
    node: (node, signal) => {
      const coming = early.get(node.key);
      early.delete(node.key);
      return coming ?? fetched(node, signal);
    },
    page: async (page) => {
      const found = await read(page);
      tree.add(found.nodes, found.pages);
    },
  };
}

/** The server's sample of a cloud without a COPC file: a tree of one node. */
export async function openBuffer(url: string): Promise<CloudSource> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(String(response.status));
  const buffer = widened(await response.arrayBuffer());
  const { count, places } = arraysOf(buffer);
  const { low, high } = boundsOf(places);
  const side = Math.max(...high.map((value, axis) => value - (low[axis] ?? 0)), 1e-3);
  const tree = new Octree({ low, side }, side / Math.sqrt(Math.max(count, 1)));
  tree.add([{ key: "0-0-0-0", count, offset: 0, length: 0 }], []);
  return { tree, count, low, high, atOnce: 1, node: () => Promise.resolve(buffer), page: () => Promise.resolve() };
}

function boundsOf(places: Float32Array): { low: [number, number, number]; high: [number, number, number] } {
  const low: [number, number, number] = [Infinity, Infinity, Infinity];
  const high: [number, number, number] = [-Infinity, -Infinity, -Infinity];
  for (let at = 0; at < places.length; at += 3) {
    for (const axis of [0, 1, 2] as const) {
      const value = places[at + axis] as number;
      low[axis] = Math.min(low[axis], value);
      high[axis] = Math.max(high[axis], value);
    }
  }
  return { low, high };
}
