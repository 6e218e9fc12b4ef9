/** A flight's volumes on a map: geography, contingency and ground-risk buffer as nested outlines. */

import type Feature from "ol/Feature.js";

import type { LatLon } from "./geodesy";
import { areaFeature, style, vectorLayer } from "./map";
import type { Volume } from "./preview";

const COLOURS: Readonly<Record<string, string>> = {
  flight_geography: "#3a8a4d",
  contingency_volume: "#b07400",
  ground_risk_buffer: "#c22238",
};
const LAYER_ORDER = 1;

export function volumeLayer(): ReturnType<typeof vectorLayer> {
  return vectorLayer((feature) => {
    const colour = COLOURS[String(feature.get("role"))] ?? "#4c5a6a";
    return style(colour, 1.5, `${colour}14`);
  }, LAYER_ORDER);
}

export function showVolumes(
  layer: { readonly source: { clear(): void; addFeature(feature: Feature): void } },
  volumes: readonly Volume[],
): void {
  layer.source.clear();
  // The widest first, so that the narrower ones stay on top of it.
  for (const { role, ring } of [...volumes].reverse()) {
    const corners = ring.map(([latDeg, lonDeg]): LatLon => ({ latDeg, lonDeg }));
    layer.source.addFeature(areaFeature(corners, { role }));
  }
}
