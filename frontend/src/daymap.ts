/** The map of the day: where the requests are, who goes there, and from which base. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import { boundingExtent } from "ol/extent.js";
import LineString from "ol/geom/LineString.js";
import Fill from "ol/style/Fill.js";
import RegularShape from "ol/style/RegularShape.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";

import { INK, label, makeMap, pointFeature, project, style, vectorLayer, type MapTexts } from "./lib/map";
import { byId, element, pageData } from "./lib/page";

interface Place {
  readonly latDeg: number;
  readonly lonDeg: number;
  readonly name: string;
}

interface Asked extends Place {
  readonly id: number;
  readonly url: string;
  readonly priority: string;
  readonly served: boolean;
  readonly detail: string;
  /** The base that the drone comes from; null without a drone. */
  readonly base: Place | null;
}

interface DayData {
  readonly requests: readonly Asked[];
  readonly bases: readonly Place[];
  readonly texts: MapTexts;
}

const BRUSSELS = { latDeg: 50.8467, lonDeg: 4.3525 };
const ZOOM = 11;
const data = pageData<DayData>("day-data");
const target = byId("day-map");
const result = byId("day-result");

/** A disc for who has a drone, a triangle with an exclamation mark for who has none. */
function mark(feature: FeatureLike): Style[] {
  const served = feature.get("served") === true;
  const shape = served ? { points: 32, radius: 10 } : { points: 3, radius: 14 };
  const image = new RegularShape({
    ...shape,
    fill: new Fill({ color: served ? "#1f6fc4" : "#ffffff" }),
    stroke: new Stroke({ color: served ? INK : "#a6192e", width: served ? 1.5 : 3 }),
  });
  const sign = served ? [] : [label("!", 1, "700 13px system-ui, sans-serif", "#a6192e")];
  return [new Style({ image }), ...sign, label(String(feature.get("short")), -20)];
}

function baseStyle(feature: FeatureLike): Style[] {
  const image = new RegularShape({
    points: 4,
    radius: 9,
    angle: Math.PI / 4,
    fill: new Fill({ color: "#14202e" }),
    stroke: new Stroke({ color: "#ffffff", width: 2 }),
  });
  return [new Style({ image }), label(String(feature.get("name")), 18)];
}

const requests = vectorLayer(mark, 4);
const bases = vectorLayer(baseStyle, 3);
const ways = vectorLayer(() => style("#0b4f94", 2, undefined, [6, 5]), 2);
for (const base of data.bases) bases.source.addFeature(pointFeature(base, { name: base.name }));
for (const one of data.requests) {
  const properties = { ...one, short: `${one.priority} · ${one.id}` };
  requests.source.addFeature(pointFeature(one, properties));
  if (one.base !== null) {
    ways.source.addFeature(new Feature(new LineString([project(one.base), project(one)])));
  }
}

target.hidden = false;
const map = makeMap(target, data.texts, [ways.layer, bases.layer, requests.layer], BRUSSELS, ZOOM);
const places = [...data.requests, ...data.bases].map(project);
if (places.length > 0) {
  map.getView().fit(boundingExtent(places), { padding: [48, 48, 48, 48], maxZoom: 14 });
}

map.on("singleclick", (event) => {
  const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, {
    hitTolerance: 22,
    layerFilter: (layer) => layer === requests.layer,
  });
  const url = hit?.get("url") as string | undefined;
  if (hit === undefined || url === undefined) {
    result.textContent = "";
    return;
  }
  const link = element("a", { href: url }, String(hit.get("name")));
  result.replaceChildren(link, ` · ${String(hit.get("detail"))}`);
});
