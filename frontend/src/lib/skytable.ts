/** The tables beside a map of the sky, kept current row by row. */

import { decimal } from "./decimal";
import { duration } from "./duration";
import type { LiveObject } from "./feed";
import { element } from "./page";

/** A column of a table: which value, and how it is written; `link` is completed with the id. */
export interface Column {
  readonly name: string;
  readonly title: string;
  readonly format?: "time" | "word" | "class" | "moment" | "span" | "degrees";
  readonly unit?: string;
  readonly digits?: number;
  readonly link?: string;
}

export interface TableWords {
  readonly words: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, string>>;
  readonly timeZone: string;
  readonly historyPage: string;
  readonly texts: { readonly replay: string; readonly show: string };
}

/** A clock in the page's language and the installation's time zone. */
export function clock(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone,
    timeStyle: "medium",
    hourCycle: "h23",
  });
}

/** A value as a person reads it; every word comes translated from the server. */
export function written(value: unknown, column: Column, words: TableWords, at: Intl.DateTimeFormat): string {
  if (value === null || value === undefined) return "–";
  if (column.format === "time") return at.format(new Date(String(value)));
  if (column.format === "span" && typeof value === "number") return duration(value);
  if (column.format === "word" || column.format === "class") return words.words[String(value)] ?? String(value);
  // A place keeps its points, as everywhere: it is copied into other programs.
  if (column.format === "degrees" && typeof value === "number") return value.toFixed(column.digits ?? 0);
  if (typeof value === "number") return `${decimal(value, column.digits ?? 0)}${column.unit ?? ""}`;
  return String(value);
}

/** Writes rows into the page's tables. */
export class SkyTables {
  private readonly at: Intl.DateTimeFormat;

  constructor(
    private readonly columns: Readonly<Record<string, readonly Column[]>>,
    private readonly words: TableWords,
  ) {
    this.at = clock(words.timeZone);
  }

  show(row: LiveObject): void {
    const body = document.querySelector<HTMLTableSectionElement>(`tbody[data-kind="${row.kind}"]`);
    const columns = this.columns[row.kind];
    if (body === null || columns === undefined) return;
    const cells = columns.map((column, i) => this.cell(row, column, i === 0));
    const made = element("tr", { "data-key": row.key }, ...cells);
    const old = body.querySelector(`[data-key="${CSS.escape(row.key)}"]`);
    if (old === null) body.append(made);
    // A row that holds the focus stays: a screen reader would lose its place.
    else if (!old.contains(document.activeElement)) old.replaceWith(made);
  }

  remove(key: string): void {
    document.querySelector(`tr[data-key="${CSS.escape(key)}"]`)?.remove();
  }

  private cell(row: LiveObject, column: Column, first: boolean): HTMLElement {
    const content = this.content(row, column);
    if (first && row["replay"] === true) {
      content.push(" ", element("span", { class: "badge care" }, this.words.texts.replay));
    }
    return element(first ? "th" : "td", first ? { scope: "row" } : {}, ...content);
  }

  private content(row: LiveObject, column: Column): (Node | string)[] {
    const value = row[column.name];
    if (column.format === "moment" && typeof value === "string") {
      const track = typeof row["track"] === "string" ? `&track=${encodeURIComponent(row["track"])}` : "";
      const href = `${this.words.historyPage}?at=${encodeURIComponent(value)}${track}`;
      return [element("a", { href }, this.words.texts.show)];
    }
    const text = written(value, column, this.words, this.at);
    if (column.format === "class") {
      const code = String(value);
      const mark = element("span", { class: `mark ${code}`, "aria-hidden": "true" }, this.words.shapes[code] ?? "");
      return [mark, ` ${text}`];
    }
    return [column.link ? element("a", { href: column.link + String(row["id"]) }, text) : text];
  }
}
