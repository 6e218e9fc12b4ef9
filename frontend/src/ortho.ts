/** The orthophoto in its own metres, as PNG tiles of the server, with measuring on it.

    Tiles are cut in the raster's own grid, so nothing is resampled and a distance on the screen
    is a distance in the raster's frame. */

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

import { dot, label, style, vectorLayer } from "./lib/map";
import { byId, element, fill, pageData } from "./lib/page";

interface OrthoData {
  readonly tileUrl: string;
  readonly widthPx: number;
  readonly heightPx: number;
  readonly mPerPx: number;
  readonly tilePx: number;
  readonly levels: number;
  readonly texts: Readonly<Record<"zoomIn" | "zoomOut" | "distance" | "area" | "hint" | "notMetric" | "camera", string>>;
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
const picture = new TileLayer({
  source: new TileImage({
    projection,
    tileGrid,
    tileUrlFunction: ([z, x, y]) => fill(data.tileUrl, { z: z ?? 0, x: x ?? 0, y: y ?? 0 }),
    interpolate: true,
  }),
});

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

function textOf(geometry: LineString | Polygon): string {
  if (!data.metric) return data.texts.notMetric;
  if (geometry instanceof Polygon) return fill(data.texts.area, { value: geometry.getArea().toFixed(2) });
  return fill(data.texts.distance, { value: geometry.getLength().toFixed(3) });
}

let draw: Draw | null = null;
const buttons = [...document.querySelectorAll<HTMLButtonElement>("[data-measure]")];

function choose(mode: string): void {
  if (draw !== null) map.removeInteraction(draw);
  draw = null;
  const measuring = mode === "line" || mode === "area";
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(measuring && button.dataset["measure"] === mode));
  }
  if (mode === "clear") {
    marks.source.clear();
    result.textContent = "";
  }
  if (!measuring) return;
  draw = new Draw({ source: marks.source, type: mode === "area" ? "Polygon" : "LineString" });
  result.textContent = data.texts.hint;
  draw.on("drawstart", (event) => {
    event.feature.getGeometry()?.on("change", (change) => {
      result.textContent = textOf(change.target as LineString | Polygon);
    });
  });
  draw.on("drawend", (event) => {
    const feature = event.feature as Feature<LineString | Polygon>;
    const geometry = feature.getGeometry();
    if (geometry !== undefined) feature.set("text", textOf(geometry));
  });
  map.addInteraction(draw);
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    const mode = button.dataset["measure"] ?? "clear";
    choose(button.getAttribute("aria-pressed") === "true" ? "stop" : mode);
  });
}

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

startCameras();
byId("ortho-tools").hidden = false;
