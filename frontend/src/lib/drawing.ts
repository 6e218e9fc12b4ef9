/** What a pilot draws: places in their order and a take-off; each edit gives a new drawing. */

import { areaM2, distanceM, moved, type LatLon } from "./geodesy";
import type { Imported } from "./importing";

export type Shape = "polygon" | "line" | "points" | "point";

export interface Drawing {
  readonly places: readonly LatLon[];
  readonly home: LatLon;
  /** Of the edit that took them from a file: what else it changed. */
  readonly imported?: Imported;
}

/** The drawing with one place somewhere else. */
export function withPlace(drawing: Drawing, index: number, place: LatLon): Drawing {
  return { ...drawing, places: drawing.places.map((old, i) => (i === index ? place : old)) };
}

/** The drawing without one place. */
export function withoutPlace(drawing: Drawing, index: number): Drawing {
  return { ...drawing, places: drawing.places.filter((_, i) => i !== index) };
}

/** The drawing with a place half way to the next one; after a line's last, as far beyond it. */
export function withSplit(drawing: Drawing, index: number, shape: Shape): Drawing {
  const { places } = drawing;
  const here = places[index];
  if (here === undefined) return drawing;
  const closed = shape === "polygon";
  const next = places[closed ? (index + 1) % places.length : index + 1];
  const before = places[index - 1] ?? drawing.home;
  const added =
    next !== undefined
      ? { latDeg: (here.latDeg + next.latDeg) / 2, lonDeg: (here.lonDeg + next.lonDeg) / 2 }
      : { latDeg: 2 * here.latDeg - before.latDeg, lonDeg: 2 * here.lonDeg - before.lonDeg };
  return { ...drawing, places: [...places.slice(0, index + 1), added, ...places.slice(index + 1)] };
}

/** The drawing with one place pushed by metres to the east and north. */
export function nudged(drawing: Drawing, index: number, eastM: number, northM: number): Drawing {
  const place = drawing.places[index];
  return place === undefined ? drawing : withPlace(drawing, index, moved(place, eastM, northM));
}

/** The places with no more detail than a tolerance in metres keeps (Douglas and Peucker, 1973). */
export function simplified(places: readonly LatLon[], toleranceM: number): LatLon[] {
  const first = places[0];
  const last = places[places.length - 1];
  if (first === undefined || last === undefined || places.length < 3) return [...places];
  let farthest = 0;
  let atIndex = 0;
  places.forEach((place, index) => {
    const offM = offLineM(first, last, place);
    if (offM > farthest) [farthest, atIndex] = [offM, index];
  });
  if (farthest <= toleranceM) return [first, last];
  const before = simplified(places.slice(0, atIndex + 1), toleranceM);
  return [...before.slice(0, -1), ...simplified(places.slice(atIndex), toleranceM)];
}

function offLineM(a: LatLon, b: LatLon, place: LatLon): number {
  const along = distanceM(a, b);
  if (along < 1e-6) return distanceM(a, place);
  return (2 * areaM2([a, b, place])) / along;
}

/** Metres along the places, closed for an area. */
export function lengthM(places: readonly LatLon[], shape: Shape): number {
  let total = 0;
  places.forEach((place, index) => {
    const next = places[index + 1] ?? (shape === "polygon" ? places[0] : undefined);
    if (next !== undefined) total += distanceM(place, next);
  });
  return total;
}

/** The places as the form writes them, one per line. */
export function placesText(places: readonly LatLon[]): string {
  return places.map((p) => `${p.latDeg.toFixed(7)}, ${p.lonDeg.toFixed(7)}`).join("\n");
}
