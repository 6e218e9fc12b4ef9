/** What the pilot asks of the controller: two taps for one command, and what came of each. */

import { read, Refused, send } from "./api";
import { newKey } from "./keys";
import { byId, colon, element, fill } from "./page";

interface Outcome {
  readonly at: string;
  readonly what: string;
  readonly key: string;
  readonly state: string;
  readonly detail: string;
}

interface Notice {
  readonly at: string;
  readonly kind: string;
  readonly detail: string;
}

export interface FlightRecord {
  readonly asks: readonly Outcome[];
  readonly notices: readonly Notice[];
  readonly controller: boolean;
  readonly handed_over: string | null;
  readonly flying: boolean;
}

type Words = Readonly<Record<string, string>>;

export interface AskData {
  readonly asksUrl: string;
  readonly wishes: Words;
  readonly outcomes: Words;
  readonly notices: Words;
}

export type AskTexts = Readonly<
  Record<"again" | "controller" | "noController" | "unknown" | "notFlying" | "handedOver" | "noAsk" | "noNotice" | "failed", string>
>;

const LOOK_MS = 2000;
const WAITING_MS = 300;
/** A button that was tapped once forgets it after this. */
const ARMED_MS = 5000;

/** The commands' buttons and the flight's record, kept current; `alarm` sounds at news. */
export class Asks {
  private armed: HTMLButtonElement | null = null;
  private disarm = 0;
  private busy = false;
  private timer = 0;
  private known: ReadonlySet<string> | null = null;
  private readonly form = document.getElementById("asks") as HTMLFormElement | null;

  constructor(
    private readonly data: AskData,
    private readonly texts: AskTexts,
    private readonly at: (text: string) => string,
    private readonly alarm: () => void,
  ) {}

  start(): void {
    // Without scripts the form sends at once and the page comes again; here a tap asks first.
    this.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = event.submitter as HTMLButtonElement | null;
      if (button !== null) this.tapped(button);
    });
    void this.look();
  }

  private tapped(button: HTMLButtonElement): void {
    if (this.busy) return;
    if (this.armed === button) {
      void this.ask(button.value);
      return;
    }
    this.forget();
    this.armed = button;
    button.classList.add("armed");
    this.name(button, fill(this.texts.again, { what: this.data.wishes[button.value] ?? button.value }));
    this.disarm = window.setTimeout(() => this.forget(), ARMED_MS);
  }

  private name(button: HTMLButtonElement, text: string): void {
    const words = button.querySelector("strong");
    if (words !== null) words.textContent = text;
  }

  private forget(): void {
    window.clearTimeout(this.disarm);
    if (this.armed === null) return;
    this.armed.classList.remove("armed");
    this.name(this.armed, this.data.wishes[this.armed.value] ?? this.armed.value);
    this.armed = null;
  }

  private async ask(what: string): Promise<void> {
    this.busy = true;
    this.forget();
    try {
      this.show(await send<FlightRecord>(this.data.asksUrl, { what, key: newKey() }));
    } catch (error) {
      const why = error instanceof Refused ? error.message : String(error);
      byId("outcomes").prepend(element("li", { class: "failed" }, fill(this.texts.failed, { why })));
      this.alarm();
    } finally {
      this.busy = false;
    }
  }

  private async look(): Promise<void> {
    window.clearTimeout(this.timer);
    try {
      this.show(await read<FlightRecord>(this.data.asksUrl));
    } catch {
      this.controller(this.texts.unknown, false);
    }
    const waiting = document.querySelector("#outcomes .waiting") !== null;
    this.timer = window.setTimeout(() => void this.look(), waiting ? WAITING_MS : LOOK_MS);
  }

  private controller(text: string, well: boolean): void {
    const place = document.getElementById("controller");
    if (place === null) return;
    if (place.textContent !== text) place.textContent = text;
    place.className = well ? "" : "notice wrong";
  }

  private show(record: FlightRecord): void {
    if (!record.flying) this.controller(this.texts.notFlying, true);
    else this.controller(record.controller ? this.texts.controller : this.texts.noController, record.controller);
    this.showHandOver(record.handed_over);
    const off = record.handed_over !== null || !record.flying;
    for (const button of this.form?.querySelectorAll<HTMLButtonElement>("button.ask") ?? []) button.disabled = off;
    if (off) this.forget();
    const asks = record.asks.map((one) => {
      const words = `${colon()} ${this.data.outcomes[one.state] ?? one.state}`;
      const detail = one.detail === "" ? "" : `(${one.detail})`;
      return this.line(one.state, this.data.wishes[one.what] ?? one.what, one.at, words, detail);
    });
    this.fillList("outcomes", asks, this.texts.noAsk);
    const notices = record.notices.map((one) => this.line(one.kind, this.data.notices[one.kind] ?? one.kind, one.at, colon(), one.detail));
    this.fillList("notices", notices, this.texts.noNotice);
    this.sound(record);
  }

  private showHandOver(why: string | null): void {
    const place = byId("handed-over");
    place.hidden = why === null;
    const text = why === null ? "" : fill(this.texts.handedOver, { why });
    if (place.textContent !== text) place.textContent = text;
  }

  private line(kind: string, name: string, at: string, words: string, detail: string): HTMLElement {
    const made = element("li", { class: kind.replace(" ", "-") }, element("strong", {}, name), ` ${this.at(at)}${words}`);
    if (detail !== "") made.append(` ${detail}`);
    return made;
  }

  private fillList(id: string, lines: readonly HTMLElement[], none: string): void {
    const place = document.getElementById(id);
    if (place === null) return;
    const made = lines.length > 0 ? lines : [element("li", { class: "faint" }, none)];
    // A list that says the same is left alone: it would be read aloud again.
    if (made.map((one) => one.textContent).join("\n") === [...place.children].map((one) => one.textContent).join("\n")) return;
    place.replaceChildren(...made);
  }

  /** New notices and wishes that came to nothing sound; what was there when the page opened not. */
  private sound(record: FlightRecord): void {
    const bad = record.asks.filter((one) => ["unheard", "refused", "failed", "overruled"].includes(one.state));
    const loud = record.notices.filter((one) => one.kind !== "ended");
    const now = new Set([...bad.map((one) => `${one.at}${one.what}${one.state}`), ...loud.map((one) => `${one.at}${one.detail}`)]);
    const known = this.known;
    if (known !== null && [...now].some((one) => !known.has(one))) this.alarm();
    this.known = now;
  }
}
