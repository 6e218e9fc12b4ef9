/** What the page and its decoding workers say to each other. */

import type { TreeNode, TreePage } from "./octree";
import type { RecordShape } from "./points";

export interface PageAsk {
  readonly kind: "page";
  readonly id: number;
  readonly url: string;
  readonly page: TreePage;
}

export interface NodeAsk {
  readonly kind: "node";
  readonly id: number;
  readonly url: string;
  readonly node: TreeNode;
  readonly shape: RecordShape;
}

export interface CancelAsk {
  readonly kind: "cancel";
  readonly id: number;
}

export type Ask = PageAsk | NodeAsk | CancelAsk;

/** What the server's page says of a file, so that the first thing that is fetched of it is points. */
export interface Opened {
  readonly count: number;
  readonly low: readonly [number, number, number];
  readonly side: number;
  readonly spacing: number;
  /** The box of the points themselves, which the cube is larger than. */
  readonly tight: { readonly low: readonly [number, number, number]; readonly high: readonly [number, number, number] };
  readonly shape: RecordShape;
  readonly root: TreePage;
  /** The upper levels of the octree; the rest comes with the root's page of the hierarchy. */
  readonly nodes: readonly TreeNode[];
}

export interface Hierarchy {
  readonly nodes: readonly TreeNode[];
  readonly pages: readonly TreePage[];
}

export type Answer =
  | { readonly id: number; readonly done: Hierarchy | ArrayBuffer }
  | { readonly id: number; readonly failed: string };
