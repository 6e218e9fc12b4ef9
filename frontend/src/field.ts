/** The crew's page: kept on the device for places without network; what is written waits there. */

import { element, byId, fill, pageData } from "./lib/page";
import { Waiting, type Entry } from "./lib/waiting";

interface Kept extends Entry {
  readonly by: string;
  readonly user_id: number | null;
  readonly behind: boolean;
}

interface Log {
  readonly entries: readonly Kept[];
  readonly current: readonly Kept[];
  readonly differences: readonly { readonly kind: Entry["kind"]; readonly item: string; readonly holds: Kept; readonly other: Kept }[];
}

interface FieldData {
  readonly mission: number;
  readonly user: number;
  readonly timeZone: string;
  readonly mayWrite: boolean;
  readonly log: Log;
  readonly logUrl: string;
  readonly sendUrl: string;
  readonly worker: string;
  readonly pack: readonly string[];
  readonly words: Readonly<Record<string, string>>;
  readonly texts: Readonly<
    Record<
      | "kept" | "keeping" | "notKept" | "sent" | "waiting" | "signIn" | "refused" | "waits" | "behind"
      | "difference" | "mine" | "theirs" | "takenBack" | "fill",
      string
    >
  >;
}

const RETRY_MS = 15_000;
const BATCH = 200;

const data = pageData<FieldData>("field-data");
const waiting = new Waiting(localStorage, data.user, data.mission);
const language = document.documentElement.lang;
const shortTime = (iso: string): string =>
  new Date(iso).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", timeZone: data.timeZone });
const word = (code: string): string => data.words[code] ?? code;

const LOG_KEY = `log:${data.user}:${data.mission}`;
let log = lastLog();
let sending = false;

/** What the server said last: a page from the device may be older than what it has sent since. */
function lastLog(): Log {
  const kept = localStorage.getItem(LOG_KEY);
  const known = kept === null ? data.log : (JSON.parse(kept) as Log);
  return known.entries.length > data.log.entries.length ? known : data.log;
}

function heard(said: Log): void {
  log = said;
  localStorage.setItem(LOG_KEY, JSON.stringify(said));
}

function say(id: string, text: string, tone: "" | "done" | "wrong" | "care" = ""): void {
  const line = byId(id);
  line.hidden = text === "";
  line.className = `notice ${tone}`.trim();
  line.textContent = text;
}

/** What counts for an item as this device knows it: its own waiting entries come last. */
function heads(): Map<string, Entry & { readonly by?: string }> {
  const found = new Map<string, Entry & { readonly by?: string }>();
  for (const one of [...log.current, ...waiting.all()]) {
    if (one.item !== "") found.set(`${one.kind}:${one.item}`, one);
  }
  return found;
}

function write(entry: Omit<Entry, "key" | "at" | "base">, base?: string): void {
  const known = heads().get(`${entry.kind}:${entry.item}`)?.key ?? "";
  waiting.add({ ...entry, key: crypto.randomUUID(), at: new Date().toISOString(), base: base ?? known });
  show();
  void sync();
}

function said(entry: Entry): string {
  if (entry.kind === "time") return entry.value === "" ? data.texts.takenBack : shortTime(entry.value);
  return entry.kind === "check" ? word(entry.value) : entry.value;
}

function showItems(): void {
  const held = heads();
  for (const row of document.querySelectorAll<HTMLElement>("[data-item]")) {
    const one = held.get(row.dataset["item"] ?? "");
    const by = row.querySelector<HTMLElement>("[data-by]");
    if (by !== null && one !== undefined) by.textContent = `${one.by ?? data.texts.waits}, ${shortTime(one.at)}`;
    const mark = row.querySelector("[data-mark]");
    if (mark !== null) mark.textContent = one?.value === "yes" ? "☑" : "☐";
    const value = row.querySelector("[data-value]");
    if (value !== null) value.textContent = one === undefined || one.value === "" ? "–" : shortTime(one.value);
    showButton(row, one);
  }
}

function showButton(row: HTMLElement, one: Entry | undefined): void {
  const button = row.querySelector("button");
  const form = row.querySelector("form");
  if (button === null || form === null) return;
  const isCheck = row.dataset["item"]?.startsWith("check:") ?? false;
  const isSet = isCheck ? one?.value === "yes" : (one?.value ?? "") !== "";
  const [set, unset] = isCheck ? ["no", "yes"] : ["", "now"];
  (form.elements.namedItem("value") as HTMLInputElement).value = isSet ? set : unset;
  button.textContent = (isSet ? form.dataset["back"] : form.dataset["forth"]) ?? button.textContent;
  if (isCheck) button.setAttribute("aria-pressed", String(isSet));
}

function showLog(): void {
  const rows = log.entries.map((one) => ({ ...one, state: one.behind ? data.texts.behind : "" }));
  const mine = waiting.all().map((one) => ({ ...one, by: "", state: data.texts.waits }));
  byId("log-rows").replaceChildren(
    ...[...rows, ...mine].map((one) =>
      element(
        "tr",
        {},
        ...[shortTime(one.at), one.by, word(one.item === "" ? one.kind : one.item), said(one), one.state].map((text) =>
          element("td", {}, text),
        ),
      ),
    ),
  );
}

/** Two people wrote different things: whoever was second is shown both and decides. */
function showDifferences(): void {
  for (const line of document.querySelectorAll("[data-difference]")) line.remove();
  const lines = log.differences
    .filter((one) => !waiting.all().some((entry) => entry.kind === one.kind && entry.item === one.item))
    .map((one) => {
      const values = { item: word(one.item), by: one.holds.by, holds: said(one.holds), other: said(one.other) };
      const line = element("div", { class: "notice care" }, element("p", {}, fill(data.texts.difference, values)));
      const choose = (text: string, chosen: Kept): HTMLElement => {
        const button = element("button", { type: "button" }, fill(text, { value: said(chosen) }));
        button.addEventListener("click", () => write({ kind: one.kind, item: one.item, value: chosen.value }, one.holds.key));
        return button;
      };
      if (data.mayWrite) {
        line.append(element("p", { class: "row" }, choose(data.texts.mine, one.other), choose(data.texts.theirs, one.holds)));
      }
      return line;
    });
  byId("differences").replaceChildren(...lines);
}

function show(): void {
  showItems();
  showLog();
  showDifferences();
  const left = waiting.all().length;
  if (left > 0) say("send-state", fill(data.texts.waiting, { n: left }), "care");
}

async function send(entries: readonly Entry[], token: string): Promise<string> {
  const response = await fetch(data.sendUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ entries }),
  });
  if (response.ok) {
    heard((await response.json()) as Log);
    waiting.remove(entries.map((one) => one.key));
    return "";
  }
  const { detail } = (await response.json()) as { detail?: string };
  return detail ?? response.statusText;
}

/** Sends what waits; again and again is harmless, because a key counts once. */
async function sync(): Promise<void> {
  if (sending) return;
  sending = true;
  try {
    const response = await fetch(data.logUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (response.status === 401) {
      say("send-state", data.texts.signIn, "care");
      return;
    }
    const known = (await response.json()) as { log: Log; csrf: string; user: number };
    if (known.user !== data.user) {
      say("send-state", data.texts.signIn, "care");
      return;
    }
    heard(known.log);
    const problem = await sendAll(known.csrf);
    show();
    if (problem !== "") say("send-state", fill(data.texts.refused, { why: problem }), "wrong");
    else if (waiting.all().length === 0) say("send-state", data.texts.sent, "done");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    show(); // no network: what waits is said, and tried again
  } finally {
    sending = false;
  }
}

/** In the order in which they were written; what is refused by itself does not hold up the others. */
async function sendAll(token: string): Promise<string> {
  let problem = "";
  const left = waiting.all();
  for (let from = 0; from < left.length; from += BATCH) {
    const batch = left.slice(from, from + BATCH);
    if ((await send(batch, token)) === "") continue;
    for (const one of batch) problem = (await send([one], token)) || problem;
  }
  return problem;
}

/** Everything that the page has loaded, so that it opens again without network. */
function loaded(): string[] {
  return performance
    .getEntriesByType("resource")
    .map((entry) => new URL(entry.name))
    .filter((url) => url.origin === location.origin && url.pathname.startsWith("/static/"))
    .map((url) => url.pathname + url.search);
}

function told(worker: ServiceWorker, urls: readonly string[]): Promise<{ count?: number; problem?: string }> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => resolve(event.data as { count?: number; problem?: string });
    worker.postMessage({ type: "keep", name: `${data.user}-${data.mission}`, urls }, [channel.port2]);
  });
}

async function keepPack(): Promise<void> {
  if (!("serviceWorker" in navigator)) {
    say("pack-state", data.texts.notKept, "care");
    return;
  }
  await navigator.serviceWorker.register(data.worker);
  const registration = await navigator.serviceWorker.ready;
  if (!navigator.onLine || registration.active === null) return;
  say("pack-state", data.texts.keeping);
  const answer = await told(registration.active, [...data.pack, ...loaded()]);
  if (answer.problem !== undefined) return say("pack-state", data.texts.notKept, "care");
  const time = shortTime(new Date().toISOString());
  localStorage.setItem(`pack:${data.user}:${data.mission}`, time);
  say("pack-state", fill(data.texts.kept, { time }), "done");
}

function sayKeptBefore(): void {
  const time = localStorage.getItem(`pack:${data.user}:${data.mission}`);
  if (time !== null) say("pack-state", fill(data.texts.kept, { time }), "done");
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target as HTMLFormElement;
    if (form.dataset["entry"] === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement;
    const kind = field("kind").value as Entry["kind"];
    const text = field("value").value.trim();
    if (text === "" && (kind === "defect" || kind === "note")) {
      field("value").focus();
      say("send-state", data.texts.fill, "wrong");
      return;
    }
    write({ kind, item: field("item").value, value: kind === "time" && text === "now" ? new Date().toISOString() : text });
    if (field("value").tagName === "TEXTAREA") field("value").value = "";
  },
  true,
);

sayKeptBefore();
show();
window.addEventListener("online", () => void sync());
window.setInterval(() => void sync(), RETRY_MS);
void sync();
window.addEventListener("load", () => void keepPack());
if (document.readyState === "complete") void keepPack();
