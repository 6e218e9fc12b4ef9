/** What the server would plan from a form, asked again after each pause in editing. */

import type { ChanceShape } from "./chances";
import { byId, element } from "./page";

type Pair = readonly [number, number];
type Fact = readonly [name: string, value: string];

export interface Volume {
  readonly role: string;
  readonly ring: readonly Pair[];
}

export interface Plan {
  readonly path: readonly Pair[];
  readonly photos: readonly Pair[];
  /** Four corners each, latitude and longitude in turn. */
  readonly footprints: readonly (readonly number[])[];
  readonly overlap: readonly (readonly [number, number, number])[];
  /** Latitude, longitude and the standard deviations in metres, horizontal and in height. */
  readonly accuracy: readonly (readonly [number, number, number, number])[];
  readonly gsdM: number;
  readonly volumes: readonly Volume[];
  readonly chances: readonly ChanceShape[];
  /** The probability map's parts: name, chance, size, there and found, searched. */
  readonly chanceRows: readonly (readonly string[])[];
  readonly facts: readonly Fact[];
  readonly findings: readonly {
    readonly severity: string;
    readonly name: string;
    readonly text: string;
    readonly clause: string;
    readonly title: string;
    readonly lang: string | null;
  }[];
}

interface Problems {
  readonly problems: Readonly<Record<string, string>>;
}

/** The language of a text that is not in the page's. */
function tongue(lang: string | null): Record<string, string> {
  return lang === null ? {} : { lang };
}

export interface PreviewTexts {
  readonly planning: string;
  readonly offline: string;
  readonly empty: string;
}

const PAUSE_MS = 250;

export class PlanPreview {
  private timer = 0;
  private asked: AbortController | null = null;
  private readonly state = byId("preview-state");

  constructor(
    private readonly url: string,
    private readonly form: HTMLFormElement,
    private readonly texts: PreviewTexts,
    private readonly show: (plan: Plan | null) => void,
  ) {}

  /** Asks soon; with too few places there is nothing to ask, and nothing stays drawn. */
  ask(enough: boolean): void {
    window.clearTimeout(this.timer);
    this.asked?.abort();
    if (!enough) {
      this.clear(this.texts.empty);
      return;
    }
    this.state.textContent = this.texts.planning;
    this.timer = window.setTimeout(() => void this.fetch(), PAUSE_MS);
  }

  private async fetch(): Promise<void> {
    this.asked = new AbortController();
    try {
      const response = await fetch(this.url, {
        method: "POST",
        body: new FormData(this.form),
        headers: { Accept: "application/json" },
        signal: this.asked.signal,
      });
      if (!response.ok) return this.clear(this.texts.offline);
      const answer = (await response.json()) as Plan | Problems;
      if ("problems" in answer) this.clear(Object.values(answer.problems).join(" "));
      else this.showPlan(answer);
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.clear(this.texts.offline);
    }
  }

  private showPlan(plan: Plan): void {
    this.state.textContent = "";
    byId("preview-facts").replaceChildren(
      ...plan.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );
    this.showChances(plan.chanceRows);
    byId("preview-findings").replaceChildren(
      ...plan.findings.map((one) =>
        element(
          "li",
          { class: `severity-${one.severity}` },
          element("strong", {}, one.name),
          one.title === "" ? ": " : ` · ${one.title}: `,
          element("span", tongue(one.lang), one.text),
          element("br"),
          element("span", { class: "faint", ...tongue(one.lang) }, one.clause),
        ),
      ),
    );
    this.show(plan);
  }

  private showChances(rows: Plan["chanceRows"]): void {
    byId("preview-chances").hidden = rows.length === 0;
    byId("preview-chance-rows").replaceChildren(
      ...rows.map(([name, ...cells]) =>
        element("tr", {}, element("th", { scope: "row" }, name ?? ""), ...cells.map((cell) => element("td", { class: "number" }, cell))),
      ),
    );
  }

  private clear(why: string): void {
    this.state.textContent = why;
    byId("preview-facts").replaceChildren();
    this.showChances([]);
    byId("preview-findings").replaceChildren();
    this.show(null);
  }
}
