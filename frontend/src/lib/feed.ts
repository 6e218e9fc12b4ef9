/** The server's live feed: an event stream, or polling where streams do not get through. */

export interface LiveObject {
  readonly key: string;
  readonly kind: string;
  readonly [name: string]: unknown;
}

export type Link = "stream" | "polling" | "lost";

interface Listener {
  changed(set: readonly LiveObject[], gone: readonly string[]): void;
  link(state: Link): void;
}

interface Snapshot {
  readonly set: readonly LiveObject[];
}

const FAILURES_BEFORE_POLLING = 3;
const POLL_PERIOD_MS = 2000;

/** Keeps every object of the feed by its key and tells the listener what changed. */
export class Feed {
  readonly objects = new Map<string, LiveObject>();
  private failures = 0;

  constructor(
    private readonly streamUrl: string,
    private readonly stateUrl: string,
    private readonly listener: Listener,
  ) {}

  start(): void {
    if (typeof EventSource === "undefined") {
      void this.poll();
      return;
    }
    const source = new EventSource(this.streamUrl);
    source.addEventListener("open", () => {
      this.failures = 0;
      this.listener.link("stream");
    });
    source.addEventListener("snapshot", (event) => this.whole(JSON.parse(event.data) as Snapshot));
    source.addEventListener("change", (event) => {
      const change = JSON.parse(event.data) as { set: LiveObject[]; gone: string[] };
      this.apply(change.set, change.gone);
    });
    source.addEventListener("error", () => {
      // The browser reconnects by itself and sends the last event's id along.
      this.failures += 1;
      this.listener.link("lost");
      if (this.failures >= FAILURES_BEFORE_POLLING || source.readyState === EventSource.CLOSED) {
        source.close();
        void this.poll();
      }
    });
  }

  private whole(snapshot: Snapshot): void {
    const there = new Set(snapshot.set.map((row) => row.key));
    this.apply(
      snapshot.set,
      [...this.objects.keys()].filter((key) => !there.has(key)),
    );
  }

  private apply(set: readonly LiveObject[], gone: readonly string[]): void {
    for (const row of set) this.objects.set(row.key, row);
    for (const key of gone) this.objects.delete(key);
    this.listener.changed(set, gone);
  }

  private async poll(): Promise<void> {
    try {
      const response = await fetch(this.stateUrl, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      this.whole((await response.json()) as Snapshot);
      this.listener.link("polling");
    } catch {
      this.listener.link("lost");
    }
    window.setTimeout(() => void this.poll(), POLL_PERIOD_MS);
  }
}
