/** The ways behind past tracks, as the map draws them. */

import { BLOCK_S, type Leg, type Packed } from "./blocks";
import { project } from "./map";

/** Of all trails together: beyond it each of them is drawn with fewer points. */
const POINTS_OF_ALL = 12_000;

const projected = new WeakMap<readonly Packed[], number[][]>();

/** A path's places in the map's coordinates: reckoned once, not for every picture. */
function placesOf(path: readonly Packed[]): number[][] {
  let found = projected.get(path);
  if (found === undefined) {
    found = path.map((point) => project({ latDeg: point[2], lonDeg: point[3] }));
    projected.set(path, found);
  }
  return found;
}

/** Every how many seconds' point is drawn where so many tracks leave one a second. */
export function thinnedBy(tracks: number): number {
  return Math.max(1, Math.ceil((tracks * BLOCK_S) / POINTS_OF_ALL));
}

/** The places of a trail: each step-th point of its paths, so that none of them jumps, and the last. */
export function trailOf(legs: readonly Leg[], step: number): number[][] {
  const places: number[][] = [];
  for (const { path, first, end } of legs) {
    const all = placesOf(path);
    for (let i = Math.ceil(first / step) * step; i < end; i += step) places.push(all[i] as number[]);
  }
  const last = legs.at(-1);
  const newest = last === undefined ? undefined : placesOf(last.path)[last.end - 1];
  if (newest !== undefined && places.at(-1) !== newest) places.push(newest);
  return places;
}
