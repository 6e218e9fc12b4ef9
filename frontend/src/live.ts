/** The live map: own drones, other tracks and alerts, with the tables beside it kept current. */

import { Blocks, momentOf } from "./lib/blocks";
import { Feed, type Link, type LiveObject, type Source } from "./lib/feed";
import { byId, colon, fill, pageData } from "./lib/page";
import { Sheet } from "./lib/sheet";
import { alertedKeys, readChoice, shows } from "./lib/skyfilter";
import { SkyMap, type SkyData } from "./lib/skymap";
import { SkyTables, type Column, type TableWords } from "./lib/skytable";
import { trailOf } from "./lib/trails";

interface LiveData extends SkyData, Source, Omit<TableWords, "texts"> {
  readonly dataUrl: string;
  readonly columns: Readonly<Record<string, readonly Column[]>>;
  readonly texts: Readonly<Record<Link | "alert" | "shown" | "replay" | "show", string>>;
}

const data = pageData<LiveData>("live-data");
const status = byId("live-status");
const form = byId<HTMLFormElement>("filters");
const sky = new SkyMap(data);
const tables = new SkyTables(data.columns, data);
let choice = readChoice(new FormData(form));
let shown = false;
let known = new Set<string>();

/** With more tracks than this, trails begin when the page is opened: the past would be too much. */
const SEEDED_TRACKS = 60;

/** The trails of the last minutes, from the history. */
async function seedTrails(): Promise<void> {
  const tracks = [...feed.objects.values()].filter((row) => row.kind === "track");
  const newestS = Math.max(...tracks.map((row) => Date.parse(String(row["at"])) / 1000));
  if (tracks.length === 0 || tracks.length > SEEDED_TRACKS) return;
  const near = await new Blocks(data.dataUrl).around(newestS);
  for (const { row, legs } of momentOf(near, newestS)) {
    const live = feed.objects.get(row.key);
    if (live === undefined || !sky.has(row.key)) continue;
    sky.setTrail(row.key, trailOf(legs, 1), String(live["match"]));
  }
}

function isAircraft(row: LiveObject): boolean {
  return row.kind === "drone" || row.kind === "track";
}

function showObject(row: LiveObject, alerted: ReadonlySet<string>): void {
  if (isAircraft(row) && !shows(choice, row, data.zones, alerted)) {
    hide(row.key);
    return;
  }
  if (row.kind !== "alert") sky.show(row);
  tables.show(row);
}

function hide(key: string): void {
  sky.remove(key);
  tables.remove(key);
}

function count(): void {
  const aircraft = [...feed.objects.values()].filter(isAircraft);
  const alerted = alertedKeys(feed.objects.values());
  const n = aircraft.filter((row) => shows(choice, row, data.zones, alerted)).length;
  const told = fill(data.texts.shown, { n, all: aircraft.length });
  // Said anew only when it is another number: this comes every second.
  if (byId("shown").textContent !== told) byId("shown").textContent = told;
  byId("replaying").hidden = !aircraft.some((row) => row["replay"] === true);
}

function showAll(): void {
  if (shown || sky.isEmpty) return;
  shown = true;
  sky.fit();
  // Without them the map is still right: trails then begin now.
  void seedTrails().catch(() => undefined);
}

const alerts = byId("live-alerts");
function announce(row: LiveObject, isNew: boolean): void {
  if (row.kind !== "alert" || !isNew || row["open"] !== true || row["replay"] === true) return;
  alerts.textContent = fill(data.texts.alert, {
    text: `${data.words[String(row["rule"])] ?? String(row["rule"])}${colon()} ${String(row["label"])}`,
  });
  alerts.hidden = false;
}

const feed: Feed = new Feed(data, {
  changed(set, gone) {
    const alerted = alertedKeys(feed.objects.values());
    const alertsChanged = set.some((row) => row.kind === "alert") || gone.some((key) => key.startsWith("alert:"));
    // Whether an aircraft is shown may hang on its alerts.
    const rows = choice.alerted && alertsChanged ? [...feed.objects.values()] : set;
    for (const row of rows) {
      announce(row, known.size > 0 && !known.has(row.key));
      showObject(row, alerted);
    }
    gone.forEach(hide);
    known = new Set(feed.objects.keys());
    count();
    showAll();
  },
  link(state) {
    status.textContent = data.texts[state];
    status.dataset["link"] = state;
    status.className = state === "lost" || state === "ended" ? "badge bad" : "badge good";
  },
});

function filter(): void {
  choice = readChoice(new FormData(form));
  const alerted = alertedKeys(feed.objects.values());
  for (const row of feed.objects.values()) showObject(row, alerted);
  count();
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  filter();
});
new Sheet(byId("stage"), byId("panel"), byId<HTMLButtonElement>("panel-button"), byId<HTMLButtonElement>("panel-close"));
feed.start();
