/** A COPC file's octree, and which of its nodes a view needs; pure.

    Nodes are additive: a child's points lie between its parent's.  Coordinates are metres about
    the cloud's middle, so that single precision keeps a tenth of a millimetre. */

import { Box3, Frustum, Vector3 } from "three";

/** Where a node's points lie in the file; `depth-x-y-z` is its key. */
export interface TreeNode {
  readonly key: string;
  readonly count: number;
  readonly offset: number;
  readonly length: number;
}

/** A part of the hierarchy that has not been read. */
export interface TreePage {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

export interface Cube {
  readonly low: readonly [number, number, number];
  readonly side: number;
}

/** From where the cloud is looked at.

    pxPerRad : pixels of the screen by which a length as large as its distance appears. */
export interface Eye {
  readonly position: Vector3;
  readonly frustum: Frustum;
  readonly pxPerRad: number;
}

export interface Wanted {
  /** Nodes in the order of their use; a parent comes before its children. */
  readonly nodes: readonly TreeNode[];
  /** Parts of the hierarchy that would have been looked into. */
  readonly pages: readonly TreePage[];
  readonly points: number;
  /** Of every node that is refined the children in view, also those that the budget left out. */
  readonly parts: ReadonlyMap<string, readonly string[]>;
}

/** A node is refined while its points lie farther apart than this on the screen. */
export const FINE_PX = 1.4;
const CHILDREN = [0, 1, 2, 3, 4, 5, 6, 7] as const;

export class Octree {
  private readonly nodes = new Map<string, TreeNode>();
  private readonly pages = new Map<string, TreePage>();

  /** spacing : between a root node's points, in metres. */
  constructor(
    readonly cube: Cube,
    readonly spacing: number,
  ) {}

  add(nodes: Iterable<TreeNode>, pages: Iterable<TreePage>): void {
    for (const node of nodes) {
      this.nodes.set(node.key, node);
      this.pages.delete(node.key);
    }
    for (const page of pages) this.pages.set(page.key, page);
  }

  node(key: string): TreeNode | undefined {
    return this.nodes.get(key);
  }

  /** The node's box in metres about the cloud's middle. */
  box(key: string): Box3 {
    const [depth, ...place] = numbers(key);
    const side = this.cube.side / 2 ** depth;
    const low = new Vector3(...this.cube.low).addScaledVector(new Vector3(...place), side);
    return new Box3(low, low.clone().addScalar(side));
  }

  /** Metres between a node's points. */
  spacingOf(key: string): number {
    return this.spacing / 2 ** numbers(key)[0];
  }

  /** The keys of a node's children that the file has. */
  childrenOf(key: string): string[] {
    return children(key).filter((child) => this.nodes.has(child) || this.pages.has(child));
  }

  /** The nodes that the view needs, coarse and near ones first, within a budget of points.

      Best first by the distance of a parent's points on the screen: where the budget ends, what
      is left out is what would have changed the picture least. */
  wanted(eye: Eye, budget: number): Wanted {
    const queue = new Heap();
    const found: TreeNode[] = [];
    const pages: TreePage[] = [];
    const parts = new Map<string, readonly string[]>();
    let points = 0;
    queue.push("0-0-0-0", Infinity);
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      const page = this.pages.get(key);
      if (page !== undefined) pages.push(page);
      const node = this.nodes.get(key);
      if (node === undefined) continue;
      if (points + node.count > budget) break;
      points += node.count;
      if (node.count > 0) found.push(node);
      const inView = this.enqueue(queue, key, eye);
      if (inView.length > 0) parts.set(key, inView);
    }
    return { nodes: found, pages, points, parts };
  }

  /** Puts a node's children in view into the queue where its own points are too far apart. */
  private enqueue(queue: Heap, key: string, eye: Eye): string[] {
    const inView: string[] = [];
    const box = this.box(key);
    const apart = (eye.pxPerRad * this.spacingOf(key)) / Math.max(box.distanceToPoint(eye.position), 1e-6);
    if (apart <= FINE_PX) return inView;
    for (const child of this.childrenOf(key)) {
      const part = this.box(child);
      if (!eye.frustum.intersectsBox(part)) continue;
      const distance = Math.max(part.distanceToPoint(eye.position), 1e-6);
      queue.push(child, (eye.pxPerRad * this.spacingOf(key)) / distance);
      inView.push(child);
    }
    return inView;
  }
}

/** The keys that a node's eight children would have. */
export function children(key: string): string[] {
  const [depth, x, y, z] = numbers(key);
  return CHILDREN.map((n) => `${depth + 1}-${2 * x + (n & 1)}-${2 * y + ((n >> 1) & 1)}-${2 * z + (n >> 2)}`);
}

function numbers(key: string): [number, number, number, number] {
  const [depth = 0, x = 0, y = 0, z = 0] = key.split("-").map(Number);
  return [depth, x, y, z];
}

/** A binary heap: the entry of the highest rank comes out first. */
class Heap {
  private readonly keys: string[] = [];
  private readonly ranks: number[] = [];

  push(key: string, rank: number): void {
    let at = this.keys.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.ranks[parent] as number) >= rank) break;
      this.keys[at] = this.keys[parent] as string;
      this.ranks[at] = this.ranks[parent] as number;
      at = parent;
    }
    this.keys[at] = key;
    this.ranks[at] = rank;
  }

  pop(): string | undefined {
    const first = this.keys[0];
    const key = this.keys.pop();
    const rank = this.ranks.pop();
    if (key === undefined || rank === undefined || this.keys.length === 0) return first;
    this.sink(key, rank);
    return first;
  }

  private sink(key: string, rank: number): void {
    const size = this.keys.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (this.ranks[child + 1] as number) > (this.ranks[child] as number)) child += 1;
      if ((this.ranks[child] as number) <= rank) break;
      this.keys[at] = this.keys[child] as string;
      this.ranks[at] = this.ranks[child] as number;
      at = child;
    }
    this.keys[at] = key;
    this.ranks[at] = rank;
  }
}
