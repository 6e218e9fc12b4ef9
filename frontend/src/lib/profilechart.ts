/** A profile as a picture: heights along a line, with the band that holds them with 95 %. */

import { decimal } from "./decimal";

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 56;
const BOTTOM = 26;
const TOP = 10;
const RIGHT = 10;
/** Most lines of the scale. */
const LINES = 6;

/** A station, its height, and the ends of its interval, in metres. */
export type Station = readonly [number, number, number, number];

export interface ProfileDrawing {
  /** Corners of the line and of the band around it, as SVG writes them. */
  readonly line: string;
  readonly band: string;
  /** Heights of the scale, with their place from the top. */
  readonly ticks: readonly { readonly y: number; readonly text: string }[];
  readonly lengthM: number;
}

/** The drawing of a profile's rows; null of fewer than two; pure. */
export function drawing(rows: readonly Station[]): ProfileDrawing | null {
  const first = rows[0];
  const last = rows[rows.length - 1];
  if (first === undefined || last === undefined || rows.length < 2) return null;
  const low = Math.min(...rows.map((row) => row[2]));
  const high = Math.max(...rows.map((row) => row[3]));
  const span = Math.max(high - low, 1e-3);
  const lengthM = Math.max(last[0] - first[0], 1e-6);
  const x = (station: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (station - first[0])) / lengthM;
  const y = (height: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (high - height)) / span;
  const at = (station: number, height: number): string => `${x(station).toFixed(1)},${y(height).toFixed(1)}`;
  const above = rows.map((row) => at(row[0], row[3]));
  const below = rows.map((row) => at(row[0], row[2])).reverse();
  return {
    line: rows.map((row) => at(row[0], row[1])).join(" "),
    band: [...above, ...below].join(" "),
    ticks: scale(low, high).map((height) => ({ y: y(height), text: decimal(height, digits(span)) })),
    lengthM,
  };
}

/** Round heights from low to high, at most LINES of them. */
export function scale(low: number, high: number): number[] {
  const rough = Math.max(high - low, 1e-3) / LINES;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 10 * power;
  const found: number[] = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n++) found.push(n * step);
  return found;
}

function digits(span: number): number {
  return span > 6 ? 0 : span > 0.6 ? 1 : span > 0.06 ? 2 : 3;
}

const NAMESPACE = "http://www.w3.org/2000/svg";

/** A new element of a picture. */
export function svg(name: string, attributes: Readonly<Record<string, string | number>>, words = ""): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = words;
  return made;
}

/** Shows a profile in an element of the page, or hides it where there is none. */
export function showProfile(holder: HTMLElement, rows: readonly Station[], title: string): void {
  const drawn = drawing(rows);
  holder.hidden = drawn === null;
  holder.replaceChildren();
  if (drawn === null) return;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const { y, text } of drawn.ticks) {
    picture.append(
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid-line" }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text),
    );
  }
  picture.append(
    svg("polygon", { points: drawn.band, class: "band" }),
    svg("polyline", { points: drawn.line, class: "height" }),
    svg("text", { x: LEFT, y: HEIGHT - 6 }, "0 m"),
    svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, `${decimal(drawn.lengthM, 2)} m`),
  );
  holder.append(picture);
}
