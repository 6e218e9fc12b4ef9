/** An aircraft's attitude as pictures: the horizon and the compass, kept current. */

import { fixed } from "./decimal";
import { eastNorth, type LatLon } from "./geodesy";
import { byId, fill } from "./page";

/** An angle equal to `next` that is the short way round from `before`, so that 359° to 1° is 2°. */
export function shortWay(before: number, next: number): number {
  return before + ((((next - before) % 360) + 540) % 360) - 180;
}

/** How the horizon lies in a picture whose unit is a degree: y is down, the nose up lowers it. */
export function tilt(rollDeg: number, pitchDeg: number): { readonly turnDeg: number; readonly down: number } {
  return { turnDeg: -rollDeg, down: Math.max(-90, Math.min(90, pitchDeg)) };
}

/** Degrees clockwise from north, 0 to 360. */
export function bearingDeg(from: LatLon, to: LatLon): number {
  const [east, north] = eastNorth(from, to);
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

export interface Attitude {
  readonly rollDeg: number | null;
  readonly pitchDeg: number | null;
  readonly yawDeg: number | null;
  readonly homeDeg: number | null;
}

interface Words {
  readonly attitude: string;
  readonly noAttitude: string;
}

/** Who wants little motion sees the pictures change in steps of a second; the numbers stay quick. */
const CALM_MS = 1000;
/** What has not been renewed for so long is drawn pale. */
export const OLD_MS = 3000;

/** The two pictures of the page. */
export class Dials {
  private readonly calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  private drawnMs = -Infinity;
  private rollDeg = 0;
  private cardDeg = 0;
  private oldTimer = 0;

  constructor(private readonly words: Words) {}

  /** `fresh`: whether the vehicle itself was heard just now. */
  show(now: Attitude, fresh: boolean): void {
    window.clearTimeout(this.oldTimer);
    byId("dials").classList.toggle("old", !fresh);
    this.oldTimer = window.setTimeout(() => byId("dials").classList.add("old"), OLD_MS);
    if (this.calm.matches && performance.now() - this.drawnMs < CALM_MS) return;
    this.drawnMs = performance.now();
    this.horizon(now);
    this.rose(now);
  }

  private horizon(now: Attitude): void {
    const { rollDeg, pitchDeg, yawDeg } = now;
    const known = rollDeg !== null && pitchDeg !== null;
    const picture = byId<HTMLElement>("horizon");
    picture.classList.toggle("unknown", !known);
    const rounded = { roll: fixed(rollDeg ?? 0, 0), pitch: fixed(pitchDeg ?? 0, 0), yaw: yawDeg?.toFixed(0) ?? "–" };
    picture.setAttribute("aria-label", known ? fill(this.words.attitude, rounded) : this.words.noAttitude);
    if (!known) return;
    this.rollDeg = shortWay(this.rollDeg, rollDeg);
    const { turnDeg, down } = tilt(this.rollDeg, pitchDeg);
    byId<HTMLElement>("tilt").style.transform = `rotate(${turnDeg.toFixed(1)}deg) translate(0px, ${down.toFixed(1)}px)`;
  }

  private rose({ yawDeg, homeDeg }: Attitude): void {
    if (yawDeg === null) return;
    this.cardDeg = shortWay(this.cardDeg, -yawDeg);
    byId<HTMLElement>("card").style.transform = `rotate(${this.cardDeg.toFixed(1)}deg)`;
    const home = byId<HTMLElement>("homeward");
    home.setAttribute("visibility", homeDeg === null ? "hidden" : "visible");
    if (homeDeg !== null) home.setAttribute("transform", `rotate(${homeDeg.toFixed(1)})`);
  }
}
