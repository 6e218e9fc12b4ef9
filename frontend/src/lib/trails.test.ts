import { expect, test } from "vitest";

import { BLOCK_S, momentOf, type Block, type Packed, type PastTrack } from "./blocks";
import { thinnedBy, trailOf } from "./trails";

/** A track that leaves a point a second, by the block it lies in. */
function block(from: number, until: number): Block {
  const path: Packed[] = [];
  for (let s = from; s < until; s++) path.push([7, s, 50 + s * 1e-5, 4.3, 60, 8, 90, 3, null]);
  const track = { key: "track:7", kind: "track", id: 7, from: "", until: "", match: "unknown" } as PastTrack;
  return { tracks: new Map([[7, track]]), alerts: [], paths: new Map([[7, path]]) };
}

const both = [block(0, 120), block(120, 240)];

test("a trail goes over the edge of a block and ends where the track is", () => {
  const [there] = momentOf(both, 150.5);
  expect(there?.row["lat_deg"]).toBe(50 + 150 * 1e-5);
  const trail = trailOf(there?.legs ?? [], 1);
  expect(trail.length).toBe(BLOCK_S);
  const norths = trail.map((place) => place[1] as number);
  expect(norths).toEqual([...norths].sort((a, b) => a - b));
});

test("a track that has been silent for longer than it may is not there", () => {
  expect(momentOf(both, 239 + 14).length).toBe(1);
  expect(momentOf(both, 239 + 16).length).toBe(0);
  expect(momentOf(both, -1)).toEqual([]);
});

test("of many tracks fewer points are drawn, the same ones a moment later, and always the last", () => {
  expect(thinnedBy(1)).toBe(1);
  expect(thinnedBy(300)).toBe(3);
  const legsAt = (timeS: number) => momentOf(both, timeS)[0]?.legs ?? [];
  const now = trailOf(legsAt(150), 3);
  const later = trailOf(legsAt(151), 3);
  expect(now.length).toBeLessThan(BLOCK_S / 3 + 3);
  expect(now.at(-1)).toEqual(trailOf(legsAt(150), 1).at(-1));
  const kept = new Set(now.slice(0, -1).map(String));
  expect(later.filter((place) => !kept.has(String(place))).length).toBeLessThanOrEqual(2);
});
