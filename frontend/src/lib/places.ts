/** A text field that finds places while somebody types: a combobox with a list below it. */

import { element, fill } from "./page";

export interface Place {
  readonly kind: "address" | "crossing" | "street" | "name" | "coordinates";
  readonly label: string;
  readonly lat_deg: number;
  readonly lon_deg: number;
  /** How far from there the place may be, in metres. */
  readonly radius_m: number;
  /** The house number that was typed, where another stands in for it. */
  readonly note: string;
}

export interface PlaceTexts {
  readonly within: string;
  readonly standsIn: string;
  readonly noPlace: string;
  readonly placesFound: string;
}

const PAUSE_MS = 250;
const SHORTEST = 3;
/** A place that is known no better than this wants a look at the map, in metres. */
const EXACT_M = 30;

/** What somebody must know before taking the place for the one that was meant. */
export function noteOf(place: Place, texts: PlaceTexts): string {
  const parts = [];
  if (place.note !== "") parts.push(fill(texts.standsIn, { number: place.note }));
  if (place.radius_m > EXACT_M) parts.push(fill(texts.within, { metres: Math.round(place.radius_m) }));
  return parts.join(" ");
}

/** Makes the field find places at url and tells each one that is chosen. */
export function findPlaces(
  input: HTMLInputElement,
  list: HTMLElement,
  status: HTMLElement,
  url: string,
  texts: PlaceTexts,
  chosen: (place: Place) => void,
): void {
  let found: readonly Place[] = [];
  let active = -1;
  let timer = 0;
  let asked: AbortController | null = null;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");

  function close(): void {
    list.hidden = true;
    list.replaceChildren();
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function choose(place: Place): void {
    window.clearTimeout(timer);
    asked?.abort();
    input.value = place.label;
    close();
    status.textContent = noteOf(place, texts);
    chosen(place);
  }

  function mark(next: number): void {
    active = (next + found.length) % found.length;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === active)));
    const item = list.children[active];
    if (item === undefined) return;
    input.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }

  function show(places: readonly Place[]): void {
    found = places;
    close();
    status.textContent =
      places.length === 0 ? texts.noPlace : fill(texts.placesFound, { count: places.length });
    if (places.length === 0) return;
    places.forEach((place, at) => {
      const item = element(
        "li",
        { id: `${list.id}-${at}`, role: "option", "aria-selected": "false" },
        element("span", {}, place.label),
        element("span", { class: "faint" }, noteOf(place, texts)),
      );
      item.addEventListener("pointerdown", (event) => event.preventDefault());
      item.addEventListener("click", () => choose(place));
      list.append(item);
    });
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  }

  async function ask(): Promise<void> {
    asked?.abort();
    asked = new AbortController();
    const text = input.value.trim();
    if (text.length < SHORTEST) return close();
    try {
      const response = await fetch(`${url}?${new URLSearchParams({ q: text })}`, {
        headers: { Accept: "application/json", "Accept-Language": document.documentElement.lang },
        signal: asked.signal,
      });
      if (response.ok) show(((await response.json()) as { items: Place[] }).items);
    } catch (error) {
      if ((error as Error).name !== "AbortError") close();
    }
  }

  input.addEventListener("input", () => {
    status.textContent = "";
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void ask(), PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    const at = found[active];
    if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "ArrowDown" && !list.hidden) mark(active + 1);
    else if (event.key === "ArrowUp" && !list.hidden) mark(active - 1);
    else if (event.key === "Enter") {
      // Enter looks the text up, or takes the marked place; it never sends the whole form.
      if (!list.hidden && at !== undefined) choose(at);
      else void ask();
    } else return;
    event.preventDefault();
  });
  input.addEventListener("blur", close);
}
