/** Every page: live clocks, and the focus on what needs attention.  Pages work without it. */

import { duration } from "./lib/duration";
import { fill } from "./lib/page";

interface ClockTexts {
  readonly left: string;
  readonly late: string;
}

function tick(clocks: readonly HTMLElement[], texts: ClockTexts, skewMs: number): void {
  const now = Date.now() + skewMs;
  for (const clock of clocks) {
    const text = clock.querySelector<HTMLElement>("[data-clock-text]");
    const due = Date.parse(clock.dataset["due"] ?? "");
    if (text === null || Number.isNaN(due)) continue;
    const leftS = (due - now) / 1000;
    clock.classList.toggle("late", leftS < 0);
    text.textContent =
      leftS >= 0
        ? fill(texts.left, { left: duration(leftS) })
        : fill(texts.late, { late: duration(-leftS) });
  }
}

function startClocks(): void {
  const block = document.getElementById("clock-texts");
  const clocks = [
    ...document.querySelectorAll<HTMLElement>('[data-clock][data-state="running"]'),
    ...document.querySelectorAll<HTMLElement>('[data-clock][data-state="breached"]'),
  ];
  if (block === null || clocks.length === 0) return;
  const texts = JSON.parse(block.textContent ?? "") as ClockTexts & { readonly now: string };
  // The device's clock may be wrong; the server's time decides.
  const skewMs = Date.parse(texts.now) - Date.now();
  tick(clocks, texts, skewMs);
  window.setInterval(() => tick(clocks, texts, skewMs), 1000);
}

function preventDoubleSubmit(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    // What only asks may be asked again: after a download the page and its form are still here.
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset["sent"] === "yes") event.preventDefault();
    form.dataset["sent"] = "yes";
  });
  // A page that comes back from the browser's cache can be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset["sent"];
  });
}

/** The menu of administration closes by Escape, too. */
function closeByEscape(): void {
  const menu = document.querySelector<HTMLDetailsElement>("details[data-more]");
  if (menu === null) return;
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

interface Stage {
  readonly name: string;
  readonly fraction: number;
  readonly message: string;
  /** How long it took, of a scene's stage that is done. */
  readonly wall_s?: number | null;
}

const PROGRESS_PERIOD_MS = 1500;

/** Long work's bars move while it runs; when it ends the page is read again. */
function followProgress(): void {
  const list = document.querySelector<HTMLElement>("[data-progress]");
  const url = list?.dataset["progress"];
  if (list === null || list === undefined || url === undefined) return;
  const ask = async (): Promise<void> => {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const answer = (await response.json()) as { state: string; stages: Stage[]; left_s: number | null };
    for (const stage of answer.stages) {
      const row = list.querySelector(`[data-stage="${CSS.escape(stage.name)}"]`);
      const bar = row?.querySelector("progress");
      const text = row?.querySelector("[data-message]");
      if (bar) bar.value = stage.fraction;
      if (text) text.textContent = stage.wall_s === undefined || stage.wall_s === null ? stage.message : duration(stage.wall_s);
    }
    const left = list.querySelector<HTMLElement>("[data-left]");
    if (left !== null && answer.left_s !== null) {
      left.textContent = fill(left.dataset["left"] ?? "", { left: duration(answer.left_s) });
    }
    // Reading the page again would throw away what somebody is typing: then the page waits.
    if (answer.state !== "queued" && answer.state !== "running" && !somethingTyped()) location.reload();
  };
  window.setInterval(() => void ask().catch(() => undefined), PROGRESS_PERIOD_MS);
}

/** Whether a field of the page holds something else than the server wrote into it. */
function somethingTyped(): boolean {
  const fields = document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("main input[name], main textarea");
  return [...fields].some((field) => field.type !== "hidden" && field.value !== field.defaultValue);
}

/** Packs of missions are for whoever is signed in: they go when that ends; what waits stays. */
function forgetPacksAtSignOut(): void {
  const form = document.querySelector<HTMLFormElement>("form[action='/sign-out']");
  form?.addEventListener("submit", () => {
    for (const name of Object.keys(localStorage)) if (name.startsWith("kept:")) localStorage.removeItem(name);
    if (!("caches" in window)) return;
    void caches.keys().then((names) => names.filter((name) => name.startsWith("pack-")).map((name) => caches.delete(name)));
  });
}

const RECORD_PERIOD_MS = 10_000;

/**
 * A record that somebody else may change while it is read: a request that is planned or displaced.
 * The page is read again then; where something is being typed it says so instead.
 */
function followRecord(): void {
  const notice = document.querySelector<HTMLElement>("[data-follow]");
  const url = notice?.dataset["follow"];
  if (notice === null || url === undefined) return;
  let known: string | null = null;
  const ask = async (): Promise<void> => {
    if (document.hidden) return;
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const record = (await response.json()) as Readonly<Record<string, unknown>>;
    const now = JSON.stringify([record["state"], record["assignment"]]);
    if (known !== null && now !== known) {
      // A page that answers a form that was not accepted would send that form again.
      const answersForm = location.pathname !== notice.querySelector("a")?.pathname;
      if (isTyping() || answersForm) notice.hidden = false;
      else location.reload();
    }
    known = now;
  };
  const again = (): void => void ask().catch(() => undefined);
  again();
  window.setInterval(again, RECORD_PERIOD_MS);
  document.addEventListener("visibilitychange", again);
}

/** Whether a field on the page holds something else than the server wrote into it. */
function isTyping(): boolean {
  const fields = document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>("main input, main textarea");
  return [...fields].some((one) =>
    one instanceof HTMLInputElement && one.type === "file" ? (one.files?.length ?? 0) > 0 : one.value !== one.defaultValue,
  );
}

startClocks();
followProgress();
followRecord();
forgetPacksAtSignOut();
preventDoubleSubmit();
closeByEscape();
document.querySelector<HTMLElement>("[role=alert][tabindex]")?.focus();
