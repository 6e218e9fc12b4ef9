/** A sortie's time line: where a time lies between samples, and what holds then (pure). */

/** Place of the last sample that is not after t; 0 before the first. */
export function placeAt(times: readonly number[], t: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((times[middle] as number) <= t) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The value between the samples around t; null where one of them is unknown. */
export function between(
  times: readonly number[],
  values: readonly (number | null)[],
  t: number,
): number | null {
  const place = placeAt(times, t);
  const from = values[place] ?? null;
  const to = values[place + 1] ?? null;
  const start = times[place];
  const end = times[place + 1];
  if (from === null || start === undefined) return from;
  if (to === null || end === undefined || end <= start || t <= start) return from;
  return from + ((to - from) * (t - start)) / (end - start);
}

/** The same for angles in degrees: the short way round. */
export function angleBetween(times: readonly number[], values: readonly number[], t: number): number {
  const place = placeAt(times, t);
  const from = values[place] ?? 0;
  const to = values[place + 1] ?? from;
  const turn = ((((to - from + 180) % 360) + 360) % 360) - 180;
  const share = between(times, times, t) ?? 0;
  const start = times[place] ?? 0;
  const end = times[place + 1] ?? start;
  return end > start ? (from + (turn * (share - start)) / (end - start) + 360) % 360 : from;
}

/** The last of [begin, name] pairs that began by t; "" before the first. */
export function heldAt(begun: readonly (readonly [number, string])[], t: number): string {
  let name = "";
  for (const [begin, held] of begun) if (begin <= t) name = held;
  return name;
}

/** Points of an SVG line, in runs without gaps: x of 1000, y of 120 from the top. */
export function runs(
  times: readonly number[],
  values: readonly (number | null)[],
  top: number,
): string[] {
  const first = times[0] ?? 0;
  const span = Math.max((times.at(-1) ?? 0) - first, 1e-9);
  const found: string[][] = [[]];
  times.forEach((t, place) => {
    const value = values[place] ?? null;
    if (value === null) {
      if (found.at(-1)?.length) found.push([]);
      return;
    }
    const x = ((t - first) / span) * 1000;
    const y = 118 - (Math.max(0, value) / top) * 114;
    found.at(-1)?.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  });
  return found.filter((run) => run.length > 1).map((run) => run.join(" "));
}
