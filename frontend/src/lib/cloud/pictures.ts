/** The cloud as the server's pictures, for browsers without WebGL: a tap asks the server for the point behind it. */

import { Refused, send } from "../api";
import { byId, element, fill } from "../page";
import { type Canvas, MeasureTool, type MeasureSetting, type Place } from "./measuring";

export type View = "top" | "south" | "east";

export interface PictureSetting extends Omit<MeasureSetting, "texts"> {
  readonly pictureUrls: Readonly<Record<View, string>>;
  readonly pictureSize: readonly [number, number];
  readonly behindUrl: string;
  readonly texts: MeasureSetting["texts"] & Readonly<Record<"picture" | "nothing" | "pictures", string>>;
}

/** A point of the cloud, and where it lies in each picture. */
interface Behind extends Place {
  readonly pixels: Readonly<Record<View, readonly [number, number]>>;
}

interface Answer {
  readonly point: { readonly place: readonly [number, number, number]; readonly pixels: Behind["pixels"] } | null;
}

const SVG = "http://www.w3.org/2000/svg";
const STEP_PX = 16;

function svg(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Pictures implements Canvas<Behind> {
  private view: View = "top";
  private readonly image: HTMLImageElement;
  private readonly marks: SVGElement;
  private readonly aim: SVGElement;
  private readonly measuring: MeasureTool<Behind>;
  private picked: readonly Behind[] = [];
  private closed = false;
  /** Where the keyboard aims, in the picture's pixels. */
  private at: readonly [number, number];

  constructor(
    holder: HTMLElement,
    private readonly setting: PictureSetting,
  ) {
    const [width, height] = setting.pictureSize;
    this.at = [width / 2, height / 2];
    this.image = document.createElement("img");
    Object.assign(this.image, { alt: setting.texts.picture, width, height });
    this.marks = svg("g", { class: "marks" });
    this.aim = svg("path", { class: "aim", d: "M-14 0H-4M4 0H14M0 -14V-4M0 4V14" });
    const over = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    over.append(this.marks, this.aim);
    const frame = element("div", { class: "flat-cloud" }, this.image, over);
    holder.replaceChildren(frame);
    holder.classList.add("flat");
    holder.tabIndex = 0;
    holder.setAttribute("aria-label", setting.texts.pictures);
    this.measuring = new MeasureTool<Behind>(this, setting);
    frame.addEventListener("click", (event) => {
      const box = frame.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const y = ((event.clientY - box.top) / box.height) * height;
      void this.tapped([x, y]);
    });
    holder.addEventListener("keydown", (event) => this.key(event));
    this.tools();
    this.look("top");
  }

  show(picked: readonly Behind[], closed: boolean): void {
    this.picked = [...picked];
    this.closed = closed;
    const places = this.picked.map((one) => one.pixels[this.view]);
    const points = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    this.marks.replaceChildren(
      svg(this.closed ? "polygon" : "polyline", { points }),
      ...places.map(([x, y]) => svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: "6" })),
    );
  }

  private tools(): void {
    byId("cloud-tools").hidden = false;
    for (const one of document.querySelectorAll<HTMLElement>("#cloud-tools [data-size], #cloud-tools [data-webgl]")) one.hidden = true;
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-look]")) {
      const view = button.dataset["look"] ?? "";
      if (!(view in this.setting.pictureUrls)) button.hidden = true;
      else button.addEventListener("click", () => this.look(view as View));
    }
  }

  private look(view: View): void {
    this.view = view;
    this.image.src = this.setting.pictureUrls[view];
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-look]")) {
      button.setAttribute("aria-pressed", String(button.dataset["look"] === view));
    }
    this.show(this.picked, this.closed);
    this.move(0, 0);
  }

  private move(dx: number, dy: number): void {
    const [width, height] = this.setting.pictureSize;
    const [x, y] = [Math.min(Math.max(this.at[0] + dx, 0), width), Math.min(Math.max(this.at[1] + dy, 0), height)];
    this.at = [x, y];
    this.aim.setAttribute("transform", `translate(${x} ${y})`);
  }

  private key(event: KeyboardEvent): void {
    const step = event.shiftKey ? 1 : STEP_PX;
    const arrows: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    };
    const arrow = arrows[event.key];
    if (arrow !== undefined) this.move(...arrow);
    else if (event.key === "Enter") void this.tapped(this.at);
    else if (event.key === "Backspace") this.measuring.takeBack();
    else if (event.key === "Escape" && this.measuring.on) this.measuring.start(false);
    else return;
    event.preventDefault();
  }

  private async tapped([column, row]: readonly [number, number]): Promise<void> {
    if (!this.measuring.on) this.measuring.start(true);
    const result = byId("cloud-result");
    try {
      const { point } = await send<Answer>(this.setting.behindUrl, { view: this.view, column, row });
      if (point === null) {
        result.textContent = this.setting.texts.nothing;
        return;
      }
      const [x, y, z] = point.place;
      this.measuring.add({ x, y, z, pixels: point.pixels });
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      result.textContent = fill(this.setting.texts.failed_measure, { why: error.message });
    }
  }
}
