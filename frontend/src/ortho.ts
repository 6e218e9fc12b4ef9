/** The orthophoto in its own metres, as PNG tiles of the server, with measuring on it.

    Tiles are cut in the raster's own grid, so nothing is resampled and a distance on the screen
    is a distance in the raster's frame.  What is measured is measured by the server. */

import Feature from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import { getCenter } from "ol/extent.js";
import LineString from "ol/geom/LineString.js";
import Point from "ol/geom/Point.js";
import Polygon from "ol/geom/Polygon.js";
import Draw from "ol/interaction/Draw.js";
import TileLayer from "ol/layer/Tile.js";
import Projection from "ol/proj/Projection.js";
import TileImage from "ol/source/TileImage.js";
import TileGrid from "ol/tilegrid/TileGrid.js";
import ScaleLine from "ol/control/ScaleLine.js";
import Zoom from "ol/control/Zoom.js";

import { Refused, send } from "./lib/api";
import { decimal } from "./lib/decimal";
import { dot, label, style, vectorLayer } from "./lib/map";
import { isClosed, sentence, takes, type Measured } from "./lib/measure";
import { byId, colon, element, fill, pageData } from "./lib/page";
import { showProfile } from "./lib/profile";

type OrthoText =
  | "place" | "twoNumbers" | "profile" | "zoomIn" | "zoomOut" | "hint" | "notMetric" | "camera" | "measured" | "asking" | "failed_measure" | "nameFirst" | "tooFew";

interface OrthoData {
  readonly measureUrl: string;
  readonly recordUrl: string | null;
  readonly tileUrl: string;
  /** What may lie over the orthophoto, tile for tile. */
  readonly overlays: Readonly<Record<string, string>>;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly mPerPx: number;
  readonly tilePx: number;
  readonly levels: number;
  readonly texts: Readonly<Record<OrthoText, string>>;
  readonly metric: boolean;
  readonly cameras: readonly Camera[];
  readonly kept: readonly Kept[];
  /** From column and row to east and north in the raster's reference system. */
  readonly affine: readonly [number, number, number, number, number, number];
}

/** A kept measurement; corners : columns and rows. */
interface Kept {
  readonly name: string;
  readonly text: string;
  readonly closed: boolean;
  readonly corners: readonly (readonly [number, number])[];
}

interface Camera {
  readonly photo: string;
  readonly x: number;
  readonly y: number;
  readonly state: string;
  readonly thumb: string;
}

const data = pageData<OrthoData>("ortho-data");
const result = byId("ortho-result");
const widthM = data.widthPx * data.mPerPx;
const heightM = data.heightPx * data.mPerPx;
const extent = [0, -heightM, widthM, 0];

const projection = new Projection({ code: "droneteam:scene", units: "m", extent, metersPerUnit: 1 });
const tileGrid = new TileGrid({
  extent,
  origin: [0, 0],
  tileSize: data.tilePx,
  resolutions: Array.from({ length: data.levels }, (_, z) => data.mPerPx * 2 ** (data.levels - 1 - z)),
});
function tiles(url: string, interpolate: boolean): TileImage {
  const tileUrlFunction = ([z, x, y]: number[]): string => fill(url, { z: z ?? 0, x: x ?? 0, y: y ?? 0 });
  return new TileImage({ projection, tileGrid, tileUrlFunction, interpolate });
}

const picture = new TileLayer({ source: tiles(data.tileUrl, true) });

const marks = vectorLayer((feature) => {
  const text = String(feature.get("text") ?? "");
  return [style("#ffffff", 5), style("#c22238", 2.5, "rgba(194,34,56,0.15)"), dot(5, "#ffc233"), label(text, -12, "600 14px system-ui, sans-serif")];
}, 2);

const map = new OlMap({
  target: byId("ortho-map"),
  layers: [picture, marks.layer],
  view: new View({ projection, center: getCenter(extent), minResolution: data.mPerPx / 8, extent: grown(extent), constrainOnlyCenter: true, showFullExtent: true }),
  controls: [
    new Zoom({ zoomInTipLabel: data.texts.zoomIn, zoomOutTipLabel: data.texts.zoomOut }),
    ...(data.metric ? [new ScaleLine({ units: "metric" as const })] : []),
  ],
});
byId("ortho-map").tabIndex = 0;
map.getView().fit(extent, { padding: [10, 10, 10, 10] });

function grown(box: readonly number[]): number[] {
  const margin = 0.2 * Math.max(widthM, heightM);
  return [(box[0] ?? 0) - margin, (box[1] ?? 0) - margin, (box[2] ?? 0) + margin, (box[3] ?? 0) + margin];
}

const kind = byId<HTMLSelectElement>("ortho-kind");
const keep = document.getElementById("ortho-keep") as HTMLFormElement | null;
const start = document.querySelector<HTMLButtonElement>("[data-measure=draw]");
const chart = byId("ortho-profile");
const typing = document.getElementById("ortho-type") as HTMLFormElement | null;
let draw: Draw | null = null;
/** What is being drawn, from its first point on. */
let sketch: Feature<LineString | Polygon> | null = null;
/** Counts questions: an answer to an earlier one, or to one that was cleared, is not shown. */
let asked = 0;
/** What was drawn last, as columns and rows of the raster. */
let places: readonly (readonly [number, number])[] = [];

async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Refused || error instanceof TypeError)) throw error;
    result.textContent = fill(data.texts.failed_measure, { why: error.message });
  }
}

function stop(): void {
  if (draw !== null) map.removeInteraction(draw);
  draw = null;
  sketch = null;
  start?.setAttribute("aria-pressed", "false");
  if (typing !== null) typing.hidden = true;
}

function clear(): void {
  stop();
  asked++;
  marks.source.clear();
  result.textContent = "";
  chart.hidden = true;
  places = [];
  if (keep !== null) keep.hidden = true;
}

/** The number and its interval are the server's; the drawing only says between which places. */
async function measured(feature: Feature<LineString | Polygon>): Promise<void> {
  const geometry = feature.getGeometry();
  if (geometry === undefined) return;
  const corners = geometry instanceof Polygon
    ? (geometry.getCoordinates()[0] ?? []).slice(0, -1)
    : geometry.getCoordinates();
  places = corners.map(([x, y]) => [(x ?? 0) / data.mPerPx, -(y ?? 0) / data.mPerPx] as const);
  result.textContent = data.texts.asking;
  const turn = ++asked;
  await attempt(async () => {
    const body = { kind: kind.value, on: "orthophoto", places };
    const found = await send<Measured>(data.measureUrl, body);
    if (turn !== asked) return;
    result.textContent = sentence(found, data.texts.measured);
    if (found.value !== null) feature.set("text", `${decimal(found.value, 3)} ${found.unit}`);
    showProfile(chart, found.series, data.texts.profile);
    if (keep !== null) keep.hidden = data.recordUrl === null;
  });
}

/** A point without a finger: the middle of the view, or typed. */
function add(place: readonly number[]): void {
  if (draw === null) begin();
  if (draw === null) return;
  draw.appendCoordinates([[...place]]); // which ends the drawing at its last point
}

function back(): void {
  draw?.removeLastPoint();
}

/** How many points are tapped so far; the one that follows the pointer does not count. */
function tapped(): number {
  const shape = sketch?.getGeometry();
  if (shape === undefined) return 0;
  return shape instanceof Polygon ? (shape.getCoordinates()[0]?.length ?? 0) - 2 : shape.getCoordinates().length - 1;
}

/** Ends the drawing, or says how many points it still takes. */
function end(): void {
  const [least] = takes(kind.value);
  if (draw !== null && tapped() < least) result.textContent = fill(data.texts.tooFew, { least, n: Math.max(tapped(), 0) });
  else draw?.finishDrawing();
}

/** East and north in the raster's reference system, of a place of the view. */
function eastNorth([x = 0, y = 0]: readonly number[]): readonly [number, number] {
  const [column, row] = [x / data.mPerPx, -y / data.mPerPx];
  const [a, b, c, d, e, f] = data.affine;
  return [a * column + b * row + c, d * column + e * row + f];
}

/** The place in the view of east and north. */
function placeOf(east: number, north: number): readonly [number, number] {
  const [a, b, c, d, e, f] = data.affine;
  const [u, v, area] = [east - c, north - f, a * e - b * d];
  return [((e * u - b * v) / area) * data.mPerPx, -((a * v - d * u) / area) * data.mPerPx];
}

function startReading(): void {
  const line = byId("ortho-place");
  const say = (place: readonly number[]): void => {
    const [east, north] = eastNorth(place);
    line.textContent = fill(data.texts.place, { east: decimal(east, 3), north: decimal(north, 3) });
  };
  map.on("pointermove", (event) => say(event.coordinate));
  map.on("moveend", () => say(map.getView().getCenter() ?? [0, 0]));
}

/** Enter takes the middle, which a cross shows while the keys are in use. */
function startKeys(): void {
  const holder = byId("ortho-map");
  holder.append(element("span", { class: "middle-cross", "aria-hidden": "true" }));
  holder.addEventListener("keydown", (event) => {
    if (event.target !== holder) return;
    if (event.key === "Enter") add(map.getView().getCenter() ?? [0, 0]);
    else if (event.key === "Backspace") back();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
  typing?.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId<HTMLInputElement>("ortho-typed");
    const numbers = input.value.trim().split(/[\s;]+|,\s+/).map((one) => Number(one.replace(",", ".")));
    const [east, north] = numbers;
    if (numbers.length !== 2 || east === undefined || north === undefined || !numbers.every(Number.isFinite)) {
      result.textContent = data.texts.twoNumbers;
      return;
    }
    const place = placeOf(east, north);
    add(place);
    map.getView().setCenter([...place]);
    input.value = "";
    input.focus();
  });
}

/** What was kept, drawn where it lies, with its name and value. */
function startKept(): void {
  const box = document.getElementById("ortho-kept") as HTMLInputElement | null;
  if (box === null) return;
  const kept = vectorLayer((feature) => {
    const text = String(feature.get("text") ?? "");
    return [style("#10161d", 5), style("#ffd24d", 2.5, "rgba(255,210,77,0.12)"), label(text, -12, "600 13px system-ui, sans-serif")];
  }, 2);
  for (const one of data.kept) {
    const corners = one.corners.map(([x, y]) => [x * data.mPerPx, -y * data.mPerPx]);
    const feature = new Feature(one.closed ? new Polygon([[...corners, corners[0] ?? []]]) : new LineString(corners));
    feature.set("text", `${one.name}${colon()} ${one.text}`);
    kept.source.addFeature(feature);
  }
  kept.layer.setDeclutter(true); // of names that would cover one another the first is shown
  map.addLayer(kept.layer);
  box.addEventListener("change", () => kept.layer.setVisible(box.checked));
}

function begin(): void {
  clear();
  if (!data.metric) {
    result.textContent = data.texts.notMetric;
    return;
  }
  start?.setAttribute("aria-pressed", "true");
  if (typing !== null) typing.hidden = false;
  draw = new Draw({ source: marks.source, type: isClosed(kind.value) ? "Polygon" : "LineString", maxPoints: takes(kind.value)[1], minPoints: takes(kind.value)[0] });
  result.textContent = data.texts.hint;
  draw.on("drawstart", (event) => {
    sketch = event.feature as Feature<LineString | Polygon>;
  });
  draw.on("drawabort", () => {
    sketch = null;
  });
  draw.on("drawend", (event) => {
    const feature = event.feature as Feature<LineString | Polygon>;
    // The interaction may not be taken away while it is ending its drawing.
    window.setTimeout(stop, 0);
    void measured(feature);
  });
  map.addInteraction(draw);
}

start?.addEventListener("click", () => (draw === null ? begin() : clear()));
kind.addEventListener("change", () => (draw === null ? clear() : begin()));
document.querySelector("[data-measure=back]")?.addEventListener("click", back);
document.querySelector("[data-measure=end]")?.addEventListener("click", end);
document.querySelector("[data-measure=clear]")?.addEventListener("click", clear);
keep?.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId<HTMLInputElement>("ortho-name").value.trim();
  if (name === "" || data.recordUrl === null) {
    result.textContent = data.texts.nameFirst;
    return;
  }
  const url = data.recordUrl;
  void attempt(async () => {
    await send(url, { kind: kind.value, on: "orthophoto", places, name });
    location.hash = "measurements";
    location.reload();
  });
});

/** Where the cameras stood; a tap on one shows its photo. */
function startCameras(): void {
  const box = document.getElementById("ortho-cameras") as HTMLInputElement | null;
  if (box === null) return;
  const cameras = vectorLayer(() => dot(8, "#7db8f5"), 3);
  cameras.layer.setVisible(false);
  map.addLayer(cameras.layer);
  for (const camera of data.cameras) {
    const place = new Feature(new Point([camera.x * data.mPerPx, -camera.y * data.mPerPx]));
    place.set("camera", camera);
    cameras.source.addFeature(place);
  }
  box.addEventListener("change", () => cameras.layer.setVisible(box.checked));
  map.on("click", (event) => {
    const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature.get("camera") as Camera | undefined, {
      layerFilter: (layer) => layer === cameras.layer,
      hitTolerance: 18,
    });
    if (hit === undefined || !box.checked) return;
    const shown = byId("ortho-photo");
    shown.replaceChildren(
      element("img", { src: hit.thumb, alt: hit.photo }),
      element("span", {}, fill(data.texts.camera, { photo: hit.photo, state: hit.state })),
    );
    shown.hidden = false;
  });
}

/** Filled cells and source photos; each is fetched when it is first asked for. */
function startOverlays(): void {
  for (const box of document.querySelectorAll<HTMLInputElement>("[data-overlay]")) {
    const url = data.overlays[box.dataset["overlay"] ?? ""];
    if (url === undefined) continue;
    const layer = new TileLayer({ visible: false, zIndex: 1 });
    map.addLayer(layer);
    box.addEventListener("change", () => {
      if (layer.getSource() === null) layer.setSource(tiles(url, false));
      layer.setVisible(box.checked);
    });
  }
}

startOverlays();
startCameras();
startKept();
startKeys();
startReading();
byId("ortho-tools").hidden = false;
