/** What is in the air on a map: shapes by class, where it heads, how sure that is, whence it came. */

import Feature from "ol/Feature.js";
import type { FeatureLike } from "ol/Feature.js";
import type OlMap from "ol/Map.js";
import Circle from "ol/geom/Circle.js";
import type Geometry from "ol/geom/Geometry.js";
import LineString from "ol/geom/LineString.js";
import Point from "ol/geom/Point.js";
import Polygon from "ol/geom/Polygon.js";
import type VectorLayer from "ol/layer/Vector.js";
import CircleStyle from "ol/style/Circle.js";
import Fill from "ol/style/Fill.js";
import type ImageStyle from "ol/style/Image.js";
import RegularShape from "ol/style/RegularShape.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";

import { decimal } from "./decimal";
import type { LiveObject } from "./feed";
import { areaFeature, dot, INK, label, makeMap, pointFeature, project, style, vectorLayer, type MapTexts } from "./map";
import type { LatLon } from "./geodesy";
import { byId, fill } from "./page";
import type { Zone } from "./skyfilter";

export interface SkyTexts extends MapTexts {
  readonly operator: string;
  readonly nearing: string;
  readonly nothing: string;
  readonly chosen: string;
  readonly replay: string;
}

export interface SkyData {
  readonly centre: LatLon;
  readonly timeZone: string;
  readonly words: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, string>>;
  readonly mapTexts: SkyTexts;
  readonly zones: readonly Zone[];
}

const COLOURS: Readonly<Record<string, string>> = {
  own: "#1f6fc4",
  registered: "#2f7d41",
  operator: "#b26a00",
  unknown: "#c22238",
  suspect: "#7a2ea0",
  manned: "#14202e",
};
const ZONE_COLOURS: Readonly<Record<string, string>> = {
  prohibited: "#c22238",
  authorisation: "#b07400",
  conditional: "#b07400",
  none: "#4c5a6a",
};
const TRAIL_POINTS = 240;
/** Of many aircraft each trail is shorter, so that drawing them all stays quick. */
const TRAIL_POINTS_OF_ALL = 12_000;
const SHORTEST_TRAIL = 30;
const AHEAD_S = 10;
const DEGREES = Math.PI / 180;
/** Names of classes are written below the marks only where they do not cover one another. */
const WORDS_BELOW_M_PER_PX = 4;
const SMALLEST_RING_PX = 9;
/** Standard deviations of a round error within which it is in 95 of 100 cases. */
const SIGMAS_95 = 2.4477;
const NAME_FONT = "600 12px system-ui, sans-serif";
const MOST_KEPT = 2000;

type Source = ReturnType<typeof vectorLayer>["source"];

/** The shape of a class: an own drone points up, the others differ in their corners. */
function shape(match: string): ImageStyle {
  const drawn = {
    fill: new Fill({ color: COLOURS[match] ?? "#4c5a6a" }),
    stroke: new Stroke({ color: match === "manned" ? "#ffffff" : INK, width: 1.5 }),
  };
  switch (match) {
    case "own":
      return new RegularShape({ ...drawn, points: 3, radius: 11 });
    case "registered":
      return new RegularShape({ ...drawn, points: 4, radius: 10, angle: Math.PI / 4 });
    case "operator":
      return new RegularShape({ ...drawn, points: 4, radius: 10 });
    case "suspect":
      return new RegularShape({ ...drawn, points: 5, radius: 12, radius2: 5 });
    case "manned":
      return new RegularShape({ ...drawn, points: 4, radius: 12, radius2: 3.5 });
    default:
      return new CircleStyle({ ...drawn, radius: 8 });
  }
}

/** What was made for a key before; a map asks for every feature's style whenever one has moved. */
function kept<Value>(made: Map<string, Value>, key: string, make: () => Value): Value {
  let found = made.get(key);
  if (found === undefined) {
    if (made.size >= MOST_KEPT) made.clear();
    found = make();
    made.set(key, found);
  }
  return found;
}

const images = new Map<string, Style>();
const lines = new Map<string, Style>();
const ways = new Map<string, Style>();
const edges = new Map<string, Style>();
const imageOf = (match: string): Style => kept(images, match, () => new Style({ image: shape(match) }));
const lineOf = (colour: string): Style => kept(lines, colour, () => style(colour, 2.5));
const wayOf = (colour: string): Style => kept(ways, colour, () => style(colour, 2, undefined, [2, 5]));
const ringOf = (colour: string): Style => kept(edges, colour, () => style(colour, 1, `${colour}18`));

function place(row: LiveObject, prefix = ""): LatLon | null {
  const latDeg = row[`${prefix}lat_deg`];
  const lonDeg = row[`${prefix}lon_deg`];
  return typeof latDeg === "number" && typeof lonDeg === "number" ? { latDeg, lonDeg } : null;
}

/** Metres to the projection's units at a latitude. */
function scaleAt(latDeg: number): number {
  return 1 / Math.max(Math.cos(latDeg * DEGREES), 1e-6);
}

function offset(at: LatLon, bearingDeg: number, metres: number): number[] {
  const [x = 0, y = 0] = project(at);
  const scale = scaleAt(at.latDeg) * metres;
  return [x + Math.sin(bearingDeg * DEGREES) * scale, y + Math.cos(bearingDeg * DEGREES) * scale];
}

/** The ellipse that holds the track with 95 %: [half axis, half axis, bearing of the first]. */
function ellipse(at: LatLon, [majorM, minorM, bearingDeg]: readonly [number, number, number]): number[][] {
  return Array.from({ length: 33 }, (_, i) => {
    const angle = (i / 32) * 2 * Math.PI;
    const along = majorM * Math.cos(angle);
    const across = minorM * Math.sin(angle);
    const turn = Math.atan2(across, along) / DEGREES;
    return offset(at, bearingDeg + turn, Math.hypot(along, across));
  });
}

export type LayerName = "zones" | "receivers" | "trails" | "rings" | "operators";

/** A map that shows rows of the feed, or of the history, by their keys. */
export class SkyMap {
  readonly map: OlMap;
  followed: string | null = null;
  private chosen: string | null = null;
  private readonly rows = new Map<string, LiveObject>();
  private readonly meetings = new Map<string, LiveObject>();
  private readonly marks = vectorLayer((feature, mPerPx) => this.markStyle(feature, mPerPx), 8);
  private readonly vectors = vectorLayer((feature) => lineOf(String(feature.get("colour"))), 6);
  private readonly rings = vectorLayer((feature, mPerPx) => this.ringStyle(feature, mPerPx), 3);
  private readonly trails = vectorLayer((feature) => wayOf(String(feature.get("colour"))), 4);
  private readonly operators = vectorLayer((feature) => this.operatorStyle(feature), 5);
  private readonly nearing = vectorLayer((feature) => this.nearingStyle(feature), 9);
  private readonly zoneLayer = vectorLayer((feature) => this.zoneStyle(feature), 1);
  private readonly receivers = vectorLayer((feature) => this.receiverStyle(feature), 2);
  private readonly names = new Map<string, Style>();
  private readonly paths = new Map<string, number[][]>();
  private readonly clock: Intl.DateTimeFormat;

  constructor(
    private readonly data: SkyData,
    private readonly extra: readonly VectorLayer[] = [],
  ) {
    this.clock = new Intl.DateTimeFormat(document.documentElement.lang, {
      timeZone: data.timeZone,
      timeStyle: "medium",
      hourCycle: "h23",
    });
    const own = [this.zoneLayer, this.receivers, this.rings, this.trails, this.operators, this.nearing, this.vectors, this.marks];
    const layers = [...own.map((one) => one.layer), ...this.extra];
    this.map = makeMap(byId("map"), data.mapTexts, layers, data.centre, 13);
    this.receivers.layer.setVisible(false);
    this.showZones(data.zones);
    this.map.on("singleclick", (event) => this.pick(event.pixel));
    this.connectButtons();
  }

  get isEmpty(): boolean {
    return this.marks.source.isEmpty();
  }

  has(key: string): boolean {
    return this.rows.has(key);
  }

  show(row: LiveObject, trail = true): void {
    if (row.kind === "receiver") {
      this.showReceiver(row);
      return;
    }
    if (row.kind === "meeting") {
      this.meetings.set(row.key, row);
      this.showMeeting(row);
      return;
    }
    const at = place(row);
    if (at === null) {
      this.remove(row.key);
      return;
    }
    this.rows.set(row.key, row);
    const colour = COLOURS[String(row["match"])] ?? "#4c5a6a";
    this.showMark(row, at);
    this.showVector(row, at, colour);
    this.showRing(row, at, colour);
    this.showOperator(row, at);
    if (row.kind === "drone") this.showMeetingsOf(row);
    if (trail) this.extendTrail(row.key, project(at), colour);
    if (this.followed === row.key) this.map.getView().setCenter(project(at));
    if (this.chosen === row.key) this.tell(row, false);
  }

  remove(key: string): void {
    this.clear(key);
    this.rows.delete(key);
    this.drop(this.trails.source, key);
    this.paths.delete(key);
    this.drop(this.receivers.source, key);
    this.drop(this.nearing.source, key);
    this.meetings.delete(key);
  }

  /** Nothing but these keys and their trails stay. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of [...this.rows.keys()]) if (!keys.has(key)) this.remove(key);
  }

  /** The way behind a mark, in the map's own coordinates. */
  setTrail(key: string, places: number[][], match: string): void {
    this.paths.set(key, places);
    if (places.length < 2) this.drop(this.trails.source, key);
    else this.lay(this.trails.source, key, LineString, places, { colour: COLOURS[match] ?? "#4c5a6a" });
  }

  fit(): void {
    const extent = this.marks.source.getExtent();
    if (extent !== null && !this.isEmpty) {
      this.map.getView().fit(extent, { padding: [60, 60, 60, 60], maxZoom: 17 });
    }
  }

  choose(key: string): void {
    this.chosen = key;
    const row = this.rows.get(key);
    if (row !== undefined) this.tell(row, true);
    const button = document.getElementById("follow") as HTMLButtonElement | null;
    if (button !== null) button.disabled = false;
  }

  follow(key: string | null): void {
    this.followed = key;
    const button = document.getElementById("follow");
    button?.setAttribute("aria-pressed", String(key !== null));
    const at = key === null ? undefined : this.rows.get(key);
    const centre = at === undefined ? null : place(at);
    if (centre !== null) this.map.getView().setCenter(project(centre));
  }

  layer(name: LayerName): VectorLayer {
    return {
      zones: this.zoneLayer,
      receivers: this.receivers,
      trails: this.trails,
      rings: this.rings,
      operators: this.operators,
    }[name].layer;
  }

  showZones(zones: readonly Zone[]): void {
    this.zoneLayer.source.clear();
    for (const zone of zones) {
      for (const ring of zone.rings) {
        if (ring.length < 3) continue;
        const corners = ring.map(([latDeg, lonDeg]) => ({ latDeg, lonDeg }));
        this.zoneLayer.source.addFeature(areaFeature(corners, { name: zone.name, asks: zone.restriction, applies: zone.applies }));
      }
    }
  }

  private put(source: Source, key: string, feature: Feature): void {
    feature.setId(key);
    source.addFeature(feature);
  }

  private drop(source: Source, key: string): void {
    const feature = source.getFeatureById(key);
    if (feature !== null) source.removeFeature(feature as Feature);
  }

  private clear(key: string): void {
    for (const { source } of [this.marks, this.vectors, this.rings, this.operators]) this.drop(source, key);
  }

  /**
   * A feature where it is now: moved where it is there already. With hundreds of aircraft a second,
   * features made anew kept a phone from answering a finger.
   */
  private lay<Coordinates>(
    source: Source,
    key: string,
    kind: new (coordinates: Coordinates) => Geometry & { setCoordinates(coordinates: Coordinates): void },
    coordinates: Coordinates,
    properties: Readonly<Record<string, unknown>>,
  ): void {
    const there = source.getFeatureById(key) as Feature | null;
    const geometry = there?.getGeometry();
    if (there !== null && geometry instanceof kind) {
      there.setProperties(properties, true);
      geometry.setCoordinates(coordinates);
      return;
    }
    if (there !== null) source.removeFeature(there);
    const made = new Feature<Geometry>(new kind(coordinates));
    made.setProperties(properties, true);
    this.put(source, key, made);
  }

  private showMark(row: LiveObject, at: LatLon): void {
    const { label: name, match, replay } = row;
    this.lay(this.marks.source, row.key, Point, project(at), { label: name, match, replay });
  }

  private showVector(row: LiveObject, at: LatLon, colour: string): void {
    const { yaw_deg: yaw, speed_mps: speed } = row;
    if (typeof yaw !== "number" || typeof speed !== "number" || speed < 0.5) this.drop(this.vectors.source, row.key);
    else this.lay(this.vectors.source, row.key, LineString, [project(at), offset(at, yaw, speed * AHEAD_S)], { colour });
  }

  private showRing(row: LiveObject, at: LatLon, colour: string): void {
    const axes = row["ellipse"] as readonly number[] | undefined;
    const whole = axes?.length === 3 ? (axes as unknown as readonly [number, number, number]) : null;
    const sizeM = whole !== null ? whole[0] : typeof row["sigma_m"] === "number" ? row["sigma_m"] * SIGMAS_95 : null;
    if (sizeM === null) this.drop(this.rings.source, row.key);
    else {
      const corners = ellipse(at, whole ?? [sizeM, sizeM, 0]);
      this.lay(this.rings.source, row.key, Polygon, [corners], { colour, sizeM });
    }
  }

  private showOperator(row: LiveObject, at: LatLon): void {
    const stands = place(row, "operator_");
    if (stands === null) this.drop(this.operators.source, row.key);
    else {
      const operator = fill(this.data.mapTexts.operator, { label: String(row["label"]) });
      this.lay(this.operators.source, row.key, LineString, [project(stands), project(at)], { operator });
    }
  }

  private showMeetingsOf(row: LiveObject): void {
    for (const one of this.meetings.values()) {
      if (one["first"] === row["label"] || one["second"] === row["label"]) this.showMeeting(one);
    }
  }

  /** A line between two own drones that may come too close, while both are on the map. */
  private showMeeting(row: LiveObject): void {
    this.drop(this.nearing.source, row.key);
    const ends = [row["first"], row["second"]].map((name) => {
      const drone = [...this.rows.values()].find((one) => one.kind === "drone" && one["label"] === name);
      return drone === undefined ? null : place(drone);
    });
    const [first, second] = ends;
    if (first === null || first === undefined || second === null || second === undefined) return;
    const line = new Feature(new LineString([project(first), project(second)]));
    line.set("text", fill(this.data.mapTexts.nearing, { time: this.clock.format(new Date(String(row["at"]))) }));
    line.set("likely", row["case"] === "meeting_0");
    this.put(this.nearing.source, row.key, line);
  }

  private nearingStyle(feature: FeatureLike): Style[] {
    const likely = feature.get("likely") === true;
    const middle = pointFeature({ latDeg: 0, lonDeg: 0 }).getGeometry();
    middle?.setCoordinates((feature.getGeometry() as LineString).getCoordinateAt(0.5));
    const text = label(String(feature.get("text")), -12, "600 12px system-ui, sans-serif", "#c22238");
    if (middle !== undefined) text.setGeometry(middle);
    return [style("#c22238", likely ? 4 : 2, undefined, likely ? undefined : [6, 6]), text];
  }

  private extendTrail(key: string, coordinate: number[], colour: string): void {
    const points = this.paths.get(key) ?? [];
    const last = points.at(-1);
    if (last !== undefined && last[0] === coordinate[0] && last[1] === coordinate[1]) return;
    const most = Math.max(SHORTEST_TRAIL, Math.min(TRAIL_POINTS, TRAIL_POINTS_OF_ALL / this.rows.size));
    const longer = [...points.slice(-Math.floor(most) + 1), coordinate];
    this.paths.set(key, longer);
    this.lay(this.trails.source, key, LineString, longer, { colour });
  }

  private showReceiver(row: LiveObject): void {
    this.drop(this.receivers.source, row.key);
    const at = place(row);
    if (at === null) return;
    const rangeM = typeof row["range_m"] === "number" ? row["range_m"] : 0;
    const ring = new Feature(new Circle(project(at), rangeM * scaleAt(at.latDeg)));
    ring.set("label", row["label"]);
    this.put(this.receivers.source, row.key, ring);
  }

  private markStyle(feature: FeatureLike, mPerPx: number): Style[] {
    const match = String(feature.get("match"));
    const name = String(feature.get("label"));
    const words = mPerPx < WORDS_BELOW_M_PER_PX ? `\n${this.data.words[match] ?? match}` : "";
    const replay = feature.get("replay") === true ? ` (${this.data.mapTexts.replay})` : "";
    const said = `${name}${replay}${words}`;
    return [imageOf(match), kept(this.names, said, () => label(said, words === "" ? 20 : 28, NAME_FONT))];
  }

  private ringStyle(feature: FeatureLike, mPerPx: number): Style | undefined {
    // A ring that the mark covers tells nothing.
    if (Number(feature.get("sizeM")) / mPerPx < SMALLEST_RING_PX) return undefined;
    return ringOf(String(feature.get("colour")));
  }

  private operatorStyle(feature: FeatureLike): Style[] {
    const line = feature.getGeometry() as LineString;
    const stands = dot(6, "#ffffff", "#7a2ea0");
    const text = label(String(feature.get("operator")), 16);
    const at = pointFeature({ latDeg: 0, lonDeg: 0 }).getGeometry();
    at?.setCoordinates(line.getFirstCoordinate());
    if (at !== undefined) for (const one of [stands, text]) one.setGeometry(at);
    return [style("#7a2ea0", 1.5, undefined, [4, 6]), stands, text];
  }

  private zoneStyle(feature: FeatureLike): Style[] {
    const colour = ZONE_COLOURS[String(feature.get("asks"))] ?? "#4c5a6a";
    const applies = feature.get("applies") === true;
    const edge = style(colour, applies ? 2 : 1, applies ? `${colour}1a` : undefined, applies ? undefined : [8, 6]);
    return [edge, label(String(feature.get("name")), 0, "12px system-ui, sans-serif", colour)];
  }

  private receiverStyle(feature: FeatureLike): Style[] {
    const ring = feature.getGeometry() as Circle;
    const centre = pointFeature({ latDeg: 0, lonDeg: 0 }).getGeometry();
    centre?.setCoordinates(ring.getCenter());
    const mark = dot(5, "#0b4f94");
    const text = label(String(feature.get("label")), -14);
    if (centre !== undefined) for (const one of [mark, text]) one.setGeometry(centre);
    return [style("#0b4f94", 1.5, undefined, [10, 6]), mark, text];
  }

  private pick(pixel: number[]): void {
    const hit = this.map.forEachFeatureAtPixel(pixel, (feature) => feature.getId(), {
      layerFilter: (layer) => layer === this.marks.layer,
      hitTolerance: 14,
    });
    if (hit !== undefined) this.choose(String(hit));
    else {
      this.chosen = this.followed;
      const button = document.getElementById("follow") as HTMLButtonElement | null;
      if (button !== null) button.disabled = this.followed === null;
      byId("map-result").setAttribute("aria-live", "polite");
      byId("map-result").textContent = this.data.mapTexts.nothing;
    }
  }

  /** Said aloud when it is chosen; what follows every second is there to be read. */
  private tell(row: LiveObject, aloud: boolean): void {
    const heightM = row["height_m"] ?? row["alt_home_m"];
    const speed = row["speed_mps"];
    const line = byId("map-result");
    line.setAttribute("aria-live", aloud ? "polite" : "off");
    line.textContent = fill(this.data.mapTexts.chosen, {
      label: String(row["label"]),
      match: this.data.words[String(row["match"])] ?? String(row["match"]),
      height: typeof heightM === "number" ? `${heightM.toFixed(0)} m` : "–",
      speed: typeof speed === "number" ? `${decimal(speed, 1)} m/s` : "–",
      time: this.clock.format(new Date(String(row["at"]))),
    });
  }

  private connectButtons(): void {
    document.getElementById("fit")?.addEventListener("click", () => this.fit());
    document.getElementById("follow")?.addEventListener("click", () => {
      this.follow(this.followed === null ? this.chosen : null);
    });
    for (const box of document.querySelectorAll<HTMLInputElement>("input[data-layer]")) {
      const layer = this.layer(box.dataset["layer"] as LayerName);
      layer.setVisible(box.checked);
      box.addEventListener("change", () => layer.setVisible(box.checked));
    }
    // Choosing by keyboard: a row of the table that is clicked or entered is the one to follow.
    document.addEventListener("click", (event) => {
      const row = (event.target as HTMLElement).closest<HTMLElement>("tr[data-key]");
      if (row?.dataset["key"] !== undefined && this.rows.has(row.dataset["key"])) this.choose(row.dataset["key"]);
    });
  }
}
