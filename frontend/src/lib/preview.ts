/** What the server would plan from a form, asked again after each pause in editing. */

import type { ChanceShape } from "./chances";
import { showFlight, type ProfilePoint } from "./profile";
import { byId, colon, element } from "./page";

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
  /** Empty over level ground. */
  readonly profile: readonly ProfilePoint[];
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
  readonly signIn: string;
  readonly busy: string;
  readonly profile: string;
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

  /** Asks soon; what stands against asking is said instead, and nothing stays drawn. */
  ask(problem = ""): void {
    window.clearTimeout(this.timer);
    this.asked?.abort();
    if (problem !== "") return this.clear(problem);
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
      if (!response.ok) return this.clear(this.refusal(response.status));
      const answer = (await response.json()) as Plan | Problems;
      if ("problems" in answer) this.clear(Object.entries(answer.problems).map(([name, text]) => this.told(name, text)).join(" "));
      else this.showPlan(answer);
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.clear(this.texts.offline);
    }
  }

  private refusal(status: number): string {
    if (status === 401 || status === 403) return this.texts.signIn;
    return status === 429 ? this.texts.busy : this.texts.offline;
  }

  /** A problem under the name that its field has on the page. */
  private told(field: string, text: string): string {
    const label = document.querySelector(`label[for="${CSS.escape(field)}"]`)?.firstChild?.textContent?.trim() ?? "";
    return label === "" ? text : `${label}${colon()} ${text}`;
  }

  private showPlan(plan: Plan): void {
    this.state.textContent = "";
    byId("preview-facts").replaceChildren(
      ...plan.facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );
    this.showChances(plan.chanceRows);
    showFlight(byId("preview-profile"), plan.profile, this.texts.profile);
    byId("preview-findings").replaceChildren(
      ...plan.findings.map((one) =>
        element(
          "li",
          { class: `severity-${one.severity}` },
          element("strong", {}, one.name),
          one.title === "" ? `${colon()} ` : ` · ${one.title}${colon()} `,
          element("span", tongue(one.lang), one.text),
          element("br"),
          element("span", { class: "faint", ...tongue(one.lang) }, one.clause),
        ),
      ),
    );
    this.show(plan);
  }

  private showChances(rows: Plan["chanceRows"]): void {
    const table = byId("preview-chances");
    table.hidden = rows.length === 0;
    const heads = [...table.querySelectorAll("thead th")].slice(1).map((one) => one.textContent ?? "");
    byId("preview-chance-rows").replaceChildren(
      ...rows.map(([name, ...cells]) =>
        element("tr", {}, element("th", { scope: "row" }, name ?? ""), ...cells.map((cell, i) => element("td", { class: "number", "data-label": heads[i] ?? "" }, cell))),
      ),
    );
  }

  private clear(why: string): void {
    this.state.textContent = why;
    byId("preview-facts").replaceChildren();
    this.showChances([]);
    showFlight(byId("preview-profile"), [], "");
    byId("preview-findings").replaceChildren();
    this.show(null);
  }
}
