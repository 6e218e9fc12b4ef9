/** Sends photos in chunks: hashed in a worker, resumed after a break, checked by the server.

    What counts as sent is what the server says is on its disk; the bar never runs ahead of it. */

import { Refused, SignedOut, put, read, send } from "./lib/api";
import { duration } from "./lib/duration";
import { decimal } from "./lib/decimal";
import { byId, element, fill, pageData } from "./lib/page";

interface Upload {
  readonly id: number;
  readonly name: string;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly received_bytes: number;
  readonly state: "open" | "done" | "refused";
}

interface UploadsData {
  readonly uploadsUrl: string;
  readonly chunkBytes: number;
  readonly texts: Readonly<Record<string, string>>;
}

const data = pageData<UploadsData>("uploads-data");
const FIRST_WAIT_S = 2;
const LONGEST_WAIT_S = 30;
/** How often it is asked whether the sender has signed in again. */
const SIGN_IN_WAIT_S = 3;
const MB = 1e6;

function text(name: string, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(data.texts[name] ?? name, values);
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, 1000 * seconds));
}

/** Whether the same request may be taken a little later. */
function isPassing(error: Refused): boolean {
  return error instanceof SignedOut || [429, 502, 503, 504].includes(error.status);
}

/** Says that the session has ended and what to do, or that it is back. */
function showSignedOut(lost: SignedOut | null): void {
  byId("signed-out").hidden = lost === null;
  byId("someone-else").hidden = !(lost?.someoneElse ?? false);
}

/** Hashes files one after the other in one worker. */
class Hasher {
  private readonly worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
  private count = 0;

  hash(file: File, progress: (fraction: number) => void): Promise<string> {
    const id = (this.count += 1);
    return new Promise((resolve, reject) => {
      const heard = (event: MessageEvent<{ id: number; fraction?: number; sha256?: string; error?: string }>): void => {
        if (event.data.id !== id) return;
        if (event.data.fraction !== undefined) progress(event.data.fraction);
        if (event.data.sha256 === undefined && event.data.error === undefined) return;
        this.worker.removeEventListener("message", heard);
        if (event.data.sha256 !== undefined) resolve(event.data.sha256);
        else reject(new Refused(0, event.data.error ?? ""));
      };
      this.worker.addEventListener("message", heard);
      this.worker.postMessage({ id, file });
    });
  }
}

/** One file: its line on the page and how far the server has it. */
class Sending {
  received = 0;
  /** Bytes that went over the line since the page was opened: what the pace is reckoned from. */
  sentNow = 0;
  state: "waiting" | "done" | "failed" = "waiting";
  readonly line: HTMLElement;
  private readonly words = element("span", { class: "faint" });
  private readonly bar = document.createElement("progress");

  constructor(
    readonly file: File,
    private readonly hasher: Hasher,
    private readonly changed: () => void,
  ) {
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", file.name);
    this.line = element("li", {}, element("span", {}, file.name), this.bar, this.words);
  }

  async run(): Promise<void> {
    try {
      const sha256 = await this.hasher.hash(this.file, (part) => {
        this.say(text("hashing", { percent: Math.round(100 * part) }));
      });
      const begun = await this.persistent(() =>
        send<Upload>(data.uploadsUrl, { name: this.file.name, size_bytes: this.file.size, sha256 }),
      );
      if (begun.state === "done") this.finish(text("again"));
      else await this.chunks(begun);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.state = "failed";
      this.line.classList.add("failed");
      this.say(text("failed", { why: error.message }));
      this.changed();
    }
  }

  private async chunks(begun: Upload): Promise<void> {
    let now = begun;
    this.take(now);
    while (now.state === "open") {
      const from = now.received_bytes;
      now = await this.persistent(() => this.chunk(begun.id, from));
      this.sentNow += Math.max(0, now.received_bytes - from);
      this.take(now);
    }
    this.finish(text("done"));
  }

  /** One chunk; where the server has more or less than we think, it says so and we follow. */
  private async chunk(id: number, from: number): Promise<Upload> {
    const bytes = this.file.slice(from, from + data.chunkBytes);
    try {
      return await put<Upload>(`${data.uploadsUrl}/${id}?offset=${from}`, bytes);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 409) throw error;
      const all = await read<{ items: Upload[] }>(data.uploadsUrl);
      const own = all.items.find((row) => row.id === id);
      if (own === undefined || (own.state === "open" && own.received_bytes === from)) throw error;
      return own;
    }
  }

  /** Tries until the server answers; only its own refusal ends it. */
  private async persistent<T>(action: () => Promise<T>): Promise<T> {
    for (let wait = FIRST_WAIT_S; ; wait = Math.min(2 * wait, LONGEST_WAIT_S)) {
      try {
        const answer = await action();
        showSignedOut(null);
        return answer;
      } catch (error) {
        showSignedOut(error instanceof SignedOut ? error : null);
        if (error instanceof SignedOut) {
          this.say(text("signedOut"));
          await sleep(SIGN_IN_WAIT_S);
          continue;
        }
        if (error instanceof Refused && !isPassing(error)) throw error;
        this.say(text("waiting", { s: wait }));
        await sleep(wait);
      }
    }
  }

  private take(upload: Upload): void {
    this.received = upload.received_bytes;
    const part = this.file.size > 0 ? this.received / this.file.size : 1;
    this.bar.value = part;
    this.say(text("sending", { percent: Math.floor(100 * part) }));
    this.changed();
  }

  private finish(words: string): void {
    this.received = this.file.size;
    this.state = "done";
    this.bar.value = 1;
    this.say(words);
    this.changed();
  }

  private say(words: string): void {
    this.words.textContent = words;
  }
}

/** Refused before the first byte when the server's disk cannot take them all; a line that is down
    now is no refusal: every file tries again by itself. */
async function askForRoom(bytes: number): Promise<void> {
  try {
    await send(`${data.uploadsUrl}/room`, { size_bytes: bytes });
  } catch (error) {
    if (error instanceof Refused && !isPassing(error)) throw error;
  }
}

/** All files of one choice, one after the other, with the time left at the pace so far. */
async function sendAll(files: readonly File[]): Promise<void> {
  const hasher = new Hasher();
  const startedMs = Date.now();
  const all = files.reduce((sum, file) => sum + file.size, 0);
  const changed = (): void => {
    const got = sendings.reduce((sum, row) => sum + row.received, 0);
    const sent = sendings.reduce((sum, row) => sum + row.sentNow, 0);
    const done = sendings.filter((row) => row.state === "done").length;
    const paceS = (Date.now() - startedMs) / 1000 / Math.max(sent, 1);
    const left = sent > 0 ? duration((all - got) * paceS) : "–";
    byId<HTMLProgressElement>("send-bar").value = all > 0 ? got / all : 1;
    byId("send-total").textContent = text("total", {
      done, count: files.length, mb: decimal(got / MB, 1), all: decimal(all / MB, 1), left,
    });
  };
  const sendings = files.map((file) => new Sending(file, hasher, changed));
  byId("sends").replaceChildren(...sendings.map((row) => row.line));
  byId("sending").hidden = false;
  changed();
  await askForRoom(Math.max(all, 1));
  for (const row of sendings) await row.run();
  const failed = sendings.filter((row) => row.state === "failed").length;
  const values = { count: files.length, done: files.length - failed, failed };
  const ended = failed > 0 ? "problems" : files.length === 1 ? "finishedOne" : "finished";
  byId("send-total").textContent = text(ended, values);
  byId("sending").dataset["ready"] = "yes";
  const build = document.getElementById("build-form");
  if (build !== null && values.done > 0) build.hidden = false;
}

/** The browser asks before it closes a page that still sends. */
function stay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

const form = byId<HTMLFormElement>("send-form");
form.addEventListener("submit", (event) => {
  const chosen = [...(byId<HTMLInputElement>("photos").files ?? [])];
  if (chosen.length === 0) return;
  event.preventDefault();
  const button = byId<HTMLButtonElement>("send-button");
  button.disabled = true;
  window.addEventListener("beforeunload", stay);
  sendAll(chosen)
    .catch((error: unknown) => {
      byId("send-total").textContent = text("failed", { why: error instanceof Error ? error.message : "" });
    })
    .finally(() => {
      window.removeEventListener("beforeunload", stay);
      button.disabled = false;
    });
});
