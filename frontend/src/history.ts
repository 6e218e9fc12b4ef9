/** The history of the sky: a slider over any past span, played at up to fifty times its pace. */

import { Blocks, momentOf, type Block } from "./lib/blocks";
import { byId, fill, pageData } from "./lib/page";
import { readChoice, shows } from "./lib/skyfilter";
import { SkyMap, type SkyData } from "./lib/skymap";
import { clock, SkyTables, type Column, type TableWords } from "./lib/skytable";
import { thinnedBy, trailOf } from "./lib/trails";

interface HistoryData extends SkyData, Omit<TableWords, "texts"> {
  readonly from: string;
  readonly until: string;
  readonly at: string;
  readonly dataUrl: string;
  readonly columns: Readonly<Record<string, readonly Column[]>>;
  readonly texts: Readonly<
    Record<"loading" | "ready" | "failed" | "play" | "pause" | "copied" | "replay" | "show", string>
  >;
}

const STEP_MS = 100;
/** Drawing takes no more than this share of the time: the rest is for fingers and keys. */
const DRAWING_SHARE = 0.3;
const TABLE_EVERY_MS = 1000;

const data = pageData<HistoryData>("history-data");
const form = byId<HTMLFormElement>("filters");
const slider = byId<HTMLInputElement>("slider");
const output = byId<HTMLOutputElement>("clock");
const playButton = byId<HTMLButtonElement>("play");
const result = byId("shown");
const sky = new SkyMap(data);
const tables = new SkyTables(data.columns, data);
const blocks = new Blocks(data.dataUrl);
const fromS = Date.parse(data.from) / 1000;
const untilS = Date.parse(data.until) / 1000;
const times = clock(data.timeZone);
const dayFormat = new Intl.DateTimeFormat(document.documentElement.lang, {
  timeZone: data.timeZone,
  dateStyle: "full",
  timeStyle: "medium",
  hourCycle: "h23",
});

let momentS = Math.min(Math.max(Date.parse(data.at) / 1000, fromS), untilS);
let playing = false;
let drawing = false;
let again = false;
let fitted = false;
let tableMs = 0;
let listed = new Set<string>();

function tellTime(): void {
  slider.value = String(Math.round(momentS));
  const text = times.format(new Date(momentS * 1000));
  output.value = text;
  slider.setAttribute("aria-valuetext", text);
}

/** Draws the moment; a call that comes while a block is on its way is drawn after it. */
async function draw(): Promise<void> {
  tellTime();
  if (drawing) {
    again = true;
    return;
  }
  drawing = true;
  try {
    do {
      again = false;
      const atS = momentS;
      const waiting = window.setTimeout(() => {
        result.textContent = fill(data.texts.loading, { time: times.format(new Date(atS * 1000)) });
      }, 300);
      try {
        const near = await blocks.around(atS);
        const begunMs = performance.now();
        drawMoment(near, atS);
        drawnMs = performance.now() - begunMs;
        blocks.prefetch(atS);
      } catch {
        stop();
        result.textContent = data.texts.failed;
      } finally {
        window.clearTimeout(waiting);
      }
    } while (again);
  } finally {
    drawing = false;
  }
}

function drawMoment(near: readonly Block[], atS: number): void {
  const choice = readChoice(new FormData(form));
  const iso = new Date(atS * 1000).toISOString();
  const alerted = new Set<string>();
  for (const alert of near.flatMap((block) => block.alerts)) {
    const open = alert.at <= iso && (alert.cleared === null || alert.cleared >= iso);
    if (open && alert.track !== null) alerted.add(alert.track);
  }
  const all = momentOf(near, atS);
  const there = all.filter(({ row }) => shows(choice, row, data.zones, alerted));
  sky.keepOnly(new Set(there.map(({ row }) => row.key)));
  const step = thinnedBy(there.length);
  for (const { row, legs } of there) {
    sky.show(row, false);
    sky.setTrail(row.key, trailOf(legs, step), String(row["match"]));
  }
  if (!playing || performance.now() - tableMs >= TABLE_EVERY_MS) list(there.map(({ row }) => row), all.length, atS);
  if (!fitted && there.length > 0) {
    fitted = true;
    sky.fit();
  }
}

function list(rows: readonly Parameters<SkyTables["show"]>[0][], all: number, atS: number): void {
  tableMs = performance.now();
  const keys = new Set(rows.map((row) => row.key));
  for (const key of listed) if (!keys.has(key)) tables.remove(key);
  for (const row of document.querySelectorAll<HTMLElement>('tbody[data-kind="track"] tr[data-key]')) {
    if (!keys.has(row.dataset["key"] ?? "")) row.remove();
  }
  rows.forEach((row) => tables.show(row));
  listed = keys;
  result.textContent = fill(data.texts.ready, { n: rows.length, all });
  byId("moment").textContent = dayFormat.format(new Date(atS * 1000));
}

let tickedMs = 0;
let drawnMs = 0;
function tick(): void {
  if (!playing) return;
  const nowMs = performance.now();
  const speed = Number(byId<HTMLSelectElement>("speed").value);
  // While a block is on its way time stands still: nothing is skipped unseen.
  if (!drawing) momentS = Math.min(untilS, momentS + ((nowMs - tickedMs) / 1000) * speed);
  tickedMs = nowMs;
  void draw();
  if (momentS >= untilS) stop();
  else window.setTimeout(tick, Math.max(STEP_MS, drawnMs / DRAWING_SHARE));
}

function stop(): void {
  playing = false;
  playButton.textContent = data.texts.play;
  playButton.setAttribute("aria-pressed", "false");
}

function play(): void {
  if (momentS >= untilS) momentS = fromS;
  playing = true;
  tickedMs = performance.now();
  playButton.textContent = data.texts.pause;
  playButton.setAttribute("aria-pressed", "true");
  tick();
}

function goTo(timeS: number): void {
  momentS = Math.min(Math.max(timeS, fromS), untilS);
  void draw();
}

/** The address of this very moment, with span and filter. */
function address(): string {
  const query = new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, String(v)]));
  for (const [key, value] of [...query]) if (value === "") query.delete(key);
  query.set("from", data.from);
  query.set("until", data.until);
  query.set("at", new Date(Math.round(momentS) * 1000).toISOString().replace(".000", ""));
  if (sky.followed !== null) query.set("track", sky.followed);
  return `${location.origin}${location.pathname}?${query}`;
}

async function share(): Promise<void> {
  history.replaceState(null, "", address());
  try {
    await navigator.clipboard.writeText(address());
    result.textContent = data.texts.copied;
  } catch {
    // Without a clipboard the address line has it.
    result.textContent = address();
  }
}

slider.min = String(Math.round(fromS));
slider.max = String(Math.round(untilS));
slider.addEventListener("input", () => goTo(Number(slider.value)));
playButton.addEventListener("click", () => (playing ? stop() : play()));
byId("share").addEventListener("click", () => void share());
form.addEventListener("input", () => void draw());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void draw();
});
for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-moment]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    goTo(Date.parse(link.dataset["moment"] ?? "") / 1000);
    byId("map").scrollIntoView({ block: "center" });
  });
}
byId("player").hidden = false;
void draw().then(() => {
  const track = new URLSearchParams(location.search).get("track");
  if (track !== null) {
    sky.choose(track);
    sky.follow(track);
  }
});
