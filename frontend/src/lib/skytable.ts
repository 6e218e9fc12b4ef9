/** The tables beside a map of the sky, kept current row by row. */

import { decimal, fixed } from "./decimal";
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
  if (column.format === "degrees" && typeof value === "number") return fixed(value, column.digits ?? 0);
  if (typeof value === "number") return `${decimal(value, column.digits ?? 0)}${column.unit ?? ""}`;
  return String(value);
}

/** A row of the page and what each of its cells says. */
interface Shown {
  readonly row: HTMLTableRowElement;
  readonly said: string[];
}

/** Writes rows into the page's tables; what says the same as before is not touched. */
export class SkyTables {
  private readonly at: Intl.DateTimeFormat;
  private readonly shown = new Map<string, Shown>();
  private readonly bodies = new Map<string, HTMLTableSectionElement | null>();

  constructor(
    private readonly columns: Readonly<Record<string, readonly Column[]>>,
    private readonly words: TableWords,
  ) {
    this.at = clock(words.timeZone);
  }

  show(row: LiveObject): void {
    const columns = this.columns[row.kind];
    const body = this.body(row.kind);
    if (body === null || columns === undefined) return;
    const there = this.shown.get(row.key);
    if (there === undefined) this.add(body, row, columns);
    else columns.forEach((column, i) => this.change(there, row, column, i));
  }

  remove(key: string): void {
    (this.shown.get(key)?.row ?? document.querySelector(`tr[data-key="${CSS.escape(key)}"]`))?.remove();
    this.shown.delete(key);
  }

  private body(kind: string): HTMLTableSectionElement | null {
    const known = this.bodies.get(kind);
    if (known !== undefined) return known;
    const found = document.querySelector<HTMLTableSectionElement>(`tbody[data-kind="${kind}"]`);
    this.bodies.set(kind, found);
    return found;
  }

  /** A row of its own, in the place of the one that came with the page. */
  private add(body: HTMLTableSectionElement, row: LiveObject, columns: readonly Column[]): void {
    const cells = columns.map((column, i) =>
      element(i === 0 ? "th" : "td", i === 0 ? { scope: "row" } : { "data-label": column.title }, ...this.content(row, column, i === 0)),
    );
    const made = element("tr", { "data-key": row.key }, ...cells) as HTMLTableRowElement;
    this.shown.set(row.key, { row: made, said: columns.map((column, i) => this.sign(row, column, i === 0)) });
    const old = body.querySelector(`[data-key="${CSS.escape(row.key)}"]`);
    if (old === null) body.append(made);
    else old.replaceWith(made);
  }

  private change({ row: made, said }: Shown, row: LiveObject, column: Column, index: number): void {
    const sign = this.sign(row, column, index === 0);
    const cell = made.cells[index];
    // A cell that holds the focus stays: a screen reader would lose its place.
    if (said[index] === sign || cell === undefined || cell.contains(document.activeElement)) return;
    said[index] = sign;
    const only = cell.childNodes.length === 1 ? cell.firstChild : null;
    const content = this.content(row, column, index === 0);
    if (only instanceof Text && content.length === 1 && typeof content[0] === "string") only.data = content[0];
    else cell.replaceChildren(...content);
  }

  /** What a cell would say, and where it would lead; equal for equal contents. */
  private sign(row: LiveObject, column: Column, first: boolean): string {
    const value = row[column.name];
    const parts = [column.format === "moment" ? String(value) : written(value, column, this.words, this.at)];
    if (column.format === "class") parts.push(String(value));
    if (column.format === "moment") parts.push(String(row["track"]));
    if (first) parts.push(String(row["replay"] === true));
    return parts.join("\u0000");
  }

  private content(row: LiveObject, column: Column, first: boolean): (Node | string)[] {
    const content = this.inner(row, column);
    if (first && row["replay"] === true) {
      content.push(" ", element("span", { class: "badge care" }, this.words.texts.replay));
    }
    return content;
  }

  private inner(row: LiveObject, column: Column): (Node | string)[] {
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
