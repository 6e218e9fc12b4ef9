/** The picture: camera, turning by hand and keys, shading, and drawing only when something changed. */

import {
  Box3,
  Color,
  DepthTexture,
  LinearSRGBColorSpace,
  type Object3D,
  PerspectiveCamera,
  Ray,
  Raycaster,
  Scene,
  Sphere,
  Spherical,
  Vector2,
  Vector3,
  WebGLRenderer,
  WebGLRenderTarget,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

import { cornersOf, fittingDistance } from "./fit";
import { EdgeShading } from "./shading";

export const VIEWS: Readonly<Record<string, readonly [number, number, number]>> = {
  top: [0, -0.001, 1],
  south: [0, -1, 0.05],
  east: [1, 0, 0.05],
  oblique: [0.5, -0.8, 0.7],
};
const OBLIQUE = [0.5, -0.8, 0.7] as const;
/** Of the distance at which a box just fits. */
const MARGIN = 1.03;
const TURN_RAD = Math.PI / 36;
const STEP = 0.06;
const CLOSER = 0.85;
/** A press that moves farther than this turns the view, in CSS pixels. */
const TAP_PX = 5;

export function makeRenderer(): WebGLRenderer | null {
  try {
    const renderer = new WebGLRenderer({ antialias: false, powerPreference: "high-performance" });
    renderer.outputColorSpace = LinearSRGBColorSpace;
    renderer.localClippingEnabled = true;
    return renderer;
  } catch {
    return null;
  }
}

export interface StageEvents {
  /** Before every frame: what the view needs may have changed. */
  readonly looked: (camera: PerspectiveCamera, heightPx: number) => void;
  /** After every frame. */
  readonly drawn: () => void;
  readonly tapped: (at: Vector2) => void;
}

export class Stage {
  readonly camera = new PerspectiveCamera(50, 1, 0.01, 1e5);
  private readonly scene = new Scene();
  private readonly overlay = new Scene();
  private readonly controls: OrbitControls;
  private readonly shading = new EdgeShading();
  private readonly target = new WebGLRenderTarget(1, 1);
  private readonly reach = new Sphere();
  private shaded = true;
  private wanted = false;
  private downAt: readonly [number, number] = [0, 0];

  constructor(
    private readonly renderer: WebGLRenderer,
    private readonly holder: HTMLElement,
    private readonly events: StageEvents,
  ) {
    // East, north, up: up is z, as in every product of the scene.
    this.camera.up.set(0, 0, 1);
    this.scene.background = new Color("#10161d");
    this.target.depthTexture = new DepthTexture(1, 1);
    this.controls = new OrbitControls(this.camera, renderer.domElement);
    this.controls.addEventListener("change", () => this.redraw());
    const canvas = renderer.domElement;
    canvas.addEventListener("pointerdown", (event) => {
      this.downAt = [event.clientX, event.clientY];
    });
    canvas.addEventListener("pointerup", (event) => this.lifted(event));
    new ResizeObserver(() => this.resize()).observe(holder);
    renderer.autoClear = false;
    this.resize(); // what is looked at first is fitted into the view's own shape
  }

  get heightPx(): number {
    return this.renderer.domElement.height;
  }

  /** Adds what is shaded and hides each other, or lines that are always seen. */
  add(what: Object3D, always = false): void {
    (always ? this.overlay : this.scene).add(what);
    this.redraw();
  }

  remove(what: Object3D): void {
    what.removeFromParent();
    this.redraw();
  }

  set edges(on: boolean) {
    this.shaded = on;
    this.redraw();
  }

  /** Everything in view, from a named direction; places : what is seen of the box, else its corners. */
  look(view: string, box: Box3, places: readonly Vector3[] = []): void {
    box.getBoundingSphere(this.reach);
    const direction = new Vector3(...(VIEWS[view] ?? OBLIQUE)).normalize();
    const tan = Math.tan((this.camera.fov / 2) * (Math.PI / 180));
    const distance = MARGIN * fittingDistance(places.length > 0 ? places : cornersOf(box), this.reach.center, direction, tan, this.camera.aspect);
    this.controls.target.copy(this.reach.center);
    this.camera.position.copy(this.reach.center).addScaledVector(direction, Math.max(distance, 1e-3));
    this.controls.update();
    this.redraw();
  }

  /** Arrow keys turn, with shift they move, plus and minus come closer; true where a key was one of them. */
  key(key: string, shift: boolean): boolean {
    const arrows: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    };
    const arrow = arrows[key];
    if (arrow !== undefined && shift) this.shift(arrow[0], arrow[1]);
    else if (arrow !== undefined) this.turn(arrow[0], arrow[1]);
    else if (key === "+" || key === "=") this.dolly(CLOSER);
    else if (key === "-") this.dolly(1 / CLOSER);
    else return false;
    this.controls.update();
    this.redraw();
    return true;
  }

  private turn(x: number, y: number): void {
    const off = this.camera.position.clone().sub(this.controls.target);
    const about = new Spherical().setFromCartesianCoords(off.x, off.z, -off.y);
    about.theta += x * TURN_RAD;
    about.phi = Math.min(Math.max(about.phi + y * TURN_RAD, 0.01), Math.PI - 0.01);
    const turned = new Vector3().setFromSpherical(about);
    this.camera.position.copy(this.controls.target).add(new Vector3(turned.x, -turned.z, turned.y));
  }

  private shift(x: number, y: number): void {
    const right = new Vector3().setFromMatrixColumn(this.camera.matrixWorld, 0);
    const ahead = new Vector3().crossVectors(this.camera.up, right).normalize();
    const step = STEP * this.camera.position.distanceTo(this.controls.target);
    const by = right.multiplyScalar(x * step).addScaledVector(ahead, -y * step);
    this.camera.position.add(by);
    this.controls.target.add(by);
  }

  private dolly(factor: number): void {
    this.camera.position.sub(this.controls.target).multiplyScalar(factor).add(this.controls.target);
  }

  /** The ray through a place of the view, -1 to 1 from left to right and from bottom to top. */
  ray(at: Vector2): Ray {
    const caster = new Raycaster();
    caster.setFromCamera(at, this.camera);
    return caster.ray;
  }

  /** The tangent of the angle that so many CSS pixels take. */
  tan(px: number): number {
    return (2 * px * Math.tan((this.camera.fov / 2) * (Math.PI / 180))) / Math.max(this.holder.clientHeight, 1);
  }

  /** Where a point appears, -1 to 1; null behind the camera. */
  placeOf(point: Vector3): Vector2 | null {
    const seen = point.clone().project(this.camera);
    return seen.z > 1 ? null : new Vector2(seen.x, seen.y);
  }

  private lifted(event: PointerEvent): void {
    const moved = Math.hypot(event.clientX - this.downAt[0], event.clientY - this.downAt[1]);
    if (moved > TAP_PX || event.button !== 0) return;
    const box = this.renderer.domElement.getBoundingClientRect();
    this.events.tapped(
      new Vector2(
        ((event.clientX - box.left) / box.width) * 2 - 1,
        -((event.clientY - box.top) / box.height) * 2 + 1,
      ),
    );
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.holder;
    if (width === 0 || height === 0) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height);
    const { width: w, height: h } = this.renderer.domElement;
    this.target.setSize(w, h);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.redraw();
  }

  /** One frame, when something changed; an idle view costs nothing. */
  redraw(): void {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.draw();
    });
  }

  private draw(): void {
    this.fitDepth();
    this.events.looked(this.camera, this.heightPx);
    const { renderer } = this;
    renderer.setRenderTarget(this.shaded ? this.target : null);
    renderer.clear();
    renderer.render(this.scene, this.camera);
    if (this.shaded) {
      renderer.setRenderTarget(null);
      renderer.clear();
      this.shading.draw(renderer, this.target, this.camera);
    }
    renderer.clearDepth();
    renderer.render(this.overlay, this.camera);
    this.events.drawn();
  }

  /** Near and far planes as close as the scene allows: shading and hiding live from the depth's precision. */
  private fitDepth(): void {
    const distance = this.camera.position.distanceTo(this.reach.center);
    this.camera.far = Math.max(distance + 2 * this.reach.radius, 1e-2);
    this.camera.near = Math.max((distance - 1.2 * this.reach.radius) * 0.5, this.camera.far / 5000);
    this.camera.updateProjectionMatrix();
  }
}
