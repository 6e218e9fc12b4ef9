/** Profiles as pictures: heights along a measured line with their 95 % band, or a flight over the ground. */

import { decimal } from "./decimal";

/** Most lines of the scale. */
const LINES = 6;

/** A station, its height, and the ends of its interval, in metres. */
export type Station = readonly [number, number, number, number];

/** Metres along the way, height above take-off, ground above take-off, height over what stands there. */
export type ProfilePoint = readonly [number, number, number, number];

export interface Tick {
  readonly y: number;
  readonly text: string;
}

export interface ProfileDrawing {
  /** Corners of the line and of the band around it, as SVG writes them. */
  readonly line: string;
  readonly band: string;
  /** Heights of the scale, with their place from the top. */
  readonly ticks: readonly Tick[];
  readonly lengthM: number;
}

export interface FlightDrawing {
  /** Corners as SVG writes them; the ground is closed along the picture's foot. */
  readonly ground: string;
  readonly tops: string;
  readonly flight: string;
  readonly ticks: readonly Tick[];
  readonly lengthM: number;
  /** Where the flight is nearest to what stands below it. */
  readonly nearest: { readonly x: number; readonly y: number; readonly metres: number; readonly atM: number };
}

/** A picture's size and its margins, in its own units; the least height and length that it spans, in metres. */
interface Paper {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly leastSpanM: number;
  readonly leastLengthM: number;
}

const MEASURED: Paper = { width: 720, height: 200, left: 64, right: 10, top: 10, bottom: 26, leastSpanM: 1e-3, leastLengthM: 1e-6 };
const FLOWN: Paper = { width: 480, height: 180, left: 58, right: 10, top: 12, bottom: 22, leastSpanM: 1, leastLengthM: 1 };

/** Where metres along and metres up lie on the paper. */
interface Axes {
  readonly x: (alongM: number) => number;
  readonly y: (heightM: number) => number;
  readonly corner: (alongM: number, heightM: number) => string;
  readonly ticks: readonly Tick[];
  readonly lengthM: number;
}

function axes(paper: Paper, fromM: number, toM: number, lowM: number, highM: number): Axes {
  const spanM = Math.max(highM - lowM, paper.leastSpanM);
  const lengthM = Math.max(toM - fromM, paper.leastLengthM);
  const x = (alongM: number): number => paper.left + ((paper.width - paper.left - paper.right) * (alongM - fromM)) / lengthM;
  const y = (heightM: number): number => paper.top + ((paper.height - paper.top - paper.bottom) * (highM - heightM)) / spanM;
  const ticks = scale(lowM, highM).map((heightM) => ({ y: y(heightM), text: `${decimal(heightM, digits(spanM))} m` }));
  return { x, y, corner: (alongM, heightM) => `${x(alongM).toFixed(1)},${y(heightM).toFixed(1)}`, ticks, lengthM };
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

function digits(spanM: number): number {
  return spanM > 6 ? 0 : spanM > 0.6 ? 1 : spanM > 0.06 ? 2 : 3;
}

/** The drawing of a measured profile's rows; null of fewer than two; pure. */
export function drawing(rows: readonly Station[]): ProfileDrawing | null {
  const [first, last] = [rows[0], rows[rows.length - 1]];
  if (first === undefined || last === undefined || rows.length < 2) return null;
  const low = Math.min(...rows.map((row) => row[2]));
  const high = Math.max(...rows.map((row) => row[3]));
  const { corner, ticks, lengthM } = axes(MEASURED, first[0], last[0], low, high);
  const above = rows.map((row) => corner(row[0], row[3]));
  const below = rows.map((row) => corner(row[0], row[2])).reverse();
  return { line: rows.map((row) => corner(row[0], row[1])).join(" "), band: [...above, ...below].join(" "), ticks, lengthM };
}

/** The drawing of a way over the ground; null of fewer than two points; pure. */
export function flightDrawing(points: readonly ProfilePoint[]): FlightDrawing | null {
  const last = points[points.length - 1];
  if (last === undefined || points.length < 2) return null;
  const low = Math.min(...points.map((point) => point[2]));
  const high = Math.max(...points.map((point) => point[1]));
  const { x, y, corner, ticks, lengthM } = axes(FLOWN, 0, last[0], low, high);
  const least = points.reduce((best, point) => (point[3] < best[3] ? point : best));
  return {
    ground: [...points.map((p) => corner(p[0], p[2])), corner(lengthM, low), corner(0, low)].join(" "),
    tops: points.map((p) => corner(p[0], p[1] - p[3])).join(" "),
    flight: points.map((p) => corner(p[0], p[1])).join(" "),
    ticks,
    lengthM,
    nearest: { x: x(least[0]), y: y(least[1] - least[3]), metres: least[3], atM: least[0] },
  };
}

const NAMESPACE = "http://www.w3.org/2000/svg";

function svg(name: string, attributes: Readonly<Record<string, string | number>>, words = ""): SVGElement {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = words;
  return made;
}

/** An empty picture with its scale. */
function sheet(paper: Paper, ticks: readonly Tick[], title: string): SVGElement {
  const picture = svg("svg", { viewBox: `0 0 ${paper.width} ${paper.height}`, role: "img", "aria-label": title });
  for (const { y, text } of ticks) {
    picture.append(
      svg("line", { x1: paper.left, x2: paper.width - paper.right, y1: y, y2: y, class: "grid-line" }),
      svg("text", { x: paper.left - 6, y: y + 4, "text-anchor": "end" }, text),
    );
  }
  return picture;
}

/** Words at the foot of a picture, from its right end. */
function atEnd(paper: Paper, words: string): SVGElement {
  return svg("text", { x: paper.width - paper.right, y: paper.height - 6, "text-anchor": "end" }, words);
}

/** Shows a measured profile in an element of the page, or hides it where there is none. */
export function showProfile(holder: HTMLElement, rows: readonly Station[], title: string): void {
  const drawn = drawing(rows);
  holder.hidden = drawn === null;
  holder.replaceChildren();
  if (drawn === null) return;
  const picture = sheet(MEASURED, drawn.ticks, title);
  picture.append(
    svg("polygon", { points: drawn.band, class: "band" }),
    svg("polyline", { points: drawn.line, class: "height" }),
    svg("text", { x: MEASURED.left, y: MEASURED.height - 6 }, "0 m"),
    atEnd(MEASURED, `${decimal(drawn.lengthM, 2)} m`),
  );
  holder.append(picture);
}

/** Shows a flight in an element of the page, whose own words stay, or hides it where there is none. */
export function showFlight(holder: HTMLElement, points: readonly ProfilePoint[], title: string): void {
  const drawn = flightDrawing(points);
  holder.hidden = drawn === null;
  holder.querySelector("svg")?.remove();
  if (drawn === null) return;
  const picture = sheet(FLOWN, drawn.ticks, title);
  picture.setAttribute("class", "chart");
  picture.append(
    svg("polygon", { points: drawn.ground, class: "ground" }),
    svg("polyline", { points: drawn.tops, class: "tops" }),
    svg("polyline", { points: drawn.flight, class: "line" }),
    svg("circle", { cx: drawn.nearest.x, cy: drawn.nearest.y, r: 5, class: "nearest" }),
    atEnd(FLOWN, `${decimal(drawn.lengthM, 0)} m`),
  );
  holder.append(picture);
}
