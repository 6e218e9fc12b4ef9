/** Past points in blocks of a few minutes: fetched when the moment comes near, dropped when far. */

import { read } from "./api";
import type { LiveObject } from "./feed";

/** Track, Unix time, place, height, speed, course, sigma, class: as the server packs them. */
export type Packed = readonly [
  number,
  number,
  number,
  number,
  number | null,
  number | null,
  number | null,
  number | null,
  string | null,
];

export interface PastTrack extends LiveObject {
  readonly id: number;
  readonly from: string;
  readonly until: string;
}

export interface PastAlert extends LiveObject {
  readonly at: string;
  readonly cleared: string | null;
  readonly track: string | null;
}

interface Piece {
  readonly tracks: readonly PastTrack[];
  readonly alerts: readonly PastAlert[];
  readonly points: readonly Packed[];
  readonly next: string | null;
}

export interface Block {
  readonly tracks: ReadonlyMap<number, PastTrack>;
  readonly alerts: readonly PastAlert[];
  /** Each track's points in the order of time. */
  readonly paths: ReadonlyMap<number, readonly Packed[]>;
}

export const BLOCK_S = 120;
const KEPT_BLOCKS = 20;
/** As the server shows a moment: a track that has been silent for longer has gone. */
export const FRESH_S = 15;

function instant(timeS: number): string {
  return new Date(timeS * 1000).toISOString();
}

/** The last of the points at or before a time; undefined before the first. */
export function lastBefore(path: readonly Packed[], timeS: number): number {
  let low = 0;
  let high = path.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((path[middle] as Packed)[1] <= timeS) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The blocks that were fetched. */
export class Blocks {
  private readonly found = new Map<number, Promise<Block>>();

  constructor(private readonly url: string) {}

  /** The block that holds a time, and the one before it, for the trails. */
  async around(timeS: number): Promise<readonly [Block, Block]> {
    const index = Math.floor(timeS / BLOCK_S);
    return Promise.all([this.block(index - 1), this.block(index)]);
  }

  /** Fetches the block after a time, so that playing on does not wait. */
  prefetch(timeS: number): void {
    void this.block(Math.floor(timeS / BLOCK_S) + 1).catch(() => undefined);
  }

  private block(index: number): Promise<Block> {
    let found = this.found.get(index);
    if (found === undefined) {
      found = this.fetchBlock(index);
      this.found.set(index, found);
      found.catch(() => this.found.delete(index));
      const oldest = this.found.keys().next().value;
      if (this.found.size > KEPT_BLOCKS && oldest !== undefined) this.found.delete(oldest);
    }
    return found;
  }

  private async fetchBlock(index: number): Promise<Block> {
    const query = new URLSearchParams({
      from: instant(index * BLOCK_S),
      until: instant((index + 1) * BLOCK_S - 0.001),
    });
    const paths = new Map<number, Packed[]>();
    const tracks = new Map<number, PastTrack>();
    let alerts: readonly PastAlert[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      if (cursor !== "") query.set("cursor", cursor);
      const piece: Piece = await read<Piece>(`${this.url}?${query}`);
      if (cursor === "") {
        for (const track of piece.tracks) tracks.set(track.id, track);
        alerts = piece.alerts;
      }
      for (const point of piece.points) {
        const path = paths.get(point[0]);
        if (path === undefined) paths.set(point[0], [point]);
        else path.push(point);
      }
      cursor = piece.next;
    }
    return { tracks, alerts, paths };
  }
}

/** A track's row as it was at one of its points. */
export function rowAt(track: PastTrack, point: Packed): LiveObject {
  const [, timeS, latDeg, lonDeg, heightM, speedMps, courseDeg, sigmaM, matchThen] = point;
  // A doubt and a transponder are the track's own, whatever it was matched with.
  const lasting = track["match"] === "suspect" || track["match"] === "manned";
  return {
    ...track,
    at: instant(timeS),
    lat_deg: latDeg,
    lon_deg: lonDeg,
    height_m: heightM,
    speed_mps: speedMps,
    yaw_deg: courseDeg,
    sigma_m: sigmaM,
    match: lasting || matchThen === null ? track["match"] : matchThen,
    ellipse: undefined,
  };
}

/** A part of a path: its points from the first on, up to but without the end. */
export interface Leg {
  readonly path: readonly Packed[];
  readonly first: number;
  readonly end: number;
}

export interface There {
  readonly row: LiveObject;
  /** Where it was in the BLOCK_S before, the oldest first. */
  readonly legs: readonly Leg[];
}

/** Every track that was there at a time, with its trail; no point is copied. */
export function momentOf(blocks: readonly Block[], timeS: number): readonly There[] {
  const legs = new Map<number, Leg[]>();
  const tracks = new Map<number, PastTrack>();
  for (const block of blocks) {
    for (const [id, track] of block.tracks) tracks.set(id, track);
    for (const [id, path] of block.paths) {
      const leg = { path, first: lastBefore(path, timeS - BLOCK_S) + 1, end: lastBefore(path, timeS) + 1 };
      if (leg.first >= leg.end) continue;
      const earlier = legs.get(id);
      if (earlier === undefined) legs.set(id, [leg]);
      else earlier.push(leg);
    }
  }
  const there: There[] = [];
  for (const [id, found] of legs) {
    const last = found.at(-1) as Leg;
    const point = last.path[last.end - 1];
    const track = tracks.get(id);
    if (point === undefined || track === undefined || timeS - point[1] > FRESH_S) continue;
    there.push({ row: rowAt(track, point), legs: found });
  }
  return there;
}
