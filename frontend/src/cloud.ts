/** The point cloud in three dimensions, within a budget of points that the server keeps.

    The buffer: 16 bytes per point, float32 east, north, up (m from the header's centre), then
    red, green, blue and one spare byte.  Without WebGL the server's pictures stay. */

import {
  BufferGeometry,
  Color,
  ColorManagement,
  InterleavedBuffer,
  InterleavedBufferAttribute,
  Line,
  LineBasicMaterial,
  LinearSRGBColorSpace,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Raycaster,
  Scene,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

import { Refused, send } from "./lib/api";
import { byId, fill, pageData } from "./lib/page";

interface CloudData {
  readonly pointsUrl: string;
  readonly measureUrl: string;
  readonly recordUrl: string | null;
  readonly metric: boolean;
  readonly texts: Readonly<
    Record<
      "loading" | "shown" | "failed" | "noWebgl" | "first" | "second" | "nothing" | "notMetric" | "measured" | "asking" | "failed_measure" | "nameFirst",
      string
    >
  >;
}

const BYTES_PER_POINT = 16;
const FLOATS_PER_POINT = BYTES_PER_POINT / 4;
const COLOUR_BYTE = 12;
/** A tap further than this from every point, in CSS pixels, means none. */
const PICK_RADIUS_PX = 10;

// The photos' own colours, shown as they are: no lights, hence nothing to compute in linear light.
ColorManagement.enabled = false;

const data = pageData<CloudData>("cloud-data");
const holder = byId("cloud-view");
const result = byId("cloud-result");

function makeRenderer(): WebGLRenderer | null {
  try {
    const renderer = new WebGLRenderer({ antialias: true, powerPreference: "high-performance" });
    renderer.outputColorSpace = LinearSRGBColorSpace;
    return renderer;
  } catch {
    return null;
  }
}

/** Points as one interleaved buffer: the bytes go to the graphics card as they came. */
function cloudOf(buffer: ArrayBuffer): Points {
  const geometry = new BufferGeometry();
  const floats = new InterleavedBuffer(new Float32Array(buffer), FLOATS_PER_POINT);
  const bytes = new InterleavedBuffer(new Uint8Array(buffer), BYTES_PER_POINT);
  geometry.setAttribute("position", new InterleavedBufferAttribute(floats, 3, 0));
  geometry.setAttribute("color", new InterleavedBufferAttribute(bytes, 3, COLOUR_BYTE, true));
  geometry.computeBoundingSphere();
  const radius = geometry.boundingSphere?.radius ?? 1;
  const size = (2.2 * radius) / Math.sqrt(buffer.byteLength / BYTES_PER_POINT);
  return new Points(geometry, new PointsMaterial({ size, vertexColors: true, sizeAttenuation: true }));
}

interface Measured {
  readonly value: number | null;
  readonly unit: string;
  readonly ci95_low: number | null;
  readonly ci95_high: number | null;
  readonly note: string;
}

const keep = document.getElementById("cloud-keep") as HTMLFormElement | null;
let asked: object | null = null;

/** The number and its interval are the server's, on the surface at the places that were tapped. */
async function measured(ends: readonly Vector3[]): Promise<void> {
  const places = ends.map((end) => [end.x, end.y]);
  asked = { kind: byId<HTMLSelectElement>("cloud-kind").value, on: "cloud", places };
  result.textContent = data.texts.asking;
  try {
    const found = await send<Measured>(data.measureUrl, asked);
    const [value, low, high] = [found.value, found.ci95_low, found.ci95_high].map((v) => v?.toFixed(3) ?? "–");
    result.textContent = found.value === null
      ? found.note
      : fill(data.texts.measured, { value: value ?? "", unit: found.unit, low: low ?? "", high: high ?? "" });
    if (keep !== null) keep.hidden = data.recordUrl === null;
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    result.textContent = fill(data.texts.failed_measure, { why: error.message });
  }
}

keep?.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId<HTMLInputElement>("cloud-name").value.trim();
  if (name === "" || asked === null || data.recordUrl === null) {
    result.textContent = data.texts.nameFirst;
    return;
  }
  send(data.recordUrl, { ...asked, name })
    .then(() => {
      location.hash = "measurements";
      location.reload();
    })
    .catch((error: unknown) => {
      result.textContent = fill(data.texts.failed_measure, { why: error instanceof Error ? error.message : "" });
    });
});

class Viewer {
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(50, 1, 0.01, 1e5);
  private readonly controls: OrbitControls;
  private readonly picked: Vector3[] = [];
  private line: Line | null = null;
  private measuring = false;
  private wanted = false;
  private downAt: [number, number] = [0, 0];

  constructor(
    private readonly renderer: WebGLRenderer,
    private readonly cloud: Points,
  ) {
    // East, north, up: up is z, as in every product of the scene.
    this.camera.up.set(0, 0, 1);
    this.scene.background = new Color("#10161d");
    this.scene.add(cloud);
    this.controls = new OrbitControls(this.camera, renderer.domElement);
    this.controls.addEventListener("change", () => this.redraw());
    this.look("oblique");
    new ResizeObserver(() => this.resize()).observe(holder);
    renderer.domElement.addEventListener("pointerdown", (event) => {
      this.downAt = [event.clientX, event.clientY];
    });
    renderer.domElement.addEventListener("pointerup", (event) => this.tapped(event));
    this.resize();
  }

  /** From above, from the south, from the east or from an oblique angle, everything in view. */
  look(view: string): void {
    const sphere = this.cloud.geometry.boundingSphere;
    if (sphere === null) return;
    const directions: Readonly<Record<string, [number, number, number]>> = {
      top: [0, -0.001, 1],
      south: [0, -1, 0.05],
      east: [1, 0, 0.05],
      oblique: [0.5, -0.8, 0.7],
    };
    const direction = new Vector3(...(directions[view] ?? [0.5, -0.8, 0.7])).normalize();
    const distance = (0.9 * sphere.radius) / Math.sin((this.camera.fov / 2) * (Math.PI / 180));
    this.controls.target.copy(sphere.center);
    this.camera.position.copy(sphere.center).addScaledVector(direction, distance);
    this.camera.near = distance / 500;
    this.camera.far = distance * 10;
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.redraw();
  }

  size(factor: number): void {
    (this.cloud.material as PointsMaterial).size *= factor;
    this.redraw();
  }

  measure(on: boolean): void {
    this.measuring = on;
    this.picked.length = 0;
    if (this.line !== null) this.scene.remove(this.line);
    this.line = null;
    result.textContent = on ? data.texts.first : "";
    this.redraw();
  }

  private tapped(event: PointerEvent): void {
    const moved = Math.hypot(event.clientX - this.downAt[0], event.clientY - this.downAt[1]);
    if (!this.measuring || moved > 5) return;
    const point = this.pick(event);
    if (point === null) {
      result.textContent = data.texts.nothing;
      return;
    }
    if (this.picked.length === 2) this.measure(true);
    this.picked.push(point);
    this.showMeasurement();
  }

  private showMeasurement(): void {
    const [first, second] = this.picked;
    if (first === undefined || second === undefined) {
      result.textContent = data.texts.second;
      return;
    }
    const geometry = new BufferGeometry().setFromPoints([first, second]);
    this.line = new Line(geometry, new LineBasicMaterial({ color: "#ffc233", depthTest: false }));
    this.scene.add(this.line);
    this.redraw();
    if (data.metric) void measured([first, second]);
    else result.textContent = data.texts.notMetric;
  }

  private pick(event: PointerEvent): Vector3 | null {
    const box = this.renderer.domElement.getBoundingClientRect();
    const pointer = new Vector2(
      ((event.clientX - box.left) / box.width) * 2 - 1,
      -((event.clientY - box.top) / box.height) * 2 + 1,
    );
    const caster = new Raycaster();
    const distance = this.camera.position.distanceTo(this.controls.target);
    const perPixel = (2 * distance * Math.tan((this.camera.fov / 2) * (Math.PI / 180))) / box.height;
    caster.params.Points.threshold = PICK_RADIUS_PX * perPixel;
    caster.setFromCamera(pointer, this.camera);
    const hits = caster.intersectObject(this.cloud);
    // Of the points near the ray the one nearest to it, among those not hidden behind others.
    const front = hits[0]?.distance ?? 0;
    const near = hits.filter((hit) => hit.distance < front + 4 * caster.params.Points.threshold);
    near.sort((a, b) => (a.distanceToRay ?? 0) - (b.distanceToRay ?? 0));
    const best = near[0];
    if (best === undefined || best.index === undefined) return null;
    return new Vector3().fromBufferAttribute(this.cloud.geometry.getAttribute("position"), best.index);
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = holder;
    if (width === 0 || height === 0) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.redraw();
  }

  /** One frame, when something changed; an idle view costs nothing. */
  private redraw(): void {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.renderer.render(this.scene, this.camera);
    });
  }
}

async function start(): Promise<void> {
  const renderer = makeRenderer();
  if (renderer === null) {
    result.textContent = data.texts.noWebgl;
    return;
  }
  result.textContent = data.texts.loading;
  const response = await fetch(data.pointsUrl);
  if (!response.ok) throw new Error(String(response.status));
  const buffer = await response.arrayBuffer();
  const viewer = new Viewer(renderer, cloudOf(buffer));
  holder.replaceChildren(renderer.domElement);
  holder.dataset["ready"] = "yes";
  const count = Math.round(buffer.byteLength / BYTES_PER_POINT).toLocaleString(document.documentElement.lang);
  result.textContent = fill(data.texts.shown, { count });
  byId("cloud-tools").hidden = false;
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-look]")) {
    button.addEventListener("click", () => viewer.look(button.dataset["look"] ?? "oblique"));
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-size]")) {
    button.addEventListener("click", () => viewer.size(Number(button.dataset["size"])));
  }
  const measure = byId<HTMLButtonElement>("cloud-measure");
  measure.addEventListener("click", () => {
    const on = measure.getAttribute("aria-pressed") !== "true";
    measure.setAttribute("aria-pressed", String(on));
    viewer.measure(on);
  });
}

start().catch(() => {
  result.textContent = data.texts.failed;
});
