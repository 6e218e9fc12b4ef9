/** Marking a point in photos: predicted places pre-shown, tap to mark, nudge, undo, magnifier.

    Every mark is sent to the server at once and what is shown is what the server answered; the
    numbers (place, interval, residuals) are the server's, never computed here. */

import Feature from "ol/Feature.js";
import LineString from "ol/geom/LineString.js";
import MultiLineString from "ol/geom/MultiLineString.js";
import Polygon from "ol/geom/Polygon.js";

import { Refused, read, send } from "./lib/api";
import { decimal } from "./lib/decimal";
import { Loupe } from "./lib/loupe";
import { style, vectorLayer } from "./lib/map";
import { byId, fill, pageData } from "./lib/page";
import { PhotoView, type PhotoInfo } from "./lib/photo";
import { Shots, type Shot } from "./lib/shots";
import { Written } from "./lib/written";

interface Mark {
  readonly photo: string;
  readonly x_px: number;
  readonly y_px: number;
  readonly sigma_px: number;
  readonly source: string;
}

interface Prediction {
  readonly photo: string;
  readonly x_px: number;
  readonly y_px: number;
  readonly semi_axes_px: readonly [number, number];
  readonly angle_deg: number;
}

interface Located {
  readonly position_enu_m: readonly [number, number, number];
  readonly ci95_m: readonly [number, number, number];
  readonly residuals: readonly { photo: string; dx_px: number; dy_px: number; normalised: number }[];
  readonly outlier: string | null;
  readonly disagree: boolean;
}

interface Sheet {
  readonly marks: readonly Mark[];
  readonly predictions: readonly Prediction[];
  readonly located: Located | null;
  readonly note: string;
  readonly survey_minus_marks_m: readonly [number, number, number] | null;
}

interface Target {
  readonly kind: string;
  readonly x_px: number;
  readonly y_px: number;
  readonly sigma_px: number;
}

interface MarkingData {
  readonly point: string;
  readonly mayMark: boolean;
  readonly metric: boolean;
  readonly sheetUrl: string;
  readonly markUrl: string;
  readonly removeUrl: string;
  readonly targetUrl: string;
  readonly measureUrl: string;
  readonly tileUrl: string;
  readonly cutUrl: string;
  readonly previewUrl: string;
  readonly thumbUrl: string;
  readonly tilePx: number;
  readonly photos: Readonly<Record<string, PhotoInfo & { readonly overview: number }>>;
  readonly texts: Readonly<Record<string, string>> & { readonly zoomIn: string; readonly zoomOut: string };
}

const SHOWN_AT_FIRST = 12;
const HAND_SIGMA_PX = 0.5;
const SAVE_AFTER_MS = 500;

const data = pageData<MarkingData>("marking-data");

function text(name: string, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(data.texts[name] ?? name, values);
}

function cutUrl(photo: string): string {
  return data.cutUrl.replace("PHOTO", encodeURIComponent(photo));
}

/** The page's state and what people do to it. */
class Marker {
  private sheet: Sheet = { marks: [], predictions: [], located: null, note: "", survey_minus_marks_m: null };
  private photo = "";
  private shown = SHOWN_AT_FIRST;
  private readonly undo: { photo: string; before: Mark | null }[] = [];
  private readonly loupe = new Loupe(cutUrl);
  private readonly written = new Written();
  private readonly shots = new Shots(byId("shots"), data, (photo) => this.open(photo));
  private readonly status = byId("mark-status");
  private readonly drawn = vectorLayer(() => undefined, 2);
  private readonly view: PhotoView;
  /** A nudged mark that is not on the server yet. */
  private pending: Mark | null = null;
  private timer = 0;

  constructor() {
    byId("marker").hidden = false;
    this.view = new PhotoView(byId("mark-view"), [this.drawn.layer], data.tileUrl, data.tilePx, data.texts);
    this.view.map.on("click", (event) => {
      const [x, y] = event.coordinate as [number, number];
      void this.tapped(x, -y);
    });
    byId("mark-view").addEventListener("keydown", (event) => this.key(event));
    byId("more-shots").addEventListener("click", () => {
      this.shown += 4 * SHOWN_AT_FIRST;
      this.list();
    });
    window.addEventListener("pagehide", () => this.flush(true));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.flush(true);
    });
    this.buttons();
  }

  async start(): Promise<void> {
    this.take(await read<Sheet>(`${data.sheetUrl}?point=${encodeURIComponent(data.point)}`));
    const first = this.order()[0];
    if (first !== undefined) this.open(first);
  }

  private buttons(): void {
    const actions: Readonly<Record<string, () => void>> = {
      previous: () => this.step(-1),
      next: () => this.step(1),
      undo: () => void this.takeBack(),
      remove: () => void this.remove(),
    };
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-do]")) {
      button.addEventListener("click", () => actions[button.dataset["do"] ?? ""]?.());
    }
    const step = document.getElementById("nudge-step");
    step?.addEventListener("click", () => {
      const whole = step.getAttribute("aria-pressed") !== "true";
      step.setAttribute("aria-pressed", String(whole));
      const shown = step.querySelector("[data-step]");
      if (shown !== null) shown.textContent = whole ? "1" : decimal(0.1, 1);
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-nudge]")) {
      const [dx, dy] = (button.dataset["nudge"] ?? "0,0").split(",").map(Number) as [number, number];
      button.addEventListener("click", () => {
        this.nudge(dx, dy, step?.getAttribute("aria-pressed") === "true" ? 1 : 0.1);
      });
    }
  }

  private key(event: KeyboardEvent): void {
    const arrows: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    };
    const arrow = arrows[event.key];
    const view = this.view.map.getView();
    if (arrow !== undefined) this.nudge(arrow[0], arrow[1], event.shiftKey ? 1 : 0.1);
    else if (event.key === "n") this.step(1);
    else if (event.key === "p") this.step(-1);
    else if (event.key === "Delete") void this.remove();
    else if (event.key === "+") view.adjustZoom(1);
    else if (event.key === "-") view.adjustZoom(-1);
    else if (event.key === "Enter") this.acceptPrediction();
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) void this.takeBack();
    else return;
    event.preventDefault();
  }

  /** Photos in the order of their use: expected ones first, then any that were marked besides. */
  private order(): string[] {
    const expected = this.sheet.predictions.map((row) => row.photo);
    const besides = this.sheet.marks.map((row) => row.photo).filter((name) => !expected.includes(name));
    if (expected.length + besides.length > 0) return [...expected, ...besides];
    return Object.keys(data.photos);
  }

  private mark(photo: string): Mark | undefined {
    if (this.pending?.photo === photo) return this.pending;
    return this.sheet.marks.find((row) => row.photo === photo);
  }

  private prediction(photo: string): Prediction | undefined {
    return this.sheet.predictions.find((row) => row.photo === photo);
  }

  private open(photo: string): void {
    const info = data.photos[photo];
    if (info === undefined) return;
    void this.flush();
    this.photo = photo;
    const guess = this.prediction(photo);
    const at = this.mark(photo) ?? guess;
    const around = Math.min(1.5 * (guess?.semi_axes_px[0] ?? 0) + 60, info.widthPx / 2);
    this.view.show(photo, info, at === undefined ? null : [at.x_px, at.y_px], around);
    this.say(text("showing", { photo }));
    this.draw();
    this.list();
  }

  private step(by: number): void {
    const names = this.order();
    const next = names[(names.indexOf(this.photo) + by + names.length) % names.length];
    if (next !== undefined) this.open(next);
  }

  private async tapped(x: number, y: number): Promise<void> {
    const info = data.photos[this.photo];
    if (!data.mayMark || info === undefined) return;
    if (x < 0 || y < 0 || x > info.widthPx || y > info.heightPx) return;
    await this.attempt(async () => {
      await this.flush();
      const photo = this.photo;
      this.say(text("saving"));
      const found = byId<HTMLInputElement>("mark-refine").checked ? await this.target(x, y) : null;
      const mark: Mark = found === null
        ? { photo, x_px: x, y_px: y, sigma_px: HAND_SIGMA_PX, source: "hand" }
        : { photo, x_px: found.x_px, y_px: found.y_px, sigma_px: Math.max(found.sigma_px, 0.05), source: found.kind };
      await this.save(mark);
      this.saved(mark, found === null && byId<HTMLInputElement>("mark-refine").checked);
    });
  }

  private saved(mark: Mark, sought: boolean): void {
    const said = text("saved", { x: decimal(mark.x_px, 1), y: decimal(mark.y_px, 1), photo: mark.photo });
    if (mark.source !== "hand") {
      const words = { kind: text(mark.source), sigma: decimal(mark.sigma_px, 2) };
      this.say(`${said} ${text("refined", words)}`);
    } else this.say(sought ? `${said} ${text("noTarget")}` : said);
  }

  private async target(x: number, y: number): Promise<Target | null> {
    const body = { photo: this.photo, x_px: x, y_px: y };
    return (await send<{ target: Target | null }>(data.targetUrl, body)).target;
  }

  private async save(mark: Mark, keepalive = false): Promise<void> {
    const before = this.sheet.marks.find((row) => row.photo === mark.photo) ?? null;
    const sheet = await send<Sheet>(data.markUrl, { point: data.point, ...mark }, keepalive);
    this.undo.push({ photo: mark.photo, before });
    if (this.pending?.photo === mark.photo) this.pending = null;
    this.changed(sheet);
  }

  private acceptPrediction(): void {
    const guess = this.prediction(this.photo);
    if (guess !== undefined && this.mark(this.photo) === undefined) void this.tapped(guess.x_px, guess.y_px);
  }

  private nudge(dx: number, dy: number, step: number): void {
    const info = data.photos[this.photo];
    const mark = this.mark(this.photo);
    if (!data.mayMark || info === undefined || mark === undefined) return;
    const x_px = Math.min(Math.max(mark.x_px + dx * step, 0), info.widthPx);
    const y_px = Math.min(Math.max(mark.y_px + dy * step, 0), info.heightPx);
    this.pending = { photo: this.photo, x_px, y_px, sigma_px: HAND_SIGMA_PX, source: "hand" };
    this.draw();
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.flush(), SAVE_AFTER_MS);
  }

  /** Sends what was nudged; at the end of the page in a request that outlives it. */
  private async flush(keepalive = false): Promise<void> {
    window.clearTimeout(this.timer);
    const mark = this.pending;
    if (mark === null) return;
    await this.attempt(async () => {
      await this.save(mark, keepalive);
      this.saved(mark, false);
    });
  }

  private async remove(): Promise<void> {
    window.clearTimeout(this.timer);
    this.pending = null;
    const before = this.mark(this.photo);
    if (before === undefined) return;
    await this.attempt(async () => {
      const body = { point: data.point, photo: this.photo };
      this.changed(await send<Sheet>(data.removeUrl, body));
      this.undo.push({ photo: before.photo, before });
      this.say(text("removed"));
    });
  }

  private async takeBack(): Promise<void> {
    await this.flush();
    const last = this.undo.pop();
    if (last === undefined) {
      this.say(text("nothingToUndo"));
      return;
    }
    await this.attempt(async () => {
      const { photo, before } = last;
      const sheet = before === null
        ? await send<Sheet>(data.removeUrl, { point: data.point, photo })
        : await send<Sheet>(data.markUrl, { ...sent(before), point: data.point });
      this.changed(sheet);
      this.open(photo);
      this.say(text("undone"));
    });
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      this.say(text("failed", { why: error.message }));
    }
  }

  private say(words: string): void {
    this.status.textContent = words;
  }

  private changed(sheet: Sheet): void {
    this.take(sheet);
    this.written.later();
  }

  private take(sheet: Sheet): void {
    this.sheet = sheet;
    const [marked, seen] = [sheet.marks.length, sheet.predictions.length];
    byId("mark-count").textContent = text("count", { marked, seen });
    const at = sheet.located;
    byId("mark-position").textContent = at === null ? sheet.note : text("position", numbers(at));
    const off = sheet.survey_minus_marks_m;
    byId("mark-survey").textContent = off === null
      ? ""
      : text("survey", { e: decimal(off[0], 3), n: decimal(off[1], 3), u: decimal(off[2], 3) });
    const warning = byId("mark-warning");
    warning.hidden = at === null || !at.disagree;
    warning.textContent = at?.outlier ? text("outlier", { photo: at.outlier }) : text("disagree");
    this.list();
    this.draw();
  }

  private list(): void {
    const names = this.order();
    this.shots.show(names.slice(0, this.shown).map((name) => this.shot(name)));
    const more = byId("more-shots");
    more.hidden = names.length <= this.shown;
    more.textContent = text("more", { n: names.length - this.shown });
  }

  private shot(photo: string): Shot {
    const mark = this.mark(photo);
    const guess = this.prediction(photo);
    const residual = this.sheet.located?.residuals.find((row) => row.photo === photo);
    return {
      photo,
      at: mark ?? guess ?? null,
      marked: mark !== undefined,
      offPx: residual === undefined ? null : Math.hypot(residual.dx_px, residual.dy_px),
      outlier: this.sheet.located?.outlier === photo,
      withinPx: guess?.semi_axes_px[0] ?? null,
      current: photo === this.photo,
    };
  }

  private draw(): void {
    this.drawn.source.clear();
    const guess = this.prediction(this.photo);
    const mark = this.mark(this.photo);
    if (guess !== undefined) {
      const ellipse = new Feature(new Polygon([ellipseRing(guess)]));
      ellipse.setStyle([style("#10161d", 4), style("#ffd24d", 2, undefined, [8, 6])]);
      this.drawn.source.addFeature(ellipse);
    }
    if (mark !== undefined) {
      const cross = new Feature(new MultiLineString(crossLines(mark)));
      cross.setStyle([style("#10161d", 4), style("#ff5468", 1.6)]);
      this.drawn.source.addFeature(cross);
      if (guess !== undefined) {
        const link = new Feature(new LineString([[guess.x_px, -guess.y_px], [mark.x_px, -mark.y_px]]));
        link.setStyle(style("#ffd24d", 1));
        this.drawn.source.addFeature(link);
      }
    }
    const at = mark ?? guess;
    if (at !== undefined) this.loupe.show(this.photo, at.x_px, at.y_px, mark !== undefined);
  }
}

function sent(mark: Mark): object {
  const hand = mark.source === "file" ? "hand" : mark.source;
  return { photo: mark.photo, x_px: mark.x_px, y_px: mark.y_px, sigma_px: mark.sigma_px, source: hand };
}

function numbers(at: Located): Record<string, string> {
  const [e, n, u] = at.position_enu_m;
  const [ce, cn, cu] = at.ci95_m;
  return {
    e: decimal(e, 3), n: decimal(n, 3), u: decimal(u, 3), ce: decimal(ce, 3), cn: decimal(cn, 3), cu: decimal(cu, 3),
  };
}

function ellipseRing(guess: Prediction): number[][] {
  const turn = (guess.angle_deg * Math.PI) / 180;
  const [a, b] = guess.semi_axes_px;
  return Array.from({ length: 73 }, (_, k) => {
    const t = (k * 5 * Math.PI) / 180;
    const [along, across] = [a * Math.cos(t), b * Math.sin(t)];
    const x = guess.x_px + along * Math.cos(turn) - across * Math.sin(turn);
    const y = guess.y_px + along * Math.sin(turn) + across * Math.cos(turn);
    return [x, -y];
  });
}

/** A cross that leaves its middle free, so that it hides nothing of what it marks. */
function crossLines(mark: Mark): number[][][] {
  const [x, y] = [mark.x_px, -mark.y_px];
  const [near, far] = [2, 14];
  return [
    [[x - far, y], [x - near, y]],
    [[x + near, y], [x + far, y]],
    [[x, y - far], [x, y - near]],
    [[x, y + near], [x, y + far]],
  ];
}

/** Adds points to the measuring form by tapping them. */
function startMeasuring(): void {
  const buttons = document.getElementById("point-buttons");
  const field = document.querySelector<HTMLInputElement>("#measure-form [name=points]");
  if (buttons === null || field === null) return;
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const name = (event.target as HTMLElement).closest<HTMLElement>("[data-add]")?.dataset["add"];
    if (name === undefined) return;
    field.value = name === "" ? "" : [field.value.trim(), name].filter((part) => part !== "").join("; ");
    void preview(field.value);
  });
  field.addEventListener("change", () => void preview(field.value));
  byId("kind").addEventListener("change", () => void preview(field.value));
}

interface Measured {
  readonly value: number | null;
  readonly unit: string;
  readonly ci95_low: number | null;
  readonly ci95_high: number | null;
  readonly determined: boolean;
  readonly note: string;
}

/** What the server would measure, before it is kept. */
async function preview(points: string): Promise<void> {
  const line = byId("measure-preview");
  const names = points.split(/[;,]/).map((part) => part.trim()).filter((part) => part !== "");
  line.textContent = "";
  if (names.length < 2) return;
  try {
    const body = { kind: byId<HTMLSelectElement>("kind").value, points: names };
    const found = await send<Measured>(data.measureUrl, body);
    line.textContent = found.value === null
      ? found.note
      : `${decimal(found.value, 3)} ${found.unit} (${decimal(found.ci95_low, 3)} – ${decimal(found.ci95_high, 3)})`;
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    line.textContent = error.message;
  }
}

startMeasuring();
if (data.point !== "") {
  new Marker().start().catch((error: unknown) => {
    byId("mark-status").textContent = text("failed", { why: error instanceof Error ? error.message : "" });
  });
}
