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
import { dot, label, style, vectorLayer } from "./lib/map";
import { byId, element, fill, pageData } from "./lib/page";

type OrthoText =
  | "zoomIn" | "zoomOut" | "hint" | "notMetric" | "camera" | "measured" | "asking" | "failed_measure" | "nameFirst";

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

interface Measured {
  readonly value: number | null;
  readonly unit: string;
  readonly ci95_low: number | null;
  readonly ci95_high: number | null;
  readonly note: string;
}

const AREAS: readonly string[] = ["area", "plan_area", "volume"];
const PAIRS: readonly string[] = ["distance", "horizontal", "height", "slope", "section"];
const kind = byId<HTMLSelectElement>("ortho-kind");
const keep = document.getElementById("ortho-keep") as HTMLFormElement | null;
const start = document.querySelector<HTMLButtonElement>("[data-measure=draw]");
let draw: Draw | null = null;
/** What was drawn last, as columns and rows of the raster. */
let places: readonly (readonly [number, number])[] = [];

function sentence(found: Measured): string {
  if (found.value === null) return found.note;
  const [low, high] = [found.ci95_low, found.ci95_high].map((v) => v?.toFixed(3) ?? "–");
  return fill(data.texts.measured, { value: found.value.toFixed(3), unit: found.unit, low: low ?? "–", high: high ?? "–" });
}

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
  start?.setAttribute("aria-pressed", "false");
}

function clear(): void {
  stop();
  marks.source.clear();
  result.textContent = "";
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
  await attempt(async () => {
    const body = { kind: kind.value, on: "orthophoto", places };
    const found = await send<Measured>(data.measureUrl, body);
    result.textContent = sentence(found);
    if (found.value !== null) feature.set("text", `${found.value.toFixed(3)} ${found.unit}`);
    if (keep !== null) keep.hidden = data.recordUrl === null;
  });
}

function begin(): void {
  clear();
  if (!data.metric) {
    result.textContent = data.texts.notMetric;
    return;
  }
  start?.setAttribute("aria-pressed", "true");
  const area = AREAS.includes(kind.value);
  draw = PAIRS.includes(kind.value)
    ? new Draw({ source: marks.source, type: "LineString", maxPoints: 2 })
    : new Draw({ source: marks.source, type: area ? "Polygon" : "LineString", ...(kind.value === "angle" ? { maxPoints: 3 } : {}) });
  result.textContent = data.texts.hint;
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
byId("ortho-tools").hidden = false;
