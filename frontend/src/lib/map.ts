/** Maps without any outside server: our own vector basemap and a graticule. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import Attribution from "ol/control/Attribution.js";
import ScaleLine from "ol/control/ScaleLine.js";
import Zoom from "ol/control/Zoom.js";
import GeoJSON from "ol/format/GeoJSON.js";
import type Geometry from "ol/geom/Geometry.js";
import Point from "ol/geom/Point.js";
import Polygon from "ol/geom/Polygon.js";
import Graticule from "ol/layer/Graticule.js";
import VectorLayer from "ol/layer/Vector.js";
import { fromLonLat } from "ol/proj.js";
import VectorSource from "ol/source/Vector.js";
import CircleStyle from "ol/style/Circle.js";
import Fill from "ol/style/Fill.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";
import Text from "ol/style/Text.js";

import type { BasemapSetting } from "./basemap";
import type { LatLon } from "./geodesy";

/** Below this many metres per pixel the hand-drawn lines would lie more than they tell. */
const FADE_BELOW_M_PER_PX = 1.5;
const LABELS_BELOW_M_PER_PX = 30;

export const INK = "#14202e";
const FONT = "12px system-ui, sans-serif";

export interface MapTexts {
  readonly basemap: string;
  readonly zoomIn: string;
  readonly zoomOut: string;
}

/** A point of ours as OpenLayers wants it. */
export function project(point: LatLon): number[] {
  return fromLonLat([point.lonDeg, point.latDeg]);
}

/** A filled and stroked style. */
export function style(stroke: string, width: number, fill?: string, dash?: number[]): Style {
  return new Style({
    stroke: new Stroke(dash ? { color: stroke, width, lineDash: dash } : { color: stroke, width }),
    ...(fill ? { fill: new Fill({ color: fill }) } : {}),
  });
}

/** A round mark. */
export function dot(radius: number, fill: string, stroke = INK): Style {
  return new Style({
    image: new CircleStyle({
      radius,
      fill: new Fill({ color: fill }),
      stroke: new Stroke({ color: stroke, width: 1.5 }),
    }),
  });
}

/** A text with a light edge, legible on every ground. */
export function label(text: string, offsetY = 0, font = FONT, color = INK): Style {
  return new Style({
    text: new Text({
      text,
      font,
      offsetY,
      fill: new Fill({ color }),
      stroke: new Stroke({ color: "rgba(255,255,255,0.9)", width: 3 }),
      overflow: true,
    }),
  });
}

const BASE: Readonly<Record<string, Style>> = {
  region: style("#8b6fa8", 1.5, "#f6f4ee", [8, 4]),
  wood: style("#a9c49a", 1, "#d3e4c6"),
  water: style("#7fb0d4", 4, "#a9cde6"),
  motorway: style("#c98a3c", 4),
  road: style("#c9b79a", 2.5),
  rail: style("#8f959c", 1.2, undefined, [6, 4]),
};

function basemapStyle(feature: FeatureLike, mPerPx: number): Style[] {
  const kind = String(feature.get("kind"));
  const name = String(feature.get("name") ?? "");
  if (kind === "town") return mPerPx < LABELS_BELOW_M_PER_PX * 2 ? [label(name, 0)] : [];
  if (kind === "zone") {
    return [label(name, 16, "600 13px system-ui, sans-serif", "#5a3f7a")];
  }
  const base = BASE[kind];
  if (base === undefined) return [];
  if (mPerPx < FADE_BELOW_M_PER_PX && kind !== "region" && kind !== "wood") return [];
  const named = mPerPx < LABELS_BELOW_M_PER_PX && name !== "" && kind !== "region";
  return named ? [base, label(name, -8, "11px system-ui, sans-serif", "#4c5a6a")] : [base];
}

/** The operator's own basemap; null where ours is all there is. */
function operatorsBasemap(): BasemapSetting | null {
  const block = document.getElementById("basemap-data");
  return block === null ? null : (JSON.parse(block.textContent ?? "null") as BasemapSetting);
}

/** Puts the operator's basemap under everything; where it fails, ours stays. */
async function replaceBasemap(map: OlMap, ours: VectorLayer, setting: BasemapSetting): Promise<void> {
  const { tileLayer } = await import("./basemap");
  map.getLayers().insertAt(0, await tileLayer(setting));
  ours.setVisible(false);
}

/** The layers that lie under everything else. */
function basemap(texts: MapTexts): [VectorLayer, Graticule] {
  const vectors = new VectorLayer({
    source: new VectorSource({
      url: "/static/basemap.geojson",
      format: new GeoJSON(),
      attributions: texts.basemap,
    }),
    declutter: true,
    style: (feature, resolution) => basemapStyle(feature, resolution),
  });
  const graticule = new Graticule({
    strokeStyle: new Stroke({ color: "rgba(20,32,46,0.22)", width: 1 }),
    showLabels: true,
    wrapX: false,
    targetSize: 160,
    lonLabelPosition: 0.93,
    latLabelPosition: 0.99,
    intervals: [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001],
    lonLabelFormatter: (lon) => `${lon.toFixed(4)}°E`,
    latLabelFormatter: (lat) => `${lat.toFixed(4)}°N`,
  });
  return [vectors, graticule];
}

/** A map of Brussels in the element, with the layers on top of the basemap. */
export function makeMap(
  target: HTMLElement,
  texts: MapTexts,
  layers: readonly VectorLayer[],
  centre: LatLon,
  zoom: number,
): OlMap {
  target.tabIndex = 0;
  const [ours, graticule] = basemap(texts);
  const map = new OlMap({
    target,
    layers: [ours, graticule, ...layers],
    view: new View({ center: project(centre), zoom, maxZoom: 23, minZoom: 8 }),
    controls: [
      new Zoom({ zoomInTipLabel: texts.zoomIn, zoomOutTipLabel: texts.zoomOut }),
      new ScaleLine({ units: "metric" }),
      new Attribution({ collapsible: false }),
    ],
  });
  const setting = operatorsBasemap();
  if (setting !== null) {
    replaceBasemap(map, ours, setting).catch((error: unknown) => console.error("basemap:", error));
  }
  return map;
}

/** A layer for features of ours. */
export function vectorLayer(
  styling: (feature: FeatureLike, mPerPx: number) => Style | Style[] | undefined,
  zIndex = 1,
  declutter = false,
): { layer: VectorLayer; source: VectorSource } {
  const source = new VectorSource<Feature<Geometry>>();
  const layer = new VectorLayer({ source, style: styling, zIndex, declutter });
  return { layer, source };
}

/** A feature at a place. */
export function pointFeature(point: LatLon, properties: object = {}): Feature<Point> {
  const feature = new Feature(new Point(project(point)));
  feature.setProperties(properties);
  return feature;
}

/** A feature that covers an area. */
export function areaFeature(corners: readonly LatLon[], properties: object = {}): Feature<Polygon> {
  const ring = corners.map(project);
  const feature = new Feature(new Polygon([[...ring, ring[0] as number[]]]));
  feature.setProperties(properties);
  return feature;
}
