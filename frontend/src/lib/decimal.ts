/** Numbers as people of the page's language write them. */

const COMMA: readonly string[] = ["fr", "nl"];

/** A number with a fixed count of decimals as the server writes it (droneteam/web/timefmt.py: decimal); a dash for none. */
export function decimal(value: number | null | undefined, digits: number, language = pageLanguage()): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const text = fixed(value, digits);
  return COMMA.includes(language) ? text.replace(".", ",") : text;
}

function pageLanguage(): string {
  return typeof document === "undefined" ? "en" : document.documentElement.lang.slice(0, 2);
}

/** The number with a point and a fixed count of decimals; nothing has no sign. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}
