/** The planner: places drawn, traced, moved and undone on a map, and the plan beside it. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import type MapBrowserEvent from "ol/MapBrowserEvent.js";
import { boundingExtent, containsExtent } from "ol/extent.js";
import type Geometry from "ol/geom/Geometry.js";
import LineString from "ol/geom/LineString.js";
import MultiPoint from "ol/geom/MultiPoint.js";
import MultiPolygon from "ol/geom/MultiPolygon.js";
import Point from "ol/geom/Point.js";
import Polygon from "ol/geom/Polygon.js";
import Draw from "ol/interaction/Draw.js";
import Modify from "ol/interaction/Modify.js";
import { toLonLat } from "ol/proj.js";

import { chanceLayer, showChances } from "./lib/chances";
import { decimal } from "./lib/decimal";
import {
  lengthM,
  nudged,
  placesText,
  simplified,
  withoutPlace,
  withSplit,
  type Drawing,
  type Shape,
} from "./lib/drawing";
import { areaM2, parseCorners, wrongLine, type LatLon } from "./lib/geodesy";
import { History } from "./lib/history";
import { type Fields, fromFile, write } from "./lib/importing";
import { areaFeature, dot, label, makeMap, pointFeature, project, style, vectorLayer, type MapTexts } from "./lib/map";
import { byId, fill, pageData } from "./lib/page";
import { PlanPreview, type Plan } from "./lib/preview";
import { showVolumes, volumeLayer } from "./lib/volumes";

interface PlannerData {
  readonly previewUrl: string;
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly needed: Readonly<Record<string, number>>;
  readonly request: readonly [number, number];
  readonly zones: readonly { readonly name: string; readonly severity: string; readonly ring: readonly [number, number][] }[];
  readonly texts: MapTexts & Readonly<Record<
    | "home" | "corner" | "noCorner" | "drawing" | "tracing" | "moving" | "empty" | "wrongLine" | "wrongHome"
    | "planning" | "offline" | "signIn" | "busy" | "profile" | "size" | "long",
    string
  >>;
}

const TRACE_TOLERANCE_M = 0.5;
const TOUCH_PX = 22;
const OVERLAP_STEPS = [3, 5, 9];
const ACCURACY_STEPS_GSD = [4, 2, 1];
const OVERLAP_COLOURS = ["#c22238", "#e8a33d", "#79b4dc", "#1f5f9e"];
const ZONE_COLOURS: Readonly<Record<string, string>> = { stop: "#c22238", warn: "#b07400", pass: "#3a8a4d" };

const data = pageData<PlannerData>("planner-data");
const form = byId<HTMLFormElement>("planner");
const said = byId("map-result");
const fields = {
  places: byId<HTMLTextAreaElement>("polygon"),
  lat: byId<HTMLInputElement>("home_lat_deg"),
  lon: byId<HTMLInputElement>("home_lon_deg"),
  pattern: byId<HTMLSelectElement>("pattern"),
};
const fromPair = ([latDeg, lonDeg]: readonly [number, number]): LatLon => ({ latDeg, lonDeg });

function shape(): Shape {
  return data.shapes[fields.pattern.value] ?? "polygon";
}

/** The take-off as it is typed; null where that is no place. */
function typedHome(): LatLon | null {
  const [home] = parseCorners(`${fields.lat.value.trim()} ${fields.lon.value.trim()}`) ?? [];
  return home ?? null;
}

/** What is typed that is no place, in words; empty where all is. */
function mistyped(): string {
  const line = wrongLine(fields.places.value);
  if (line > 0) return fill(data.texts.wrongLine, { n: line });
  return typedHome() === null ? data.texts.wrongHome : "";
}

function typed(): Drawing {
  return { places: parseCorners(fields.places.value) ?? [], home: typedHome() ?? fromPair(data.request) };
}

// What is drawn.
const zones = vectorLayer((feature) => {
  const colour = ZONE_COLOURS[String(feature.get("severity"))] ?? "#4c5a6a";
  return [style(colour, 2, `${colour}22`, [8, 5]), label(String(feature.get("name")))];
}, 1);
const overlap = vectorLayer((feature) => dot(6, OVERLAP_COLOURS[feature.get("step") as number] ?? "#ffffff", "#ffffff"), 2);
const accuracy = vectorLayer((feature) => dot(6, OVERLAP_COLOURS[feature.get("step") as number] ?? "#ffffff", "#ffffff"), 2);
const chances = chanceLayer();
const volumes = volumeLayer();
const footprints = vectorLayer(() => style("rgba(20,32,46,0.35)", 1), 3);
const path = vectorLayer(() => style("#0b4f94", 2.5), 4);
const photos = vectorLayer((_feature: FeatureLike, mPerPx) => dot(mPerPx > 0.6 ? 2 : 4, "#ffffff"), 5);
const drawn = vectorLayer(() => [style("#7a4b00", 2.5, "rgba(255,194,51,0.22)"), dot(6, "#ffc233")], 6);
const corners = vectorLayer(() => dot(6, "#ffc233"), 7);
const chosen = vectorLayer(() => dot(11, "rgba(194,34,56,0.25)", "#c22238"), 8);
const home = vectorLayer(() => [dot(9, "#1f6fc4", "#ffffff"), label(data.texts.home, 20)], 9);
const layers = { zones, chances, volumes, overlap, accuracy, footprints, path, photos };
for (const zone of data.zones) zones.source.addFeature(areaFeature(zone.ring.map(fromPair), zone));

byId("planner-map").hidden = false;
const history = new History<Drawing>(typed());
let selected = -1;
const map = makeMap(
  byId("map"),
  data.texts,
  [chances, zones, volumes, overlap, accuracy, footprints, path, photos, drawn, corners, chosen, home].map((made) => made.layer),
  history.present.home,
  17,
);

function geometryOf(drawing: Drawing): Geometry | null {
  const points = drawing.places.map(project);
  const first = points[0];
  if (first === undefined) return null;
  switch (shape()) {
    case "polygon":
      return new Polygon([[...points, first]]);
    case "line":
      return new LineString(points);
    default:
      return new MultiPoint(points);
  }
}

function placesOf(geometry: Geometry | undefined): LatLon[] {
  const flat =
    geometry instanceof Polygon
      ? (geometry.getCoordinates()[0] ?? []).slice(0, -1)
      : geometry instanceof LineString || geometry instanceof MultiPoint
        ? geometry.getCoordinates()
        : geometry instanceof Point
          ? [geometry.getCoordinates()]
          : [];
  return flat.map((coordinate) => {
    const [lonDeg, latDeg] = toLonLat(coordinate) as [number, number];
    return { latDeg, lonDeg };
  });
}

function replace(layer: { source: { clear(): void; addFeature(feature: Feature<Geometry>): void } }, geometry: Geometry | null): void {
  layer.source.clear();
  if (geometry !== null) layer.source.addFeature(new Feature(geometry));
}

function redraw(): void {
  const { present } = history;
  replace(drawn, geometryOf(present));
  replace(corners, present.places.length > 0 ? new MultiPoint(present.places.map(project)) : null);
  home.source.clear();
  home.source.addFeature(pointFeature(present.home));
  selected = Math.min(selected, present.places.length - 1);
  chosen.source.clear();
  const place = present.places[selected];
  if (place !== undefined) chosen.source.addFeature(pointFeature(place));
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-act]")) {
    const act = button.dataset["act"];
    if (act === "undo") button.disabled = !history.canUndo && draw === null;
    if (act === "redo") button.disabled = !history.canRedo;
  }
  tellSelected();
}

function tellSelected(): void {
  const { places } = history.present;
  const place = places[selected];
  if (place !== undefined) {
    said.textContent = fill(data.texts.corner, {
      n: selected + 1,
      count: places.length,
      lat: place.latDeg.toFixed(7),
      lon: place.lonDeg.toFixed(7),
    });
  } else if (places.length === 0) {
    said.textContent = data.texts.empty;
  } else {
    said.textContent = fill(shape() === "polygon" ? data.texts.size : data.texts.long, {
      count: places.length,
      length: decimal(lengthM(places, shape()), 1),
      area: areaM2(places).toFixed(0),
    });
  }
}

const preview = new PlanPreview(data.previewUrl, form, data.texts, showPlan);

/** The present state into the form's fields and onto the map; the server plans it anew. */
function settle(): void {
  const { places, home: start } = history.present;
  fields.places.value = placesText(places);
  fields.lat.value = start.latDeg.toFixed(7);
  fields.lon.value = start.lonDeg.toFixed(7);
  redraw();
  ask();
}

function ask(): void {
  const enough = history.present.places.length >= (data.needed[fields.pattern.value] ?? 1);
  preview.ask(mistyped() || (enough ? "" : data.texts.empty));
}

function edit({ places, home: start }: Drawing): void {
  history.push({ places, home: start });
  settle();
}

/** Whether a file is sent with the page, as without scripts. */
let byPage = false;

/** The places of a file as one edit; undone, every field holds again what it did. */
async function takeFile(button: HTMLButtonElement): Promise<void> {
  const found = await fromFile(form, button.formAction);
  if (found === null) {
    byPage = true; // the server has more to say than fits here: its page is shown
    form.requestSubmit(button);
    return;
  }
  write(form, found.imported.after);
  if (Object.keys(found.imported.after).length > 0) {
    history.push({ ...typed(), imported: found.imported });
    showFields();
    redraw();
    showAll();
    ask();
  }
  if (found.said !== "") said.textContent = found.said;
}

function showPlan(plan: Plan | null): void {
  replace(path, plan === null ? null : new LineString(plan.path.map((pair) => project(fromPair(pair)))));
  replace(photos, plan === null ? null : new MultiPoint(plan.photos.map((pair) => project(fromPair(pair)))));
  replace(footprints, plan === null ? null : new MultiPolygon(plan.footprints.map(ringOf)));
  showVolumes(volumes, plan?.volumes ?? []);
  showChances(chances, plan?.chances ?? []);
  showLegend("chances");
  showSteps(overlap, (plan?.overlap ?? []).map(([lat, lon, count]) => [lat, lon, stepOf(count)]));
  showSteps(accuracy, (plan?.accuracy ?? []).map(([lat, lon, , height]) => [lat, lon, accuracyStep(height, plan?.gsdM ?? 0)]));
}

/** Places in one of four colours, a feature for each. */
function showSteps(layer: typeof overlap, places: readonly (readonly [number, number, number])[]): void {
  layer.source.clear();
  OVERLAP_COLOURS.forEach((_colour, step) => {
    const points = places.filter(([, , at]) => at === step);
    if (points.length === 0) return;
    const feature = new Feature(new MultiPoint(points.map(([lat, lon]) => project(fromPair([lat, lon])))));
    feature.set("step", step);
    layer.source.addFeature(feature);
  });
}

/** 3 for heights to one ground sampling distance, down to 0 for worse than four. */
function accuracyStep(heightM: number, gsdM: number): number {
  return ACCURACY_STEPS_GSD.filter((limit) => heightM <= limit * gsdM).length;
}

function stepOf(count: number): number {
  const found = OVERLAP_STEPS.findIndex((limit) => count < limit);
  return found === -1 ? OVERLAP_STEPS.length : found;
}

function ringOf(flat: readonly number[]): number[][][] {
  const ring = [0, 2, 4, 6, 0].map((i) => project({ latDeg: flat[i] as number, lonDeg: flat[i + 1] as number }));
  return [ring];
}

// Dragging what is there.
const modify = new Modify({ source: drawn.source, pixelTolerance: TOUCH_PX });
const carry = new Modify({ source: home.source, pixelTolerance: TOUCH_PX });
modify.on("modifyend", () => {
  edit({ ...history.present, places: placesOf(drawn.source.getFeatures()[0]?.getGeometry()) });
});
carry.on("modifyend", () => {
  const [place] = placesOf(home.source.getFeatures()[0]?.getGeometry());
  if (place !== undefined) edit({ ...history.present, home: place });
});
map.addInteraction(modify);
map.addInteraction(carry);

// Drawing anew.
let draw: Draw | null = null;
let mode = "";
const KINDS = { polygon: "Polygon", line: "LineString", points: "LineString", point: "Point" } as const;

function setMode(next: string): void {
  mode = mode === next ? "" : next;
  if (draw !== null) map.removeInteraction(draw);
  draw = null;
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset["mode"] === mode));
  }
  const drawing = mode === "draw" || mode === "trace";
  modify.setActive(!drawing);
  carry.setActive(!drawing);
  if (drawing) startDrawing(mode === "trace");
  redraw();
  said.textContent = { draw: data.texts.drawing, trace: data.texts.tracing, home: data.texts.moving }[mode] ?? "";
  if (mode === "") tellSelected();
}

function startDrawing(freehand: boolean): void {
  const kind = KINDS[shape()];
  draw = new Draw({ type: kind, freehand: freehand && kind !== "Point", stopClick: true });
  draw.on("drawend", (event) => {
    const placed = placesOf(event.feature.getGeometry());
    const places = freehand ? simplified(placed, TRACE_TOLERANCE_M) : placed;
    window.setTimeout(() => {
      setMode("");
      if (places.length > 0) edit({ ...history.present, places });
    });
  });
  map.addInteraction(draw);
}

map.on("singleclick", (event: MapBrowserEvent) => {
  if (draw !== null) return;
  const [lonDeg, latDeg] = toLonLat(event.coordinate) as [number, number];
  if (mode === "home") {
    setMode("");
    edit({ ...history.present, home: { latDeg, lonDeg } });
    return;
  }
  selected = nearest(event.pixel);
  redraw();
});

function nearest(pixel: readonly number[]): number {
  let best = -1;
  let bestPx = TOUCH_PX;
  history.present.places.forEach((place, index) => {
    const at = map.getPixelFromCoordinate(project(place)) as [number, number] | null;
    if (at === null) return;
    const awayPx = Math.hypot(at[0] - (pixel[0] as number), at[1] - (pixel[1] as number));
    if (awayPx <= bestPx) [best, bestPx] = [index, awayPx];
  });
  return best;
}

/** Whether all that is drawn lies on the map as it is shown. */
function inSight(): boolean {
  const { places, home: start } = history.present;
  return containsExtent(map.getView().calculateExtent(), boundingExtent([...places, start].map(project)));
}

function showAll(): void {
  const { places, home: start } = history.present;
  map.getView().fit(boundingExtent([...places, start].map(project)), { padding: [60, 60, 60, 60], maxZoom: 20 });
}

/** A place in the middle of the map, after the chosen one or at the end. */
function placeInTheMiddle(): void {
  const [lonDeg, latDeg] = toLonLat(map.getView().getCenter() ?? project(history.present.home)) as [number, number];
  const { places } = history.present;
  const after = selected < 0 ? places.length : selected + 1;
  selected = after;
  edit({ ...history.present, places: [...places.slice(0, after), { latDeg, lonDeg }, ...places.slice(after)] });
}

/** While something is drawn its last place goes, else the last edit. */
function undo(): void {
  if (draw !== null) draw.removeLastPoint();
  else {
    const { imported } = history.present;
    if (history.undo()) restore(imported?.before);
  }
}

function redo(): void {
  if (history.redo()) restore(history.present.imported?.after);
}

/** The present state, and what a file had changed beside the places. */
function restore(others: Fields = {}): void {
  write(form, others);
  showFields();
  settle();
}

const acts: Readonly<Record<string, () => void>> = {
  undo,
  place: placeInTheMiddle,
  redo,
  clear: () => edit({ ...history.present, places: [] }),
  fit: showAll,
  previous: () => step(-1),
  next: () => step(1),
  split: () => {
    if (selected < 0) return step(1);
    const split = withSplit(history.present, selected, shape());
    selected += 1; // the new one, so that it can be moved or removed at once
    edit(split);
  },
  remove: () => {
    if (selected >= 0) edit(withoutPlace(history.present, selected));
    else said.textContent = data.texts.noCorner;
  },
};

function step(by: number): void {
  const count = history.present.places.length;
  if (count === 0) return;
  selected = selected < 0 ? (by > 0 ? 0 : count - 1) : (selected + by + count) % count;
  redraw();
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-act]")) {
  button.addEventListener("click", () => acts[button.dataset["act"] ?? ""]?.());
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-mode]")) {
  button.addEventListener("click", () => setMode(button.dataset["mode"] ?? ""));
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-nudge]")) {
  button.addEventListener("click", () => {
    const stepM = Number(byId<HTMLSelectElement>("nudge-step").value);
    const [east, north] = (button.dataset["nudge"] ?? "0 0").split(" ").map(Number) as [number, number];
    if (selected >= 0) edit(nudged(history.present, selected, east * stepM, north * stepM));
    else said.textContent = data.texts.noCorner;
  });
}

/** Whether the keys write text there, which has an undo of its own. */
function takesText(target: EventTarget | null): boolean {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type !== "checkbox");
}

document.addEventListener("keydown", (event) => {
  if (takesText(event.target)) return;
  const key = event.key.toLowerCase();
  const atMap = event.target === document.body || byId("planner-map").contains(event.target as Node);
  const alone = atMap && !(event.target instanceof HTMLSelectElement);
  const wanted =
    event.ctrlKey || event.metaKey
      ? { z: event.shiftKey ? "redo" : "undo", y: "redo" }[key]
      : { delete: "remove", backspace: "remove" }[alone ? key : ""];
  if (key === "escape" && mode !== "") setMode(mode);
  if (key === "enter" && event.target === byId("map") && mode === "") placeInTheMiddle();
  if (wanted === undefined) return;
  event.preventDefault();
  acts[wanted]?.();
});

for (const button of form.querySelectorAll<HTMLButtonElement>("button[data-take]")) {
  button.addEventListener("click", (event) => {
    // Without a file the server says what is missing.
    if (byPage || byId<HTMLInputElement>("file").files?.length !== 1) return;
    event.preventDefault();
    takeFile(button).catch(() => {
      said.textContent = data.texts.offline;
    });
  });
}

// Typing into the form is an edit like any other; one that is not understood waits.
for (const field of [fields.places, fields.lat, fields.lon]) {
  field.addEventListener("change", () => {
    if (mistyped() === "") {
      history.push(typed());
      if (!inSight()) showAll();
    }
    redraw();
    ask();
  });
}
form.addEventListener("input", (event) => {
  const { name, type } = event.target as HTMLInputElement;
  if (name !== "" && type !== "file") ask(); // layers and steps are no part of the plan
});

/** Only the fields that the pattern reads; the others keep what they hold. */
function showFields(): void {
  for (const box of document.querySelectorAll<HTMLElement>("[data-used-by]")) {
    box.hidden = !(box.dataset["usedBy"] ?? "").split(" ").includes(fields.pattern.value);
  }
}

fields.pattern.addEventListener("change", () => {
  showFields();
  if (mode !== "") setMode(mode);
  redraw();
});

/** The colours of a layer that is shown and holds something. */
function showLegend(name: "overlap" | "accuracy" | "chances"): void {
  const layer = layers[name];
  const empty = name === "chances" && layer.source.getFeatures().length === 0;
  byId(`${name}-legend`).hidden = empty || !layer.layer.getVisible();
}

for (const box of document.querySelectorAll<HTMLInputElement>("[data-layer]")) {
  const name = box.dataset["layer"] as keyof typeof layers;
  const show = (): void => {
    layers[name].layer.setVisible(box.checked);
    if (name === "overlap" || name === "accuracy" || name === "chances") showLegend(name);
  };
  box.addEventListener("change", show);
  show();
}

showFields();
redraw();
showAll();
ask();
byId("preview").hidden = false;
