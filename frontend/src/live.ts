/** The live map: own drones, other tracks and alerts, with the table beside it kept current. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import LineString from "ol/geom/LineString.js";
import Fill from "ol/style/Fill.js";
import RegularShape from "ol/style/RegularShape.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";

import { Feed, type LiveObject, type Link } from "./lib/feed";
import { label, makeMap, pointFeature, project, style, vectorLayer, type MapTexts } from "./lib/map";
import { byId, element, fill, pageData } from "./lib/page";

/** A column of a table: which value, and how it is written; `link` is completed with the id. */
interface Column {
  readonly name: string;
  readonly format?: "time" | "word";
  readonly unit?: string;
  readonly digits?: number;
  readonly link?: string;
}

interface LiveData {
  readonly streamUrl: string;
  readonly stateUrl: string;
  readonly centre: { latDeg: number; lonDeg: number };
  readonly timeZone: string;
  readonly columns: Readonly<Record<string, readonly Column[]>>;
  readonly words: Readonly<Record<string, string>>;
  readonly texts: MapTexts & Readonly<Record<Link | "alert", string>>;
}

const COLOURS: Readonly<Record<string, string>> = {
  own: "#1f6fc4",
  registered: "#3a8a4d",
  operator: "#b26a00",
  unknown: "#c22238",
};
const TRAIL_POINTS = 240;
const DEGREES = Math.PI / 180;

const data = pageData<LiveData>("live-data");
const status = byId("live-status");

function arrow(match: string, yawDeg: number | null): Style {
  const colour = COLOURS[match] ?? "#4c5a6a";
  const sides = yawDeg === null ? { points: 24, radius: 8 } : { points: 3, radius: 11 };
  return new Style({
    image: new RegularShape({
      ...sides,
      rotation: (yawDeg ?? 0) * DEGREES,
      rotateWithView: true,
      fill: new Fill({ color: colour }),
      stroke: new Stroke({ color: "#14202e", width: 1.5 }),
    }),
  });
}

function markStyle(feature: FeatureLike): Style[] {
  const yaw = feature.get("yaw_deg") as number | null | undefined;
  return [
    arrow(String(feature.get("match")), yaw ?? null),
    label(String(feature.get("label")), 20, "600 12px system-ui, sans-serif"),
  ];
}

const marks = vectorLayer(markStyle, 4);
const trails = vectorLayer((feature) => style(COLOURS[String(feature.get("match"))] ?? "#4c5a6a", 2), 3);
const map = makeMap(byId("map"), data.texts, [trails.layer, marks.layer], data.centre, 13);

function place(row: LiveObject): { latDeg: number; lonDeg: number } | null {
  const { lat_deg: latDeg, lon_deg: lonDeg } = row;
  return typeof latDeg === "number" && typeof lonDeg === "number" ? { latDeg, lonDeg } : null;
}

function showMark(row: LiveObject): void {
  const at = place(row);
  const mark = marks.source.getFeatureById(row.key);
  if (at === null) {
    if (mark !== null) marks.source.removeFeature(mark as Feature);
    return;
  }
  const fresh = pointFeature(at, row);
  fresh.setId(row.key);
  if (mark !== null) marks.source.removeFeature(mark as Feature);
  marks.source.addFeature(fresh);
  extendTrail(row, project(at));
}

function extendTrail(row: LiveObject, coordinate: number[]): void {
  const trail = trails.source.getFeatureById(row.key) as Feature<LineString> | null;
  if (trail === null) {
    const made = new Feature(new LineString([coordinate]));
    made.setId(row.key);
    made.set("match", row["match"]);
    trails.source.addFeature(made);
    return;
  }
  const points = trail.getGeometry()?.getCoordinates() ?? [];
  const last = points.at(-1);
  if (last !== undefined && last[0] === coordinate[0] && last[1] === coordinate[1]) return;
  trail.set("match", row["match"]);
  trail.getGeometry()?.setCoordinates([...points, coordinate].slice(-TRAIL_POINTS));
}

function removeObject(key: string): void {
  for (const { source } of [marks, trails]) {
    const feature = source.getFeatureById(key);
    if (feature !== null) source.removeFeature(feature as Feature);
  }
  document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
}

const clockFormat = new Intl.DateTimeFormat(document.documentElement.lang, {
  timeZone: data.timeZone,
  timeStyle: "medium",
  hourCycle: "h23",
});

/** What one cell shows; every word comes translated from the server. */
function cell(row: LiveObject, column: Column): string {
  const value = row[column.name];
  if (value === null || value === undefined) return "–";
  if (column.format === "time") return clockFormat.format(new Date(String(value)));
  if (column.format === "word") return data.words[String(value)] ?? String(value);
  if (typeof value === "number") return `${value.toFixed(column.digits ?? 0)}${column.unit ?? ""}`;
  return String(value);
}

function showRow(row: LiveObject): void {
  const table = document.querySelector<HTMLTableSectionElement>(`tbody[data-kind="${row.kind}"]`);
  const columns = data.columns[row.kind];
  if (table === null || columns === undefined) return;
  const cells = columns.map((column, i) => {
    const text = cell(row, column);
    const content = column.link ? element("a", { href: column.link + String(row["id"]) }, text) : text;
    return element(i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : {}, content);
  });
  const made = element("tr", { "data-key": row.key }, ...cells);
  const old = table.querySelector(`[data-key="${CSS.escape(row.key)}"]`);
  if (old !== null) old.replaceWith(made);
  else table.append(made);
}

let shown = false;
function showAll(): void {
  if (shown || marks.source.isEmpty()) return;
  shown = true;
  const extent = marks.source.getExtent();
  if (extent !== null) map.getView().fit(extent, { padding: [60, 60, 60, 60], maxZoom: 18 });
}

const alerts = byId("live-alerts");
function announce(row: LiveObject, isNew: boolean): void {
  if (row.kind !== "alert" || !isNew || row["open"] !== true) return;
  alerts.textContent = fill(data.texts.alert, {
    text: `${data.words[String(row["rule"])] ?? String(row["rule"])}: ${String(row["label"])}`,
  });
  alerts.hidden = false;
}

let known = new Set<string>();
const feed = new Feed(data.streamUrl, data.stateUrl, {
  changed(set, gone) {
    for (const row of set) {
      announce(row, known.size > 0 && !known.has(row.key));
      if (row.kind !== "alert") showMark(row);
      showRow(row);
    }
    gone.forEach(removeObject);
    known = new Set(feed.objects.keys());
    showAll();
  },
  link(state) {
    status.textContent = data.texts[state];
    status.className = state === "lost" ? "badge bad" : "badge good";
  },
});
feed.start();
byId("fit").addEventListener("click", () => {
  shown = false;
  showAll();
});
