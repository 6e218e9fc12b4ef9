/** Measuring between tapped points: the line is drawn here, the number and its interval are the server's. */

import { Refused, send } from "../api";
import { isClosed, sentence, takes, type Measured } from "../measure";
import { byId, fill } from "../page";
import { showProfile } from "../profile";

export type MeasureText =
  | "profile" | "first" | "next" | "enough" | "measured" | "asking" | "failed_measure" | "nameFirst" | "notMetric" | "tooFew";

export interface MeasureSetting {
  readonly measureUrl: string;
  readonly recordUrl: string | null;
  readonly metric: boolean;
  readonly texts: Readonly<Record<MeasureText, string>>;
}

/** A point of the cloud, in metres from its middle. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Where what was picked is shown. */
export interface Canvas<P extends Place> {
  show(picked: readonly P[], closed: boolean): void;
}

export class MeasureTool<P extends Place> {
  private readonly picked: P[] = [];
  private readonly result = byId("cloud-result");
  private readonly kind = byId<HTMLSelectElement>("cloud-kind");
  private readonly toggle = byId<HTMLButtonElement>("cloud-measure");
  private readonly keep = document.getElementById("cloud-keep") as HTMLFormElement | null;
  private readonly chart = byId("cloud-profile");
  private asked: object | null = null;
  on = false;

  constructor(
    private readonly canvas: Canvas<P>,
    private readonly setting: MeasureSetting,
  ) {
    this.toggle.addEventListener("click", () => this.start(!this.on));
    this.kind.addEventListener("change", () => {
      if (this.on) this.start(true);
    });
    byId("cloud-undo").addEventListener("click", () => this.takeBack());
    byId("cloud-done").addEventListener("click", () => this.finish());
    this.keep?.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.record();
    });
  }

  start(on: boolean): void {
    this.on = on;
    this.toggle.setAttribute("aria-pressed", String(on));
    this.picked.length = 0;
    this.asked = null;
    this.chart.hidden = true;
    if (this.keep !== null) this.keep.hidden = true;
    this.say(on ? this.setting.texts.first : "");
    this.show();
  }

  /** A tapped point; one more than the kind takes begins anew. */
  add(point: P): void {
    const [least, most] = takes(this.kind.value);
    if (this.picked.length >= most || this.asked !== null) this.start(true);
    this.picked.push(point);
    this.show();
    if (this.picked.length >= most) this.finish();
    else this.say(fill(this.setting.texts[this.picked.length < least ? "next" : "enough"], { n: this.picked.length }));
  }

  takeBack(): void {
    if (this.picked.pop() === undefined) return;
    this.asked = null;
    if (this.keep !== null) this.keep.hidden = true;
    this.say(this.picked.length === 0 ? this.setting.texts.first : fill(this.setting.texts.next, { n: this.picked.length }));
    this.show();
  }

  finish(): void {
    const [least] = takes(this.kind.value);
    if (!this.on) return;
    if (this.picked.length < least) this.say(fill(this.setting.texts.tooFew, { least, n: this.picked.length }));
    else if (!this.setting.metric) this.say(this.setting.texts.notMetric);
    else void this.measure();
  }

  private async measure(): Promise<void> {
    const places = this.picked.map((point) => [point.x, point.y, point.z]);
    const asked = { kind: this.kind.value, on: "cloud", places };
    this.asked = asked;
    this.say(this.setting.texts.asking);
    await this.attempt(async () => {
      const found = await send<Measured>(this.setting.measureUrl, asked);
      if (this.asked !== asked) return; // something else was asked meanwhile
      this.say(sentence(found, this.setting.texts.measured));
      showProfile(this.chart, found.series, this.setting.texts.profile);
      if (this.keep !== null) this.keep.hidden = this.setting.recordUrl === null;
    });
  }

  private async record(): Promise<void> {
    const name = byId<HTMLInputElement>("cloud-name").value.trim();
    const url = this.setting.recordUrl;
    if (name === "" || this.asked === null || url === null) {
      this.say(this.setting.texts.nameFirst);
      return;
    }
    await this.attempt(async () => {
      await send(url, { ...this.asked, name });
      location.hash = "measurements";
      location.reload();
    });
  }

  private async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      this.say(fill(this.setting.texts.failed_measure, { why: error.message }));
    }
  }

  private show(): void {
    this.canvas.show(this.picked, this.picked.length > 2 && isClosed(this.kind.value));
  }

  private say(words: string): void {
    this.result.textContent = words;
  }
}
