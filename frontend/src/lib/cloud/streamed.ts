/** A cloud in a scene: what the view needs is fetched, uploaded once, drawn, and given up again. */

import {
  Box3,
  BufferAttribute,
  BufferGeometry,
  Frustum,
  Group,
  Matrix4,
  type PerspectiveCamera,
  Points,
  type Ray,
  type ShaderMaterial,
  Sphere,
  Vector3,
} from "three";

import type { Look } from "./material";
import type { Eye, TreeNode, TreePage } from "./octree";
import { type Picked, pick } from "./pick";
import { arraysOf, type PointArrays } from "./points";
import { Residence } from "./residence";
import type { CloudSource } from "./source";

interface Shown {
  readonly node: TreeNode;
  readonly points: Points<BufferGeometry, ShaderMaterial>;
  readonly arrays: PointArrays;
  readonly box: Box3;
}

/** Points are drawn a little larger than their spacing, so that a surface has no holes. */
const OVERLAP = 1.6;
const ROOT = "0-0-0-0";
/** Points by which a view is fitted. */
const SAMPLE = 4000;

export class StreamedCloud {
  readonly group = new Group();
  readonly box: Box3;
  private readonly residence: Residence;
  private readonly shown = new Map<string, Shown>();
  private readonly fetching = new Map<string, AbortController>();
  private readonly asked = new Set<string>();
  private wantedKeys: ReadonlySet<string> = new Set();

  /** changed : called when there is something new to draw. */
  constructor(
    private readonly source: CloudSource,
    private readonly look: Look,
    public budget: number,
    private readonly changed: () => void,
    private readonly failed: (why: Error) => void,
  ) {
    this.box = new Box3(new Vector3(...source.low), new Vector3(...source.high));
    this.residence = new Residence(source.atOnce);
  }

  /** Points in memory and on their way; never above the budget. */
  get pointsHeld(): number {
    return this.residence.points;
  }

  /** Some points of the root, which is an even sample of the cloud; none before it has come. */
  get sample(): Vector3[] {
    const root = this.shown.get(ROOT);
    if (root === undefined) return [];
    const { places, count } = root.arrays;
    const step = Math.max(1, Math.floor(count / SAMPLE));
    return Array.from({ length: Math.floor(count / step) }, (_, n) => new Vector3().fromArray(places, 3 * n * step));
  }

  /** Points that are drawn. */
  get pointsShown(): number {
    let sum = 0;
    for (const { node, points } of this.shown.values()) if (points.visible) sum += node.count;
    return sum;
  }

  /** Nothing that the view needs is still on its way. */
  get isSettled(): boolean {
    return !this.residence.isWaiting && this.asked.size === 0;
  }

  /** Brings what this view needs; cheap enough for every frame. */
  update(camera: PerspectiveCamera, heightPx: number): void {
    const eye = eyeOf(camera, heightPx);
    this.look.shared.pxPerRad.value = eye.pxPerRad;
    const wanted = this.source.tree.wanted(eye, this.budget);
    this.wantedKeys = new Set(wanted.nodes.map((node) => node.key));
    const steps = this.residence.plan(wanted.nodes, this.budget);
    for (const key of steps.cancel) this.fetching.get(key)?.abort();
    for (const key of steps.evict) this.drop(key);
    for (const node of steps.load) void this.load(node);
    for (const page of wanted.pages) void this.read(page);
    this.showWanted(wanted.parts);
  }

  pick(ray: Ray, tan: number): Picked | null {
    const seen = [...this.shown.values()].filter((one) => one.points.visible);
    return pick(seen, ray, tan, this.look.clip);
  }

  private async read(page: TreePage): Promise<void> {
    if (this.asked.has(page.key)) return;
    this.asked.add(page.key);
    try {
      await this.source.page(page);
    } catch (error) {
      this.failed(error instanceof Error ? error : new Error(String(error)));
      return;
    } finally {
      this.asked.delete(page.key);
    }
    this.changed();
  }

  private async load(node: TreeNode): Promise<void> {
    const control = new AbortController();
    this.fetching.set(node.key, control);
    try {
      const buffer = await this.source.node(node, control.signal);
      if (!control.signal.aborted && this.residence.arrived(node.key)) this.show(node, buffer);
    } catch (error) {
      if (control.signal.aborted) return;
      this.residence.failed(node.key);
      this.failed(error instanceof Error ? error : new Error(String(error)));
      return;
    } finally {
      if (this.fetching.get(node.key) === control) this.fetching.delete(node.key);
    }
    this.changed();
  }

  private show(node: TreeNode, buffer: ArrayBuffer): void {
    const geometry = new BufferGeometry();
    const arrays = arraysOf(buffer);
    geometry.setAttribute("position", new BufferAttribute(arrays.places, 3));
    geometry.setAttribute("paint", new BufferAttribute(arrays.paints, 4, true));
    geometry.setAttribute("sigma", new BufferAttribute(arrays.sigmas, 1));
    const box = this.source.tree.box(node.key);
    geometry.boundingBox = box;
    geometry.boundingSphere = box.getBoundingSphere(new Sphere());
    const points = new Points(geometry, this.look.material(this.source.tree.spacingOf(node.key)));
    this.shown.set(node.key, { node, points, arrays, box });
    this.group.add(points);
  }

  private drop(key: string): void {
    const one = this.shown.get(key);
    if (one === undefined) return;
    this.group.remove(one.points);
    one.points.geometry.dispose();
    one.points.material.dispose();
    this.shown.delete(key);
  }

  /** Shows what is wanted; where all of its children lie between a node's points, those are drawn
      smaller, and larger where a hole would be seen. */
  private showWanted(parts: ReadonlyMap<string, readonly string[]>): void {
    for (const [key, one] of this.shown) {
      one.points.visible = this.wantedKeys.has(key);
      const finer = one.points.visible && (parts.get(key)?.every((child) => this.isDrawn(child)) ?? false);
      const spacing = this.source.tree.spacingOf(key) * OVERLAP;
      const uniform = one.points.material.uniforms["spacing"];
      if (uniform !== undefined) uniform.value = finer ? spacing / 2 : spacing;
    }
  }

  private isDrawn(key: string): boolean {
    return this.shown.has(key) && this.wantedKeys.has(key);
  }
}

export function eyeOf(camera: PerspectiveCamera, heightPx: number): Eye {
  camera.updateMatrixWorld();
  const matrix = new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
  const pxPerRad = heightPx / (2 * Math.tan((camera.fov * Math.PI) / 360));
  return { position: camera.position, frustum: new Frustum().setFromProjectionMatrix(matrix), pxPerRad };
}
