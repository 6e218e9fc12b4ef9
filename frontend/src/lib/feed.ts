/**
 * The server's live feed, once for all tabs of a browser.
 *
 * One tab leads: it holds a lock, listens to the event stream and hands every change to the others
 * through a broadcast channel.  When it closes, the browser gives the lock to the next one, which
 * goes on after the last change that it saw.  Where locks or channels are missing (an address
 * without TLS, an old browser) each tab listens for itself; where streams do not get through, the
 * tab that listens asks every two seconds instead.
 */

export interface LiveObject {
  readonly key: string;
  readonly kind: string;
  readonly [name: string]: unknown;
}

/** "ended": the session is over; the server says nothing more to this browser. */
export type Link = "stream" | "shared" | "polling" | "lost" | "ended";

export interface Listener {
  changed(set: readonly LiveObject[], gone: readonly string[]): void;
  link(state: Link): void;
}

interface Snapshot {
  readonly id: string;
  readonly set: readonly LiveObject[];
}

interface Change extends Snapshot {
  readonly gone: readonly string[];
}

type Word =
  | { readonly type: "hello" }
  | ({ readonly type: "whole" } & Snapshot)
  | ({ readonly type: "change" } & Change)
  | { readonly type: "link"; readonly state: Link };

export interface Source {
  readonly streamUrl: string;
  readonly stateUrl: string;
  /** Names the stream of one person; another one's tabs never share it. */
  readonly channel: string;
}

const FAILURES_BEFORE_POLLING = 3;
const POLL_PERIOD_MS = 2000;
const WATCH_PERIOD_MS = 5000;
/** A leader that has said nothing for so long is asked whether it is there. */
const QUIET_MS = 20_000;
/** A leader that does not answer a question for so long is not waited for. */
const PATIENCE_MS = 5000;

/** The number in an event's id, which ends in "-number"; NaN where it has none. */
export function eventNumber(id: string): number {
  return Number.parseInt(id.slice(id.lastIndexOf("-") + 1), 10);
}

/** Whether a change follows directly on the last one that was seen. */
export function follows(last: string, next: string): boolean {
  const epoch = (id: string): string => id.slice(0, id.lastIndexOf("-"));
  return epoch(last) === epoch(next) && eventNumber(next) === eventNumber(last) + 1;
}

/** Keeps every object of the feed by its key and tells the listener what changed. */
export class Feed {
  readonly objects = new Map<string, LiveObject>();
  private lastId = "";
  private failures = 0;
  private leads = false;
  private channel: BroadcastChannel | null = null;
  private source: EventSource | null = null;
  private release: (() => void) | null = null;
  private pollTimer = 0;
  private watchTimer = 0;
  private heardMs = Date.now();
  private askedMs = 0;

  constructor(
    private readonly from: Source,
    private readonly listener: Listener,
  ) {}

  start(): void {
    if (typeof BroadcastChannel === "undefined" || navigator.locks === undefined) {
      this.lead();
      return;
    }
    this.share();
    // A page that the browser keeps for the back button must not go on leading.
    window.addEventListener("pagehide", () => this.leave());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.share();
    });
  }

  private share(): void {
    const name = `droneteam-live-${this.from.channel}`;
    this.channel = new BroadcastChannel(name);
    this.channel.addEventListener("message", (event) => this.hear(event.data as Word));
    this.ask();
    this.watchTimer = window.setInterval(() => this.watch(), WATCH_PERIOD_MS);
    void navigator.locks.request(
      name,
      () =>
        new Promise<void>((resolve) => {
          this.release = resolve;
          if (this.channel === null) resolve();
          else if (!this.leads) this.lead();
        }),
    );
  }

  private leave(): void {
    window.clearInterval(this.watchTimer);
    window.clearTimeout(this.pollTimer);
    this.source?.close();
    this.source = null;
    this.channel?.close();
    this.channel = null;
    this.leads = false;
    this.release?.();
    this.release = null;
  }

  /** The session is over: what was shown is taken away, in every tab, and nobody asks again. */
  private end(): void {
    this.listener.link("ended");
    const gone = [...this.objects.keys()];
    this.objects.clear();
    this.lastId = "";
    this.listener.changed([], gone);
    this.leave();
  }

  private say(word: Word): void {
    this.channel?.postMessage(word);
  }

  private ask(): void {
    this.askedMs = Date.now();
    this.say({ type: "hello" });
  }

  /** A tab that does not lead makes sure that some other one does. */
  private watch(): void {
    if (this.leads) return;
    const now = Date.now();
    if (this.askedMs > this.heardMs && now - this.askedMs >= PATIENCE_MS) this.lead();
    else if (now - this.heardMs >= QUIET_MS) this.ask();
  }

  private hear(word: Word): void {
    if (word.type === "hello") {
      if (this.leads && this.lastId !== "") {
        this.say({ type: "whole", id: this.lastId, set: [...this.objects.values()] });
      }
      return;
    }
    this.heardMs = Date.now();
    if (word.type === "link" && word.state === "ended") {
      this.end();
      return;
    }
    if (this.leads) return;
    if (word.type === "link") {
      this.listener.link(word.state === "stream" ? "shared" : word.state);
    } else if (word.type === "whole") {
      this.whole(word);
      this.listener.link("shared");
    } else if (this.lastId !== "" && follows(this.lastId, word.id)) {
      this.apply(word);
    } else {
      this.ask();
    }
  }

  /** Listens to the server, for this tab and the others. */
  private lead(): void {
    this.leads = true;
    if (typeof EventSource === "undefined") {
      void this.poll();
      return;
    }
    const resume = this.lastId === "" ? "" : `?last=${encodeURIComponent(this.lastId)}`;
    const source = new EventSource(this.from.streamUrl + resume);
    this.source = source;
    source.addEventListener("open", () => {
      this.failures = 0;
      this.tell("stream");
    });
    source.addEventListener("snapshot", (event) => {
      const found = JSON.parse(event.data) as Snapshot;
      this.pass({ ...found, id: event.lastEventId });
    });
    source.addEventListener("change", (event) => {
      const change = { ...(JSON.parse(event.data) as Change), id: event.lastEventId };
      this.apply(change);
      this.say({ type: "change", ...change });
    });
    source.addEventListener("error", () => {
      // The browser reconnects by itself and sends the last event's id along.
      this.failures += 1;
      this.tell("lost");
      if (this.failures >= FAILURES_BEFORE_POLLING || source.readyState === EventSource.CLOSED) {
        source.close();
        void this.poll();
      }
    });
  }

  private tell(state: Link): void {
    this.listener.link(state);
    this.say({ type: "link", state });
  }

  private pass(found: Snapshot): void {
    this.whole(found);
    this.say({ type: "whole", ...found });
  }

  private whole(found: Snapshot): void {
    const there = new Set(found.set.map((row) => row.key));
    const gone = [...this.objects.keys()].filter((key) => !there.has(key));
    this.apply({ ...found, gone });
  }

  private apply(change: Change): void {
    this.lastId = change.id;
    // A change holds of each object only what is other than before.
    const rows = change.set.map((row) => ({ ...this.objects.get(row.key), ...row }));
    for (const row of rows) this.objects.set(row.key, row);
    for (const key of change.gone) this.objects.delete(key);
    this.listener.changed(rows, change.gone);
  }

  private async poll(): Promise<void> {
    try {
      const response = await fetch(this.from.stateUrl, { headers: { Accept: "application/json" } });
      if (response.status === 401 || response.status === 403) {
        this.say({ type: "link", state: "ended" });
        this.end();
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      this.pass((await response.json()) as Snapshot);
      this.tell("polling");
    } catch {
      this.tell("lost");
    }
    if (this.leads) this.pollTimer = window.setTimeout(() => void this.poll(), POLL_PERIOD_MS);
  }
}
