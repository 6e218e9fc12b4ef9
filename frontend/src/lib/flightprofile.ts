/** The flight over the ground as a picture: the ground, what stands on it, and the way above. */

import { scale, svg } from "./profilechart";

/** Metres along the way, height above take-off, ground above take-off, height over what stands there. */
export type ProfilePoint = readonly [number, number, number, number];

export interface FlightDrawing {
  /** Corners as SVG writes them; the ground is closed along the picture's foot. */
  readonly ground: string;
  readonly tops: string;
  readonly flight: string;
  readonly ticks: readonly { readonly y: number; readonly metres: number }[];
  readonly lengthM: number;
  /** Where the flight is nearest to what stands below it. */
  readonly nearest: { readonly x: number; readonly y: number; readonly metres: number; readonly atM: number };
}

const WIDTH = 480;
const HEIGHT = 180;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 12;
const RIGHT = 10;

/** The drawing of a way; null of fewer than two points; pure. */
export function flightDrawing(points: readonly ProfilePoint[]): FlightDrawing | null {
  const last = points[points.length - 1];
  if (last === undefined || points.length < 2) return null;
  const low = Math.min(...points.map((point) => point[2]));
  const high = Math.max(...points.map((point) => point[1]));
  const span = Math.max(high - low, 1);
  const lengthM = Math.max(last[0], 1);
  const x = (alongM: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * alongM) / lengthM;
  const y = (heightM: number): number => TOP + ((HEIGHT - TOP - BOTTOM) * (high - heightM)) / span;
  const corner = (alongM: number, heightM: number): string => `${x(alongM).toFixed(1)},${y(heightM).toFixed(1)}`;
  const least = points.reduce((best, point) => (point[3] < best[3] ? point : best));
  return {
    ground: [...points.map((p) => corner(p[0], p[2])), corner(lengthM, low), corner(0, low)].join(" "),
    tops: points.map((p) => corner(p[0], p[1] - p[3])).join(" "),
    flight: points.map((p) => corner(p[0], p[1])).join(" "),
    ticks: scale(low, high).map((metres) => ({ y: y(metres), metres })),
    lengthM,
    nearest: { x: x(least[0]), y: y(least[1] - least[3]), metres: least[3], atM: least[0] },
  };
}

/** Shows the way in an element of the page, or hides it where there is none. */
export function showFlight(holder: HTMLElement, points: readonly ProfilePoint[], title: string): void {
  const drawn = flightDrawing(points);
  holder.hidden = drawn === null;
  holder.querySelector("svg")?.remove();
  if (drawn === null) return;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "chart" });
  for (const { y, metres } of drawn.ticks) {
    picture.append(
      svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid-line" }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, `${metres} m`),
    );
  }
  picture.append(
    svg("polygon", { points: drawn.ground, class: "ground" }),
    svg("polyline", { points: drawn.tops, class: "tops" }),
    svg("polyline", { points: drawn.flight, class: "line" }),
    svg("circle", { cx: drawn.nearest.x, cy: drawn.nearest.y, r: 5, class: "nearest" }),
    svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, `${drawn.lengthM.toFixed(0)} m`),
  );
  holder.append(picture);
}
