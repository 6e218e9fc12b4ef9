/** The point cloud in three dimensions: streamed from the server's octree within a budget of points.

    Without WebGL the server's pictures are shown, and measured on through the server. */

import { Box3, ColorManagement, type Group, type Ray, Vector2, Vector3 } from "three";

import { type Kept, keptLayer } from "./lib/cloud/kept";
import { type CameraLayer, loadCameras, loadMesh, meets } from "./lib/cloud/layers";
import { COLOURS, type Colours, Look } from "./lib/cloud/material";
import type { Opened } from "./lib/cloud/messages";
import { StageLines } from "./lib/cloud/lines";
import { MeasureTool, type MeasureSetting } from "./lib/cloud/measuring";
import { Pictures, type PictureSetting } from "./lib/cloud/pictures";
import { PhotoPanel, type PhotosSetting } from "./lib/cloud/photos";
import { type CloudSource, openBuffer, openCopc } from "./lib/cloud/source";
import { makeRenderer, Stage } from "./lib/cloud/stage";
import { StreamedCloud } from "./lib/cloud/streamed";
import { decimal } from "./lib/decimal";
import { byId, fill, pageData } from "./lib/page";

type Text = "loading" | "shown" | "failed" | "noWebgl" | "nothing" | "heights" | "sigmas" | "layerFailed" | "picture";

interface CloudData extends Omit<PictureSetting, "texts">, Omit<PhotosSetting, "texts"> {
  readonly copcUrl: string | null;
  readonly opened: Opened | null;
  readonly pointsUrl: string;
  readonly meshUrl: string | null;
  readonly camerasUrl: string;
  readonly kept: readonly Kept[];
  /** The zero of the page's coordinates, in the cloud's own. */
  readonly middle: readonly [number, number, number];
  readonly texts: Readonly<Record<Text, string>> & MeasureSetting["texts"] & PictureSetting["texts"] & PhotosSetting["texts"];
}

/** A tap further than this from every point, in CSS pixels, means none. */
const PICK_RADIUS_PX = 10;
const BUDGET_KEY = "droneteam.cloud.budget";
const PHONE_BUDGET = 400_000;
const DESK_BUDGET = 1_500_000;
/** Between frames while points come in: drawing must not starve what brings them. */
const BETWEEN_MS = 120;
/** A camera's pyramid, as a part of the cloud's reach. */
const PYRAMID = 0.03;

// The photos' own colours, shown as they are: no lights, hence nothing to compute in linear light.
ColorManagement.enabled = false;

const data = pageData<CloudData>("cloud-data");
const holder = byId("cloud-view");
const result = byId("cloud-result");
const lang = document.documentElement.lang;

function chosenBudget(): number {
  const kept = Number(localStorage.getItem(BUDGET_KEY));
  if (Number.isFinite(kept) && kept >= 100_000) return kept;
  return matchMedia("(max-width: 700px), (pointer: coarse)").matches ? PHONE_BUDGET : DESK_BUDGET;
}

class Viewer {
  private readonly look = new Look();
  private readonly stage: Stage;
  private readonly cloud: StreamedCloud;
  private readonly measuring: MeasureTool<Vector3>;
  private readonly panel = new PhotoPanel(data);
  private cameras: CameraLayer | null = null;
  private mesh: Group | null = null;
  private timer = 0;
  /** The first view is fitted to the points themselves as soon as there are some. */
  private fitted = false;

  constructor(
    renderer: NonNullable<ReturnType<typeof makeRenderer>>,
    private readonly source: CloudSource,
  ) {
    this.stage = new Stage(renderer, holder, {
      looked: (camera, heightPx) => this.cloud.update(camera, heightPx),
      drawn: () => this.report(),
      tapped: (at) => this.tapped(at),
    });
    this.cloud = new StreamedCloud(source, this.look, chosenBudget(), () => this.came(), (why) => console.error("cloud:", why));
    this.measuring = new MeasureTool(new StageLines(this.stage), data);
    this.stage.add(this.cloud.group);
    this.stage.look("oblique", this.cloud.box);
    const { min, max } = this.cloud.box;
    this.look.shared.heights.value.set(min.z, max.z);
    this.tools();
    this.clipping();
    this.layers();
    this.showKept();
    holder.addEventListener("keydown", (event) => this.key(event));
  }

  /** New points: what else is wanted is asked for at once, the picture follows a little later. */
  private came(): void {
    if (!this.fitted && this.cloud.sample.length > 0) {
      this.fitted = true;
      this.stage.look("oblique", this.cloud.box, this.cloud.sample);
    }
    this.cloud.update(this.stage.camera, this.stage.heightPx);
    if (this.timer !== 0) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.stage.redraw();
    }, holder.dataset["ready"] === undefined ? 0 : BETWEEN_MS);
  }

  private report(): void {
    const shown = this.cloud.pointsShown;
    if (shown > 0 && holder.dataset["ready"] === undefined) {
      holder.dataset["ready"] = "yes";
      performance.mark("cloud-first-view");
    }
    holder.dataset["points"] = String(shown);
    holder.dataset["held"] = String(this.cloud.pointsHeld);
    const settled = this.cloud.isSettled ? "yes" : "no";
    if (holder.dataset["settled"] === settled) return;
    holder.dataset["settled"] = settled;
    if (settled === "no" || this.measuring.on) return;
    performance.mark("cloud-settled");
    const [count, all] = [shown, this.source.count].map((n) => n.toLocaleString(lang));
    result.textContent = fill(data.texts.shown, { count: count ?? "", all: all ?? "" });
  }

  private tapped(at: Vector2): void {
    if (!this.measuring.on) {
      const photo = this.cameras?.group.visible ? this.cameras.under(at, this.stage) : null;
      if (photo !== null) {
        void this.panel.open(photo, null);
        return;
      }
    }
    const started = performance.now();
    const found = this.pick(this.stage.ray(at));
    holder.dataset["pickMs"] = (performance.now() - started).toFixed(1);
    if (found === null) result.textContent = data.texts.nothing;
    else if (this.measuring.on) this.measuring.add(found);
    else void this.panel.show(found.toArray());
  }

  /** What lies in front under a finger, of the points and of the mesh that are shown. */
  private pick(ray: Ray): Vector3 | null {
    const point = this.cloud.group.visible ? this.cloud.pick(ray, this.stage.tan(PICK_RADIUS_PX)) : null;
    const face = this.mesh?.visible ? meets(this.mesh, ray, this.look.clip) : null;
    if (point === null || face === null) return point?.at ?? face;
    // A point is measured, a face lies between points: only a face clearly in front counts.
    const behind = ray.origin.distanceTo(point.at) - ray.origin.distanceTo(face);
    return behind > 4 * this.stage.tan(PICK_RADIUS_PX) * ray.origin.distanceTo(face) ? face : point.at;
  }

  private key(event: KeyboardEvent): void {
    if (event.target instanceof HTMLElement && event.target.closest("dialog") !== null) return;
    if (event.key === "Enter") this.tapped(new Vector2(0, 0));
    else if (event.key === "Backspace") this.measuring.takeBack();
    else if (event.key === "Escape" && this.measuring.on) this.measuring.start(false);
    else if (!this.stage.key(event.key, event.shiftKey)) return;
    event.preventDefault();
  }

  private tools(): void {
    byId("cloud-tools").hidden = false;
    byId("cloud-more").hidden = false;
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-look]")) {
      button.addEventListener("click", () => this.stage.look(button.dataset["look"] ?? "oblique", this.cloud.box, this.cloud.sample));
    }
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-size]")) {
      button.addEventListener("click", () => {
        this.look.shared.factor.value *= Number(button.dataset["size"]);
        this.stage.redraw();
      });
    }
    const colours = byId<HTMLSelectElement>("cloud-colours");
    colours.addEventListener("change", () => this.colour(COLOURS.find((one) => one === colours.value) ?? "photo"));
    const edges = byId<HTMLInputElement>("cloud-edges");
    edges.addEventListener("change", () => {
      this.stage.edges = edges.checked;
    });
    this.budget(byId<HTMLSelectElement>("cloud-budget"));
  }

  private budget(choice: HTMLSelectElement): void {
    const options = [...choice.options].map((option) => Number(option.value));
    const nearest = options.reduce((a, b) => (Math.abs(b - this.cloud.budget) < Math.abs(a - this.cloud.budget) ? b : a));
    choice.value = String(nearest);
    this.cloud.budget = nearest;
    choice.addEventListener("change", () => {
      this.cloud.budget = Number(choice.value);
      localStorage.setItem(BUDGET_KEY, choice.value);
      this.stage.redraw();
    });
  }

  /** What the colours mean stands beside them. */
  private colour(which: Colours): void {
    this.look.colours = which;
    const legend = byId("cloud-legend");
    const { heights, sigmas } = this.look.shared;
    const range = which === "sigma" ? sigmas.value : heights.value;
    const digits = which === "sigma" ? 3 : 1;
    const zero = which === "sigma" ? 0 : data.middle[2];
    const values = { low: decimal(range.x + zero, digits), high: decimal(range.y + zero, digits) };
    legend.hidden = which === "photo" || which === "class";
    byId("cloud-legend-text").textContent = fill(which === "sigma" ? data.texts.sigmas : data.texts.heights, values);
    this.stage.redraw();
  }

  /** Six sliders cut the cloud; outside of them nothing is drawn and nothing is picked. */
  private clipping(): void {
    const sliders = [...document.querySelectorAll<HTMLInputElement>("[data-clip]")];
    const { min, max } = this.cloud.box;
    const cut = (): void => {
      const box = new Box3(min.clone(), max.clone());
      for (const slider of sliders) {
        const [side, axis] = (slider.dataset["clip"] ?? "").split(" ") as ["min" | "max", "x" | "y" | "z"];
        const value = min[axis] + (Number(slider.value) / 100) * (max[axis] - min[axis]);
        box[side][axis] = value;
        slider.setAttribute("aria-valuetext", `${decimal(value - min[axis], 1)} m`);
      }
      this.look.clip = box.expandByScalar(1e-3);
      this.stage.redraw();
    };
    for (const slider of sliders) slider.addEventListener("input", cut);
    byId("cloud-clip-all").addEventListener("click", () => {
      for (const slider of sliders) slider.value = slider.dataset["clip"]?.startsWith("max") ? "100" : "0";
      cut();
    });
  }

  private readonly made = new Map<string, { visible: boolean }>();

  private layers(): void {
    const boxes = document.querySelectorAll<HTMLInputElement>("[data-layer]");
    for (const box of boxes) {
      box.addEventListener("change", () => {
        this.layer(box.dataset["layer"] ?? "", box).catch((error: unknown) => {
          box.checked = false;
          result.textContent = fill(data.texts.layerFailed, { why: error instanceof Error ? error.message : "" });
        });
      });
    }
  }

  private async layer(name: string, box: HTMLInputElement): Promise<void> {
    if (name === "cloud") this.made.set(name, this.cloud.group);
    if (!this.made.has(name) && box.checked) await this.make(name);
    const one = this.made.get(name);
    if (one !== undefined) one.visible = box.checked;
    this.stage.redraw();
  }

  private showKept(): void {
    if (data.kept.length === 0) return;
    const group = keptLayer(data.kept);
    this.made.set("kept", group);
    this.stage.add(group, true);
  }

  private async make(name: string): Promise<void> {
    if (name === "cameras") {
      const reach = this.cloud.box.getSize(new Vector3()).length();
      this.cameras = await loadCameras(data.camerasUrl, PYRAMID * reach);
      this.made.set(name, this.cameras.group);
      this.stage.add(this.cameras.group, true);
      // They stand above the cloud: what was just asked for should be seen.
      this.stage.look("oblique", this.cameras.box.union(this.cloud.box));
    } else if (name === "mesh" && data.meshUrl !== null) {
      const group = await loadMesh(data.meshUrl, data.camerasUrl, this.look.planes);
      this.mesh = group;
      this.made.set(name, group);
      this.stage.add(group);
    }
  }
}

let pictures: Pictures | null = null;

/** The server's pictures, for browsers that cannot draw points; others never ask for them. */
function showPictures(): void {
  pictures ??= new Pictures(holder, data);
}

async function start(): Promise<void> {
  // The workers start while the browser makes the drawing surface ready.
  const { copcUrl, opened } = data;
  const streamed = copcUrl === null || opened === null ? null : openCopc(new URL(copcUrl, location.href).href, opened);
  const renderer = makeRenderer();
  if (renderer === null) {
    showPictures();
    result.textContent = data.texts.noWebgl;
    return;
  }
  result.textContent = data.texts.loading;
  const source = streamed ?? (await openBuffer(data.pointsUrl));
  holder.replaceChildren(renderer.domElement);
  holder.tabIndex = 0;
  new Viewer(renderer, source);
}

start().catch((error: unknown) => {
  console.warn("cloud:", error);
  showPictures();
  result.textContent = data.texts.failed;
});
