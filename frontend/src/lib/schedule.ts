/** Where a bar may go on the schedule: lanes, steps and clashes, without the page (pure). */

/** One bar of the picture, in milliseconds since the epoch. */
export interface Piece {
  readonly request: string;
  readonly lane: string;
  readonly takenMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly freeMs: number;
  /** The window that the zone asked for. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly crew: readonly string[];
}

/** Where a piece has been moved to: steps in time, and a lane. */
export interface Place {
  readonly lane: string;
  readonly startMs: number;
}

/** What the place means for the form: only what was moved is asked for. */
export interface Asked {
  readonly droneId: string;
  readonly crew: readonly string[];
  readonly startMs: number | null;
}

/** The whole steps that a movement in pixels comes to. */
export function steps(dx: number, pxPerMin: number, stepMin: number): number {
  return Math.round(dx / (pxPerMin * stepMin)) || 0;
}

/** The start some steps later, kept within the picture. */
export function moved(piece: Piece, count: number, stepMin: number, from: number, to: number): number {
  const wanted = piece.startMs + count * stepMin * 60_000;
  const length = piece.endMs - piece.startMs;
  const stepMs = stepMin * 60_000;
  // Stay on the grid of the piece's own start, so that every place can be reached back from.
  const low = piece.startMs + Math.ceil((from - piece.startMs) / stepMs) * stepMs;
  const high = piece.startMs + Math.floor((to - length - piece.startMs) / stepMs) * stepMs;
  if (high < low) return piece.startMs;
  return Math.min(Math.max(wanted, low), high);
}

/** The lane that lies some rows further, or the first or last one. */
export function laneAt(lanes: readonly string[], index: number): string {
  return lanes[Math.min(Math.max(index, 0), lanes.length - 1)] ?? "";
}

/** The other requests whose occupation of the lane the place would overlap, each once. */
export function clashes(pieces: readonly Piece[], piece: Piece, place: Place): string[] {
  const shift = place.startMs - piece.startMs;
  const found = pieces.filter(
    (other) =>
      other.request !== piece.request &&
      other.lane === place.lane &&
      other.takenMs < piece.freeMs + shift &&
      piece.takenMs + shift < other.freeMs,
  );
  return [...new Set(found.map((other) => other.request))];
}

/** Whether the place lies within the window that the zone asked for. */
export function withinAsked(piece: Piece, place: Place): boolean {
  const shift = place.startMs - piece.startMs;
  return piece.fromMs <= place.startMs && piece.endMs + shift <= piece.untilMs;
}

/** What has changed between the piece and the place; null where nothing has. */
export function asked(piece: Piece, place: Place): Asked | null {
  const [kind, id] = split(place.lane);
  const [, before] = split(piece.lane);
  const other = place.lane !== piece.lane;
  const startMs = place.startMs === piece.startMs ? null : place.startMs;
  if (!other && startMs === null) return null;
  const crew = piece.crew.map((member) => (member === before ? id : member));
  return {
    droneId: kind === "drone" ? id : "",
    crew: kind === "pilot" ? [...new Set(crew)] : [],
    startMs,
  };
}

function split(lane: string): [string, string] {
  const [kind = "", id = ""] = lane.split(":");
  return [kind, id];
}
