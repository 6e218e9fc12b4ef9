/** A day and an hour, as each language shortens them (droneteam/web/timefmt.py). */
const UNITS: Record<string, [string, string]> = { fr: ["j", "h"], nl: ["d", "u"], en: ["d", "h"] };

/** The page's language. */
function pageLanguage(): string {
  return typeof document === "undefined" ? "en" : document.documentElement.lang;
}

/** Lengths of time as the server writes them (droneteam/web/timefmt.py: length). */
export function duration(seconds: number, language: string = pageLanguage()): string {
  const [day, hour] = UNITS[language] ?? UNITS.en!;
  const total = Math.round(Math.abs(seconds));
  const days = Math.floor(total / 86_400);
  const hours = Math.floor((total % 86_400) / 3_600);
  const minutes = Math.floor((total % 3_600) / 60);
  const rest = total % 60;
  const sign = seconds < 0 ? "−" : "";
  if (days > 0) return `${sign}${days} ${day} ${hours} ${hour}`;
  if (hours > 0) return `${sign}${hours} ${hour} ${String(minutes).padStart(2, "0")} min`;
  if (minutes >= 10) return `${sign}${minutes} min`;
  if (minutes > 0) return `${sign}${minutes} min ${String(rest).padStart(2, "0")} s`;
  return `${sign}${rest} s`;
}
