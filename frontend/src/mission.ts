/** A mission on the map: area, path, photo positions and their footprints on the ground. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import LineString from "ol/geom/LineString.js";
import { boundingExtent } from "ol/extent.js";

import { chanceLayer, showChances, type ChanceShape } from "./lib/chances";
import type { LatLon } from "./lib/geodesy";
import { areaFeature, dot, label, makeMap, pointFeature, project, style, vectorLayer, type MapTexts } from "./lib/map";
import { decimal } from "./lib/decimal";
import { byId, fill, pageData } from "./lib/page";
import type { Volume } from "./lib/preview";
import { showVolumes, volumeLayer } from "./lib/volumes";

type Pair = readonly [number, number];

interface Photo {
  readonly at: Pair;
  readonly alt: number;
  readonly yaw: number;
  readonly pitch: number;
  readonly footprint: readonly Pair[];
}

interface MissionData {
  readonly area: readonly Pair[];
  readonly path: readonly Pair[];
  readonly home: Pair;
  readonly photos: readonly Photo[];
  readonly zones: readonly { readonly name: string; readonly severity: string; readonly ring: readonly Pair[] }[];
  readonly volumes: readonly Volume[];
  readonly chances: readonly ChanceShape[];
  readonly texts: MapTexts & { readonly home: string; readonly photo: string; readonly none: string };
}

const data = pageData<MissionData>("mission-data");
const result = byId("map-result");
const at = ([latDeg, lonDeg]: Pair): LatLon => ({ latDeg, lonDeg });

const zoneColours: Readonly<Record<string, string>> = { stop: "#c22238", warn: "#b07400", pass: "#3a8a4d" };
const zones = vectorLayer((feature) => {
  const colour = zoneColours[String(feature.get("severity"))] ?? "#4c5a6a";
  return [style(colour, 2, `${colour}22`, [8, 5]), label(String(feature.get("name")))];
}, 1);
const volumes = volumeLayer();
showVolumes(volumes, data.volumes);
const chances = chanceLayer();
showChances(chances, data.chances);
const area = vectorLayer(() => style("#7a4b00", 2.5, "rgba(255,194,51,0.30)"), 2);
const footprints = vectorLayer(() => style("rgba(20,32,46,0.45)", 1, "rgba(31,111,196,0.04)"), 3);
const path = vectorLayer((feature) => {
  if (feature.get("home") === true) return [dot(9, "#ffc233"), label(data.texts.home, 20)];
  return style("#0b4f94", 2.5);
}, 4);
const chosen = vectorLayer(() => style("#c22238", 3, "rgba(194,34,56,0.18)"), 5);
const photos = vectorLayer((_feature: FeatureLike, mPerPx) => dot(mPerPx > 0.6 ? 3 : 5, "#ffffff"), 6);

for (const zone of data.zones) zones.source.addFeature(areaFeature(zone.ring.map(at), zone));
if (data.area.length >= 3) area.source.addFeature(areaFeature(data.area.map(at)));
path.source.addFeature(new Feature(new LineString(data.path.map((pair) => project(at(pair))))));
path.source.addFeature(pointFeature(at(data.home), { home: true }));
data.photos.forEach((photo, index) => {
  photos.source.addFeature(pointFeature(at(photo.at), { index }));
  if (photo.footprint.length >= 3) footprints.source.addFeature(areaFeature(photo.footprint.map(at)));
});

const layers = { chances, zones, volumes, area, footprints, path, photos };
const map = makeMap(
  byId("map"),
  data.texts,
  [chances.layer, zones.layer, volumes.layer, area.layer, footprints.layer, path.layer, chosen.layer, photos.layer],
  at(data.home),
  17,
);
const everything = [...data.area, ...data.path, data.home].map((pair) => project(at(pair)));
map.getView().fit(boundingExtent(everything), { padding: [50, 50, 50, 50], maxZoom: 21 });

for (const box of document.querySelectorAll<HTMLInputElement>("[data-layer]")) {
  const named = layers[box.dataset["layer"] as keyof typeof layers];
  named.layer.setVisible(box.checked);
  box.addEventListener("change", () => named.layer.setVisible(box.checked));
}
byId("map-tools").hidden = false;

map.on("singleclick", (event) => {
  chosen.source.clear();
  const hit = map.forEachFeatureAtPixel(
    event.pixel,
    (feature) => feature.get("index") as number | undefined,
    { layerFilter: (layer) => layer === photos.layer, hitTolerance: 12 },
  );
  const photo = hit === undefined ? undefined : data.photos[hit];
  if (photo === undefined) {
    result.textContent = data.texts.none;
    return;
  }
  if (photo.footprint.length >= 3) chosen.source.addFeature(areaFeature(photo.footprint.map(at)));
  result.textContent = fill(data.texts.photo, {
    n: (hit ?? 0) + 1,
    lat: photo.at[0].toFixed(6),
    lon: photo.at[1].toFixed(6),
    alt: decimal(photo.alt, 1),
    yaw: photo.yaw.toFixed(0),
    pitch: photo.pitch.toFixed(0),
  });
});
