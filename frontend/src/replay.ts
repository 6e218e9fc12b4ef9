/** A flown sortie played back: map, attitude, battery, mode and events on one time line. */

import Feature from "ol/Feature.js";
import LineString from "ol/geom/LineString.js";
import { boundingExtent } from "ol/extent.js";
import Fill from "ol/style/Fill.js";
import RegularShape from "ol/style/RegularShape.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";

import { tilt } from "./lib/attitude";
import { read } from "./lib/api";
import { dot, makeMap, pointFeature, project, style, vectorLayer, INK, type MapTexts } from "./lib/map";
import { decimal } from "./lib/decimal";
import { byId, colon, fill, pageData } from "./lib/page";
import { angleBetween, between, heldAt, placeAt, runs } from "./lib/timeline";

type Known = readonly (number | null)[];

interface Replay {
  readonly zero_at: string | null;
  readonly t_s: readonly number[];
  readonly lat_deg: readonly number[];
  readonly lon_deg: readonly number[];
  readonly alt_home_m: readonly number[];
  readonly speed_mps: readonly number[];
  readonly yaw_deg: readonly number[];
  readonly roll_deg: Known;
  readonly pitch_deg: Known;
  readonly battery_pct: Known;
  readonly lost: Known;
  readonly modes: readonly (readonly [number, string])[];
  readonly photos: readonly { readonly t_s: number; readonly lat_deg: number; readonly lon_deg: number }[];
}

interface ReplayData {
  readonly url: string;
  readonly timeZone: string;
  readonly texts: MapTexts &
    Readonly<Record<"play" | "pause" | "unknown" | "failed" | "photos", string>>;
}

const SVG = "http://www.w3.org/2000/svg";
const DEGREES = Math.PI / 180;
const data = pageData<ReplayData>("replay-data");

function shape(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Draws the profile and returns what moves its cursor. */
function drawProfile(name: string, sortie: Replay, values: Known, top: number): (share: number) => void {
  const svg = document.querySelector<SVGElement>(`[data-profile="${name}"]`);
  const written = document.querySelector<HTMLElement>(`[data-top="${name}"]`);
  if (svg === null) return () => undefined;
  if (written !== null) written.textContent = `0 – ${top.toFixed(0)}`;
  for (const points of runs(sortie.t_s, values, top)) svg.append(shape("polyline", { points, class: "line" }));
  const cursor = shape("line", { class: "cursor", y1: "0", y2: "120", x1: "0", x2: "0" });
  svg.append(cursor);
  return (share) => {
    cursor.setAttribute("x1", (share * 1000).toFixed(1));
    cursor.setAttribute("x2", (share * 1000).toFixed(1));
  };
}

/** Draws the track and returns what moves the aircraft on it. */
function drawMap(sortie: Replay): (t: number) => void {
  const places = sortie.t_s.map((_t, place) =>
    project({ latDeg: sortie.lat_deg[place] ?? 0, lonDeg: sortie.lon_deg[place] ?? 0 }),
  );
  const whole = vectorLayer(() => style("rgba(11,79,148,0.45)", 2), 1);
  const flown = vectorLayer(() => style("#0b4f94", 3), 2);
  const photos = vectorLayer(() => dot(4, "#ffffff"), 3);
  const craft = vectorLayer((feature) => arrow(Number(feature.get("yaw"))), 4);
  whole.source.addFeature(new Feature(new LineString(places)));
  const behind = new LineString(places.slice(0, 1));
  flown.source.addFeature(new Feature(behind));
  const start = { latDeg: sortie.lat_deg[0] ?? 0, lonDeg: sortie.lon_deg[0] ?? 0 };
  const mark = pointFeature(start, { yaw: 0 });
  craft.source.addFeature(mark);
  const map = makeMap(byId("map"), data.texts, [whole.layer, flown.layer, photos.layer, craft.layer], start, 18);
  map.getView().fit(boundingExtent(places), { padding: [50, 50, 50, 50], maxZoom: 21 });
  let shown = -1;
  return (t) => {
    const at = project({
      latDeg: between(sortie.t_s, sortie.lat_deg, t) ?? start.latDeg,
      lonDeg: between(sortie.t_s, sortie.lon_deg, t) ?? start.lonDeg,
    });
    mark.set("yaw", angleBetween(sortie.t_s, sortie.yaw_deg, t), true);
    mark.getGeometry()?.setCoordinates(at);
    behind.setCoordinates([...places.slice(0, placeAt(sortie.t_s, t) + 1), at]);
    const taken = sortie.photos.filter((photo) => photo.t_s <= t);
    if (taken.length === shown) return;
    shown = taken.length;
    photos.source.clear();
    for (const photo of taken) {
      photos.source.addFeature(pointFeature({ latDeg: photo.lat_deg, lonDeg: photo.lon_deg }));
    }
  };
}

function arrow(yawDeg: number): Style {
  return new Style({
    image: new RegularShape({
      points: 3,
      radius: 12,
      rotation: yawDeg * DEGREES,
      rotateWithView: true,
      fill: new Fill({ color: "#ffc233" }),
      stroke: new Stroke({ color: INK, width: 1.5 }),
    }),
  });
}

/** Nothing is written as minus nothing. */
const rounded = (value: number, digits: number): string => decimal(value, digits).replace(/^-(?=[0.,]+$)/, "");
const number = (value: number | null, digits: number, unit: string): string =>
  value === null ? data.texts.unknown : `${rounded(value, digits)} ${unit}`;

/** Writes what the instruments showed at t. */
function showReadings(sortie: Replay, t: number): void {
  const roll = between(sortie.t_s, sortie.roll_deg, t);
  const pitch = between(sortie.t_s, sortie.pitch_deg, t);
  const lost = between(sortie.t_s, sortie.lost, t);
  const taken = sortie.photos.filter((photo) => photo.t_s <= t).length;
  const readings: Readonly<Record<string, string>> = {
    alt: number(between(sortie.t_s, sortie.alt_home_m, t), 1, "m"),
    speed: number(between(sortie.t_s, sortie.speed_mps, t), 1, "m/s"),
    yaw: number(angleBetween(sortie.t_s, sortie.yaw_deg, t), 0, "°"),
    attitude: `${number(roll, 0, "°")}, ${number(pitch, 0, "°")}`,
    battery: number(between(sortie.t_s, sortie.battery_pct, t), 0, "%"),
    mode: heldAt(sortie.modes, t) || data.texts.unknown,
    lost: number(lost === null ? null : 100 * lost, 0, "%"),
    photos: fill(data.texts.photos, { n: taken, all: sortie.photos.length }),
  };
  for (const [name, text] of Object.entries(readings)) {
    const place = document.querySelector(`[data-reading="${name}"]`);
    if (place !== null) place.textContent = text;
  }
  const { turnDeg, down } = tilt(roll ?? 0, pitch ?? 0);
  byId<HTMLElement>("tilt").setAttribute("transform", `rotate(${turnDeg.toFixed(1)}) translate(0 ${down.toFixed(1)})`);
}

/** Marks the last event by t in the table and says it. */
function eventMarker(): (t: number) => void {
  const rows = [...document.querySelectorAll<HTMLElement>("#events tr[data-t]")];
  let marked: HTMLElement | undefined;
  return (t) => {
    const row = rows.filter((one) => Number(one.dataset["t"]) <= t).at(-1);
    if (row === marked) return;
    marked?.removeAttribute("aria-current");
    row?.setAttribute("aria-current", "true");
    marked = row;
    const [who, what] = [row?.querySelector(".teller")?.textContent ?? "", row?.querySelector(".what")?.textContent ?? ""];
    byId("replay-now").textContent = row === undefined ? "" : `${who}${colon()} ${what}`;
  };
}

function clockOf(sortie: Replay): (t: number) => string {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: data.timeZone,
    timeStyle: "medium",
    hourCycle: "h23",
  });
  const zero = sortie.zero_at === null ? null : Date.parse(sortie.zero_at);
  return (t) => {
    const since = `${t < 0 ? "−" : ""}${Math.floor(Math.abs(t) / 60)}:${String(Math.floor(Math.abs(t) % 60)).padStart(2, "0")}`;
    return zero === null ? since : `${since} · ${format.format(zero + t * 1000)}`;
  };
}

function start(sortie: Replay): void {
  const first = sortie.t_s[0] ?? 0;
  const last = sortie.t_s.at(-1) ?? 0;
  const slider = byId<HTMLInputElement>("time");
  const button = byId<HTMLButtonElement>("play");
  const speed = byId<HTMLSelectElement>("speed");
  const top = Math.max(10, Math.ceil(Math.max(...sortie.alt_home_m) / 10) * 10);
  const moveCraft = drawMap(sortie);
  const cursors = [
    drawProfile("alt", sortie, sortie.alt_home_m, top),
    drawProfile("battery", sortie, sortie.battery_pct, 100),
  ];
  const markEvent = eventMarker();
  const clock = clockOf(sortie);
  let now = first;
  let playing = false;
  let drawnAtMs = 0;

  const show = (t: number): void => {
    now = Math.min(last, Math.max(first, t));
    slider.value = now.toFixed(1);
    slider.setAttribute("aria-valuetext", clock(now));
    byId("clock").textContent = clock(now);
    moveCraft(now);
    showReadings(sortie, now);
    for (const move of cursors) move(last > first ? (now - first) / (last - first) : 0);
    markEvent(now);
  };
  const setPlaying = (on: boolean): void => {
    playing = on;
    button.textContent = on ? data.texts.pause : data.texts.play;
  };
  const tick = (ms: number): void => {
    if (!playing) return;
    show(now + ((ms - drawnAtMs) / 1000) * Number(speed.value));
    drawnAtMs = ms;
    if (now >= last) setPlaying(false);
    else requestAnimationFrame(tick);
  };

  slider.min = first.toFixed(1);
  slider.max = last.toFixed(1);
  slider.addEventListener("input", () => show(Number(slider.value)));
  button.addEventListener("click", () => {
    if (!playing && now >= last) show(first);
    setPlaying(!playing);
    drawnAtMs = performance.now();
    if (playing) requestAnimationFrame(tick);
  });
  byId("player").hidden = false;
  show(first);
}

read<Replay>(data.url).then(start, () => {
  byId("replay-now").textContent = data.texts.failed;
});
