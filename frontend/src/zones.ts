/** The geographical zones on a map; a tap names what lies there. */

import { boundingExtent } from "ol/extent.js";
import type { FeatureLike } from "ol/Feature.js";
import type Style from "ol/style/Style.js";

import { areaFeature, label, makeMap, project, style, vectorLayer, type MapTexts } from "./lib/map";
import { byId, pageData } from "./lib/page";

interface Zone {
  readonly name: string;
  readonly detail: string;
  readonly restriction: string;
  /** Per volume the corners as [latitude, longitude], degrees. */
  readonly rings: readonly (readonly (readonly [number, number])[])[];
}

interface ZonesData {
  readonly zones: readonly Zone[];
  readonly texts: MapTexts;
}

const BRUSSELS = { latDeg: 50.8467, lonDeg: 4.3525 };
const STYLES: Readonly<Record<string, Style>> = {
  prohibited: style("#a6192e", 2.5, "rgba(166,25,46,0.16)"),
  authorisation: style("#8a5a00", 2.5, "rgba(200,130,20,0.16)", [10, 5]),
  conditional: style("#8a5a00", 2, "rgba(200,130,20,0.10)", [4, 4]),
  none: style("#1d6b34", 2, "rgba(29,107,52,0.10)", [2, 6]),
};

const data = pageData<ZonesData>("zones-data");
const target = byId("zones-map");
const result = byId("zones-result");

function drawn(feature: FeatureLike): Style[] {
  const outline = STYLES[String(feature.get("restriction"))];
  return [...(outline ? [outline] : []), label(String(feature.get("name")))];
}

// Of hundreds of names only those are written that have room; the outlines are all there.
const zones = vectorLayer(drawn, 2, true);
const corners: number[][] = [];
for (const zone of data.zones) {
  for (const ring of zone.rings) {
    const places = ring.map(([latDeg, lonDeg]) => ({ latDeg, lonDeg }));
    zones.source.addFeature(areaFeature(places, zone));
    corners.push(...places.map(project));
  }
}

target.hidden = false;
const map = makeMap(target, data.texts, [zones.layer], BRUSSELS, 11);
map.getView().fit(boundingExtent(corners), { padding: [40, 40, 40, 40], maxZoom: 14 });

map.on("singleclick", (event) => {
  const names = map.getFeaturesAtPixel(event.pixel, { hitTolerance: 8 }).flatMap((feature) => {
    const detail = feature.get("detail") as string | undefined;
    return detail === undefined ? [] : [`${String(feature.get("name"))} (${detail})`];
  });
  result.textContent = [...new Set(names)].join("; ");
});
