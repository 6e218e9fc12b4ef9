/** The crew's page: kept on the device for places without network; what is written waits there. */

import { newKey } from "./lib/keys";
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
  readonly signInUrl: string;
  readonly worker: string;
  readonly pack: readonly string[];
  readonly files: readonly string[];
  readonly words: Readonly<Record<string, string>>;
  readonly texts: Readonly<
    Record<
      | "kept" | "keeping" | "notKept" | "sent" | "waiting" | "waitingOne" | "signIn" | "refused" | "waits" | "behind"
      | "difference" | "mine" | "theirs" | "takenBack" | "fill" | "noRoom" | "signInLink" | "missing" | "away" | "awayText",
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

const KEPT_KEY = `kept:${data.user}:${data.mission}`;
const LOG_KEY = `log:${data.user}:${data.mission}`;
let log = lastLog();
let sending = false;

/** What answers is not our server: nothing at all, a sign-in page of the network, a proxy's error. */
class NoServer extends Error {}

/** What the server said last: a page from the device may be older than what it has sent since. */
function lastLog(): Log {
  const kept = localStorage.getItem(LOG_KEY);
  const known = kept === null ? data.log : (JSON.parse(kept) as Log);
  return known.entries.length > data.log.entries.length ? known : data.log;
}

function heard(said: Log): void {
  log = said;
  try {
    localStorage.setItem(LOG_KEY, JSON.stringify(said));
  } catch (error) {
    console.warn("the log is not kept on this device:", error); // what waits is, each by itself
  }
}

function say(id: string, text: string, tone: "" | "done" | "wrong" | "care" = "", ...more: Node[]): void {
  const line = byId(id);
  line.hidden = text === "";
  line.className = `notice ${tone}`.trim();
  const whole = text + more.map((one) => one.textContent).join("");
  if (line.textContent !== whole) line.replaceChildren(text, ...more); // a link that holds the focus stays
}

/** What counts for an item as this device knows it: its own waiting entries come last. */
function heads(): Map<string, Entry & { readonly by?: string }> {
  const found = new Map<string, Entry & { readonly by?: string }>();
  for (const one of [...log.current, ...waiting.all()]) {
    if (one.item !== "") found.set(`${one.kind}:${one.item}`, one);
  }
  return found;
}

/** Whether it is kept now; what the device has no room for stays where it was typed. */
function write(entry: Omit<Entry, "key" | "at" | "base">, base?: string): boolean {
  const known = heads().get(`${entry.kind}:${entry.item}`)?.key ?? "";
  try {
    waiting.add({ ...entry, key: newKey(), at: new Date().toISOString(), base: base ?? known });
  } catch (error) {
    say("send-state", fill(data.texts.noRoom, { why: String(error) }), "wrong");
    return false;
  }
  show();
  void sync();
  return true;
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
        element("td", {}, shortTime(one.at)),
        element("td", {}, one.by),
        element("td", { class: "wide" }, word(one.item === "" ? one.kind : one.item)),
        element("td", {}, element("strong", {}, said(one))),
        element("td", {}, one.state),
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
  if (left > 0) say("send-state", fill(left === 1 ? data.texts.waitingOne : data.texts.waiting, { n: left }), "care");
}

async function send(entries: readonly Entry[], token: string): Promise<string> {
  const response = await fetch(data.sendUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ entries }),
  });
  if (response.ok) {
    heard((await ours(response).json()) as Log);
    waiting.remove(entries.map((one) => one.key));
    return "";
  }
  const { detail } = (await ours(response).json()) as { detail?: string };
  return detail ?? response.statusText;
}

/** The answer, if it is our server's: those are JSON, and the network's own pages are not. */
function ours(response: Response): Response {
  if (!(response.headers.get("Content-Type") ?? "").includes("json")) throw new NoServer(response.statusText);
  return response;
}

function saySignIn(): void {
  const link = element("a", { href: data.signInUrl }, data.texts.signInLink);
  say("send-state", `${data.texts.signIn} `, "care", link);
}

/** Sends what waits; again and again is harmless, because a key counts once. */
async function sync(): Promise<void> {
  if (sending) return;
  sending = true;
  try {
    const response = await fetch(data.logUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (response.status === 401) return saySignIn();
    if (!ours(response).ok) throw new NoServer(response.statusText);
    const known = (await response.json()) as { log: Log; csrf: string; user: number };
    if (known.user !== data.user) return saySignIn();
    heard(known.log);
    const problem = await sendAll(known.csrf);
    show();
    if (problem !== "") say("send-state", fill(data.texts.refused, { why: problem }), "wrong");
    else if (waiting.all().length === 0) say("send-state", data.texts.sent, "done");
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof NoServer)) throw error;
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

interface Answer {
  readonly missing?: readonly string[];
  readonly problem?: string;
}

function told(worker: ServiceWorker, urls: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => resolve(event.data as Answer);
    const { away: title, awayText: text } = data.texts;
    const link = document.querySelector("h1")?.textContent?.trim() ?? "";
    const away = { lang: document.documentElement.lang, title, text, link, url: location.pathname };
    const pack = { type: "keep", name: `${data.user}-${data.mission}`, urls, files: data.files, away };
    worker.postMessage(pack, [channel.port2]);
  });
}

async function keepPack(): Promise<void> {
  if (!("serviceWorker" in navigator)) return say("pack-state", data.texts.notKept, "care");
  try {
    await navigator.serviceWorker.register(data.worker);
  } catch (error) {
    if (!navigator.onLine) return; // kept before, or not at all: the page says which
    console.warn("no service worker:", error); // a certificate that the browser does not trust
    return say("pack-state", data.texts.notKept, "care");
  }
  const registration = await navigator.serviceWorker.ready;
  if (!navigator.onLine || registration.active === null) return;
  say("pack-state", data.texts.keeping);
  const answer = await told(registration.active, [...data.pack, ...loaded()]);
  if (answer.problem === undefined) localStorage.setItem(KEPT_KEY, new Date().toISOString());
  else console.warn("the pack was not kept anew:", answer.problem); // an older copy still opens
  if (!sayKept(answer.missing)) say("pack-state", data.texts.notKept, "care");
}

/** Whether there is a copy; says of which moment, and which files the server does not give. */
function sayKept(missing: readonly string[] = []): boolean {
  const iso = localStorage.getItem(KEPT_KEY);
  if (iso === null) return false;
  const today = new Date().toDateString() === new Date(iso).toDateString();
  const day = new Date(iso).toLocaleDateString(language, { day: "numeric", month: "short", timeZone: data.timeZone });
  const kept = fill(data.texts.kept, { time: today ? shortTime(iso) : `${shortTime(iso)} (${day})` });
  const names = missing.map((url) => url.slice(url.lastIndexOf("/") + 1)).join(", ");
  say("pack-state", names === "" ? kept : `${kept} ${fill(data.texts.missing, { names })}`, "done");
  return true;
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
    const value = kind === "time" && text === "now" ? new Date().toISOString() : text;
    const kept = write({ kind, item: field("item").value, value });
    if (kept && field("value").tagName === "TEXTAREA") field("value").value = "";
  },
  true,
);

sayKept();
show();
window.addEventListener("online", () => void sync());
window.setInterval(() => void sync(), RETRY_MS);
void sync();
window.addEventListener("load", () => void keepPack());
if (document.readyState === "complete") void keepPack();
