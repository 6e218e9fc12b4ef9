/** Where a lost person may be, on a map: four shades by chance per area, the darkest the densest. */

import Feature from "ol/Feature.js";
import MultiPolygon from "ol/geom/MultiPolygon.js";

import { project, style, vectorLayer } from "./map";

type Pair = readonly [number, number];

/** An outline with the holes in it, and the step of its density: 0 is the densest. */
export interface ChanceShape {
  readonly rings: readonly (readonly Pair[])[];
  readonly step: number;
}

const SHADES = ["#5b1a8bb0", "#8c4fc080", "#b58ad860", "#d9c3ee50"];
const LAYER_ORDER = 0;

export function chanceLayer(): ReturnType<typeof vectorLayer> {
  return vectorLayer((feature) => style("rgba(91,26,139,0.45)", 0.7, SHADES[feature.get("step") as number]), LAYER_ORDER);
}

/** A feature for each shade, however many cells there are. */
export function showChances(layer: ReturnType<typeof vectorLayer>, shapes: readonly ChanceShape[]): void {
  layer.source.clear();
  SHADES.forEach((_shade, step) => {
    const polygons = shapes.filter((shape) => shape.step === step).map((shape) => shape.rings.map(closed));
    if (polygons.length === 0) return;
    const feature = new Feature(new MultiPolygon(polygons));
    feature.set("step", step);
    layer.source.addFeature(feature);
  });
}

function closed(ring: readonly Pair[]): number[][] {
  const points = ring.map(([latDeg, lonDeg]) => project({ latDeg, lonDeg }));
  return [...points, ...points.slice(0, 1)];
}
