/** A mission while it flies: its drone, what comes near, and warnings by text and sound. */

import Feature from "ol/Feature.js";
import LineString from "ol/geom/LineString.js";

import { send } from "./lib/api";
import { Asks, type AskData, type AskTexts } from "./lib/asks";
import { Feed, type Link, type LiveObject, type Source } from "./lib/feed";
import { bearingDeg, Dials } from "./lib/attitude";
import { distanceM } from "./lib/geodesy";
import { project, style, vectorLayer } from "./lib/map";
import { byId, element, fill, pageData } from "./lib/page";
import { SkyMap, type SkyData } from "./lib/skymap";
import { clock, written, type Column, type TableWords } from "./lib/skytable";

interface FlightData extends SkyData, Source, AskData, Omit<TableWords, "texts"> {
  readonly drone: string;
  readonly droneName: string;
  readonly path: readonly (readonly [number, number])[];
  readonly columns: readonly Column[];
  readonly mayAcknowledge: boolean;
  readonly acknowledgeUrl: string;
  readonly home: readonly [number, number];
  readonly homeMps: number;
  readonly texts: AskTexts &
    Readonly<Record<Link | "closest" | "proposal" | "none" | "seen" | "seenBy" | "replay" | "show" | "wayHome"
      | "meeting" | "meets" | "attitude" | "noAttitude" | "batteryLow" | "linkPoor" | "silent", string>>;
}

type Facts = Readonly<Record<string, string | number>>;

const data = pageData<FlightData>("flight-data");
const status = byId("live-status");
const warnings = byId("warnings");
const path = vectorLayer(() => style("#0b4f94", 2.5), 2);
path.source.addFeature(new Feature(new LineString(data.path.map(([latDeg, lonDeg]) => project({ latDeg, lonDeg })))));
const wayHome = vectorLayer(() => style("#b26a00", 3, undefined, [10, 8]), 3);
const sky = new SkyMap(data, [path.layer, wayHome.layer]);
// Until the drone is heard, the mission is what there is to see.
sky.map.getView().fit(path.source.getExtent() ?? [], { padding: [40, 40, 40, 40], maxZoom: 18 });
const at = clock(data.timeZone);

const dials = new Dials(data.texts);

/** Nearer than this, home has no direction. */
const AT_HOME_M = 2;
/** The controller speaks of a lost link after five seconds. */
const SILENT_S = 3;
const POOR_PCT = 80;
/** Told before the controller turns home by itself. */
const NEARLY_PCT = 5;

let sound: AudioContext | null = null;
let warnedOf = "000";
let shown = false;

/** Two rising tones; browsers allow sound only after the pilot has asked for it. */
function beep(): void {
  if (sound === null) return;
  for (const [i, hertz] of [660, 990].entries()) {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.frequency.value = hertz;
    volume.gain.value = 0.25;
    tone.connect(volume).connect(sound.destination);
    tone.start(sound.currentTime + 0.22 * i);
    tone.stop(sound.currentTime + 0.22 * i + 0.18);
  }
}

function isConflict(row: LiveObject): boolean {
  const facts = (row["facts"] ?? {}) as Facts;
  return row.kind === "alert" && row["rule"] === "conflict" && facts["drone"] === data.droneName;
}

function card(row: LiveObject): HTMLElement {
  const facts = row["facts"] as Facts;
  const what = data.words[String(facts["advice"] ?? "watch")] ?? "";
  const replay = row["replay"] === true ? ` (${data.texts.replay})` : "";
  const made = element(
    "div",
    { class: "notice wrong conflict", "data-key": row.key },
    element("p", {}, element("strong", {}, data.words["conflict"] ?? ""), ` ${String(row["label"])}${replay}`),
    element("p", {}, fill(data.texts.closest, { s: facts["in_s"] ?? "–", m: facts["distance_m"] ?? "–" })),
    element("p", { class: "proposal" }, fill(data.texts.proposal, { what })),
  );
  if (row["open"] !== true) {
    made.append(element("p", {}, fill(data.texts.seenBy, { who: String(row["acknowledged_by"] ?? "") })));
  } else if (data.mayAcknowledge) {
    const button = element("button", { type: "button", class: "primary" }, data.texts.seen);
    button.addEventListener("click", () => void send(`${data.acknowledgeUrl}${String(row["id"])}/acknowledge`, {}));
    made.append(button);
  }
  return made;
}

/** Another own drone that this one may come too close to; its controller says it in words, too. */
function isMeeting(row: LiveObject): boolean {
  return row.kind === "meeting" && [row["first"], row["second"]].includes(data.droneName);
}

function meetingCard(row: LiveObject): HTMLElement {
  const when = at.format(new Date(String(row["at"])));
  const facts = { time: when, m: String(row["apart_m"]), up: String(row["above_m"]), how: data.words[String(row["case"])] ?? "" };
  return element(
    "div",
    { class: "notice wrong conflict", "data-key": row.key },
    element("p", {}, element("strong", {}, data.texts.meeting), ` ${String(row["label"])}`),
    element("p", {}, fill(data.texts.meets, facts)),
  );
}

let warned = new Set<string>();
function showConflicts(): void {
  const open = [...feed.objects.values()].filter((row) => isConflict(row) || isMeeting(row));
  const old = new Map([...warnings.querySelectorAll<HTMLElement>(".conflict")].map((one) => [one.dataset["key"], one]));
  warnings.querySelector(".empty")?.remove();
  for (const row of open) {
    const fresh = isMeeting(row) ? meetingCard(row) : card(row);
    const shownCard = old.get(row.key);
    old.delete(row.key);
    if (shownCard === undefined) warnings.append(fresh);
    else if (row["open"] === true && shownCard.contains(document.activeElement)) {
      // The button under the finger stays; only the words around it change.
      const words = fresh.querySelectorAll("p");
      shownCard.querySelectorAll("p").forEach((one, i) => words[i] && one.replaceWith(words[i] as Node));
    } else shownCard.replaceWith(fresh);
  }
  old.forEach((gone) => gone.remove());
  if (open.length === 0) warnings.append(element("p", { class: "empty" }, data.texts.none));
  if (open.some((row) => row["open"] === true && row["replay"] !== true && !warned.has(row.key))) beep();
  warned = new Set(open.map((row) => row.key));
}

function showState(row: LiveObject): void {
  for (const column of data.columns) {
    const cell = document.querySelector(`#state [data-name="${column.name}"]`);
    if (cell !== null) cell.textContent = written(row[column.name], column, { ...data, texts: data.texts }, at);
  }
}

/** The straight line home, how far it is, and how long it takes against the wind that is assumed. */
function showWayHome(row: LiveObject): void {
  const { lat_deg: latDeg, lon_deg: lonDeg } = row;
  if (typeof latDeg !== "number" || typeof lonDeg !== "number") return;
  const home = { latDeg: data.home[0], lonDeg: data.home[1] };
  const m = distanceM({ latDeg, lonDeg }, home);
  wayHome.source.clear();
  wayHome.source.addFeature(new Feature(new LineString([project({ latDeg, lonDeg }), project(home)])));
  const s = known(row, "home_s") ?? m / data.homeMps;
  byId("way-home").textContent = fill(data.texts.wayHome, { m: m.toFixed(0), s: s.toFixed(0) });
}

/** A number of the row; null where the vehicle has not said it. */
function known(row: LiveObject, name: string): number | null {
  const value = row[name];
  return typeof value === "number" ? value : null;
}

function showDials(row: LiveObject): void {
  const [latDeg, lonDeg] = [known(row, "lat_deg"), known(row, "lon_deg")];
  const home = { latDeg: data.home[0], lonDeg: data.home[1] };
  const away = latDeg === null || lonDeg === null ? null : { latDeg, lonDeg };
  const homeDeg = away === null || distanceM(away, home) < AT_HOME_M ? null : bearingDeg(away, home);
  const [rollDeg, pitchDeg, yawDeg] = [known(row, "roll_deg"), known(row, "pitch_deg"), known(row, "yaw_deg")];
  dials.show({ rollDeg, pitchDeg, yawDeg, homeDeg }, (known(row, "silent_s") ?? 0) < SILENT_S);
}

/** What in the numbers a pilot must not miss; said once when it begins and not with every number. */
function showWarnings(row: LiveObject): void {
  const [left, need] = [known(row, "battery_pct"), known(row, "home_battery_pct")];
  const [share, s] = [known(row, "link_pct"), known(row, "silent_s")];
  const low = left !== null && need !== null && left <= need + NEARLY_PCT;
  const poor = share !== null && share < POOR_PCT;
  const silent = s !== null && s >= SILENT_S;
  mark({ battery_pct: low, home_battery_pct: low, link_pct: poor, silent_s: silent });
  const said = [
    silent ? fill(data.texts.silent, { s: tens(s) }) : "",
    low ? fill(data.texts.batteryLow, { left: left.toFixed(0), need: need.toFixed(0) }) : "",
    poor ? fill(data.texts.linkPoor, { share: (10 * Math.round(share / 10)).toFixed(0) }) : "",
  ].filter((text) => text !== "").join(" ");
  const place = byId("state-warning");
  place.hidden = said === "";
  if (place.textContent !== said) place.textContent = said;
  const kinds = [low, poor, silent].map(Number).join("");
  if ([low, poor, silent].some((one, i) => one && warnedOf[i] !== "1")) beep();
  warnedOf = kinds;
}

/** In whole tens, or as it is below ten: a number that is read out must not change all the time. */
function tens(value: number): string {
  return (value < 10 ? Math.round(value) : 10 * Math.floor(value / 10)).toFixed(0);
}

function mark(low: Readonly<Record<string, boolean>>): void {
  for (const [name, bad] of Object.entries(low)) {
    document.querySelector(`#state [data-name="${name}"]`)?.classList.toggle("bad", bad);
  }
}

/** The mission and the drone together: as near as both can be seen. */
function showWhole(): void {
  const row = feed.objects.get(data.drone);
  const [latDeg, lonDeg] = row === undefined ? [null, null] : [known(row, "lat_deg"), known(row, "lon_deg")];
  if (latDeg === null || lonDeg === null) return;
  const [x = 0, y = 0] = project({ latDeg, lonDeg });
  // As far to every side of the drone, which stays in the middle, as the mission reaches to any.
  const [west = x, south = y, east = x, north = y] = path.source.getExtent() ?? [];
  const reach = Math.max(x - west, east - x, y - south, north - y, 0);
  sky.map.getView().fit([x - reach, y - reach, x + reach, y + reach], { padding: [30, 30, 30, 30], maxZoom: 18 });
}

/** On a small screen what warns stays in sight, wherever the page is scrolled; it is read aloud elsewhere. */
function showAlarms(): void {
  const proposals = [...warnings.querySelectorAll(".conflict")].map((one) => [...one.querySelectorAll("p")].map((p) => p.textContent).join(". "));
  const state = byId("state-warning");
  const bar = byId("alarm-bar");
  const text = [...proposals, state.hidden ? "" : (state.textContent ?? "")].filter((one) => one !== "").join(" · ");
  if (bar.textContent !== text) bar.textContent = text;
  bar.hidden = text === "";
}

const feed: Feed = new Feed(data, {
  changed(set, gone) {
    for (const row of set) {
      if (["drone", "track", "meeting"].includes(row.kind)) sky.show(row);
      if (row.key === data.drone) {
        showState(row);
        showWayHome(row);
        showDials(row);
        showWarnings(row);
      }
    }
    gone.forEach((key) => sky.remove(key));
    const near = (kind: string): boolean => kind === "alert" || kind === "meeting";
    if (set.some((row) => near(row.kind)) || gone.some((key) => near(key.split(":")[0] ?? ""))) showConflicts();
    showAlarms();
    if (!shown && feed.objects.has(data.drone)) {
      shown = true;
      sky.choose(data.drone);
      showWhole();
      sky.follow(data.drone);
    }
  },
  link(state) {
    status.textContent = data.texts[state];
    status.className = state === "lost" || state === "ended" ? "badge bad" : "badge good";
  },
});

const soundButton = byId<HTMLButtonElement>("sound");
soundButton.hidden = false;
soundButton.addEventListener("click", () => {
  if (sound === null) sound = new AudioContext();
  else {
    void sound.close();
    sound = null;
  }
  soundButton.setAttribute("aria-pressed", String(sound !== null));
  beep();
});
new Asks(data, data.texts, (text) => at.format(new Date(text)), beep).start();
feed.start();
