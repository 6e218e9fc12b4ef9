/** Where receivers have really heard something: cells shaded by count, beside the declared range. */

import Feature from "ol/Feature.js";
import Circle from "ol/geom/Circle.js";

import type { LatLon } from "./lib/geodesy";
import { areaFeature, dot, label, makeMap, pointFeature, project, style, vectorLayer } from "./lib/map";
import { byId, fill, pageData } from "./lib/page";
import type { SkyTexts } from "./lib/skymap";

interface Layer {
  readonly receiver: string;
  readonly n: number;
  readonly site: readonly [number, number, number] | null;
  readonly halfDeg: readonly [number, number];
  readonly cells: readonly (readonly [number, number, number, number, number | null])[];
}

interface CoverageData {
  readonly centre: LatLon;
  readonly layers: readonly Layer[];
  readonly mapTexts: SkyTexts;
  readonly texts: { readonly cell: string };
}

/** Darker by powers of ten; the first step is what a place needs to count. */
const STEPS = [3, 10, 100, 1000];
const SHADES = ["26", "59", "80", "a6", "cc"];

const data = pageData<CoverageData>("coverage-data");
const cells = vectorLayer((feature) => {
  const shade = SHADES[STEPS.filter((step) => Number(feature.get("n")) >= step).length] ?? "cc";
  return style("rgba(11,79,148,0.35)", 0.5, `#0b4f94${shade}`);
}, 2);
const sites = vectorLayer((feature) => {
  const named = feature.get("named");
  return named === undefined ? style("#b26a00", 2, undefined, [10, 6]) : [dot(6, "#b26a00"), label(String(named), -14)];
}, 3);
const map = makeMap(byId("map"), data.mapTexts, [cells.layer, sites.layer], data.centre, 12);

for (const layer of data.layers) {
  const [halfLat, halfLon] = layer.halfDeg;
  for (const [lat, lon, , n, rssi] of layer.cells) {
    const corners = [[-1, -1], [-1, 1], [1, 1], [1, -1]].map(([a = 0, b = 0]) => ({
      latDeg: lat + a * halfLat,
      lonDeg: lon + b * halfLon,
    }));
    cells.source.addFeature(areaFeature(corners, { n, rssi: rssi ?? "–", receiver: layer.receiver }));
  }
  if (layer.site === null) continue;
  const [latDeg, lonDeg, rangeM] = layer.site;
  const centre = project({ latDeg, lonDeg });
  sites.source.addFeature(new Feature(new Circle(centre, rangeM / Math.cos((latDeg * Math.PI) / 180))));
  sites.source.addFeature(pointFeature({ latDeg, lonDeg }, { named: layer.receiver }));
}

for (const source of [cells.source, sites.source]) {
  const extent = source.getExtent();
  if (!source.isEmpty() && extent !== null) {
    map.getView().fit(extent, { padding: [40, 40, 40, 40], maxZoom: 16 });
    break;
  }
}
map.on("singleclick", (event) => {
  const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, {
    layerFilter: (layer) => layer === cells.layer,
  });
  byId("map-result").textContent =
    hit === undefined
      ? data.mapTexts.nothing
      : fill(data.texts.cell, { receiver: hit.get("receiver"), n: hit.get("n"), rssi: hit.get("rssi") });
});
