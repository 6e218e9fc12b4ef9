/** What is measured by tapping points, on the orthophoto and in the cloud: how many points each kind
    takes, and the sentence of an answer; pure. */

import { decimal } from "./decimal";
import { fill } from "./page";
import type { Station } from "./profile";

/** What the server measured; value : null where it could not be determined, note says why. */
export interface Measured {
  readonly value: number | null;
  readonly unit: string;
  readonly ci95_low: number | null;
  readonly ci95_high: number | null;
  readonly note: string;
  readonly series: readonly Station[];
}

const MANY = 200;
/** How many points a kind takes: at least and at most; the others take two or more. */
const TAKES: Readonly<Record<string, readonly [number, number]>> = {
  distance: [2, 2], horizontal: [2, 2], height: [2, 2], slope: [2, 2], section: [2, 2], angle: [3, 3],
  area: [3, MANY], plan_area: [3, MANY], volume: [3, MANY],
};
const CLOSED: readonly string[] = ["area", "plan_area", "volume"];

/** The fewest and the most points of a kind. */
export function takes(kind: string): readonly [number, number] {
  return TAKES[kind] ?? [2, MANY];
}

/** Whether the points of a kind are the corners of a polygon. */
export function isClosed(kind: string): boolean {
  return CLOSED.includes(kind);
}

/** The value with its interval in the words of the template, or why there is none. */
export function sentence(found: Measured, template: string): string {
  if (found.value === null) return found.note;
  const [value, low, high] = [found.value, found.ci95_low, found.ci95_high].map((v) => decimal(v, 3));
  return fill(template, { value: value ?? "–", unit: found.unit, low: low ?? "–", high: high ?? "–" });
}
