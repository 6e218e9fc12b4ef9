/** What the page and its decoding workers say to each other. */

import type { TreeNode, TreePage } from "./octree";
import type { RecordShape } from "./points";

export interface OpenAsk {
  readonly kind: "open";
  readonly id: number;
  readonly url: string;
  /** What the page takes for the cloud's middle, in the file's own coordinates. */
  readonly middle: readonly [number, number, number];
}

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

export type Ask = OpenAsk | PageAsk | NodeAsk | CancelAsk;

export interface Opened {
  readonly count: number;
  readonly low: readonly [number, number, number];
  readonly side: number;
  readonly spacing: number;
  /** The box of the points themselves, which the cube is larger than. */
  readonly tight: { readonly low: readonly [number, number, number]; readonly high: readonly [number, number, number] };
  readonly shape: RecordShape;
  readonly root: TreePage;
}

export interface Hierarchy {
  readonly nodes: readonly TreeNode[];
  readonly pages: readonly TreePage[];
}

export type Answer =
  | { readonly id: number; readonly done: Opened | Hierarchy | ArrayBuffer }
  | { readonly id: number; readonly failed: string };
