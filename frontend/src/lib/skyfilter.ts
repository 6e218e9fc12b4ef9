/** The page's filter form, read the same way as the server reads it. */

import type { LiveObject } from "./feed";

export type Ring = readonly (readonly [number, number])[];

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly restriction: string;
  readonly applies: boolean;
  readonly rings: readonly Ring[];
}

export interface Choice {
  readonly classes: ReadonlySet<string>;
  readonly receiver: string;
  readonly zone: string;
  readonly lowM: number | null;
  readonly highM: number | null;
  readonly alerted: boolean;
  readonly search: string;
}

function number(text: string): number | null {
  const value = Number.parseFloat(text.replace(",", "."));
  return Number.isFinite(value) ? value : null;
}

/** What the form's fields say. */
export function readChoice(fields: FormData): Choice {
  const text = (name: string): string => String(fields.get(name) ?? "").trim();
  return {
    classes: new Set(fields.getAll("class").map(String)),
    receiver: text("receiver"),
    zone: text("zone"),
    lowM: number(text("low_m")),
    highM: number(text("high_m")),
    alerted: text("alerted") === "1",
    search: text("q").toLocaleLowerCase(),
  };
}

/** Whether a place lies inside a ring of [latitude, longitude]: even and odd crossings. */
export function inRing(ring: Ring, latDeg: number, lonDeg: number): boolean {
  let inside = false;
  ring.forEach(([lat, lon], i) => {
    const [lat2, lon2] = ring[(i + 1) % ring.length] as readonly [number, number];
    const crosses = lat > latDeg !== lat2 > latDeg;
    if (crosses && lonDeg < ((lon2 - lon) * (latDeg - lat)) / (lat2 - lat) + lon) inside = !inside;
  });
  return inside;
}

/** Whether a drone or track is shown; alerted : the keys with an open alert. */
export function shows(
  choice: Choice,
  row: LiveObject,
  zones: readonly Zone[],
  alerted: ReadonlySet<string>,
): boolean {
  if (choice.classes.size > 0 && !choice.classes.has(String(row["match"]))) return false;
  const receivers = (row["receivers"] ?? []) as readonly string[];
  if (choice.receiver !== "" && !receivers.includes(choice.receiver)) return false;
  if (choice.alerted && !alerted.has(row.key)) return false;
  const names = [row["label"], row["uas_id"]].map((name) => String(name ?? "").toLocaleLowerCase());
  if (choice.search !== "" && !names.some((name) => name.includes(choice.search))) return false;
  if (choice.zone !== "") {
    const zone = zones.find((one) => one.id === choice.zone);
    const at = [Number(row["lat_deg"]), Number(row["lon_deg"])] as const;
    if (zone === undefined || !zone.rings.some((ring) => inRing(ring, ...at))) return false;
  }
  const heightM = (row["height_m"] ?? row["alt_home_m"]) as number | null | undefined;
  if (heightM === null || heightM === undefined) return true;
  return (choice.lowM === null || heightM >= choice.lowM) && (choice.highM === null || heightM <= choice.highM);
}

/** The keys of tracks and own drones that have an open alert. */
export function alertedKeys(rows: Iterable<LiveObject>): Set<string> {
  const all = [...rows];
  const names = new Set<string>();
  const keys = new Set<string>();
  for (const row of all) {
    if (row.kind !== "alert") continue;
    if (typeof row["track"] === "string") keys.add(row["track"]);
    const facts = (row["facts"] ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof facts["drone"] === "string") names.add(facts["drone"]);
  }
  for (const row of all) if (row.kind === "drone" && names.has(String(row["label"]))) keys.add(row.key);
  return keys;
}
