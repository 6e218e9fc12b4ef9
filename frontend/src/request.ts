/** The request form's help: a place by tapping on the map, and an answer while typing. */

import Draw from "ol/interaction/Draw.js";
import type Polygon from "ol/geom/Polygon.js";
import { fromLonLat, toLonLat } from "ol/proj.js";

import { areaM2, parseCorners, type LatLon } from "./lib/geodesy";
import { areaFeature, dot, makeMap, pointFeature, style, vectorLayer, type MapTexts } from "./lib/map";
import { byId, fill, pageData } from "./lib/page";
import { findPlaces, type PlaceTexts } from "./lib/places";

interface RequestData {
  readonly answerUrl: string;
  readonly placesUrl: string;
  readonly texts: MapTexts & PlaceTexts & {
    readonly area: string;
    readonly checking: string;
    readonly offline: string;
    readonly noAnswer: string;
    readonly takeTime: string;
  };
}

interface Answer {
  readonly verdict: "yes" | "maybe" | "no" | "incomplete";
  readonly headline: string;
  readonly reasons: readonly string[];
  /** When the team is free for it, as the fields of time hold it. */
  readonly free?: { readonly start_at: string; readonly end_at: string };
}

const PAUSE_BEFORE_ASKING_MS = 400;
/** A place known no better than this only moves the map: the exact one must be tapped. */
const NEAR_ENOUGH_M = 150;
const GRAND_PLACE: LatLon = { latDeg: 50.8467, lonDeg: 4.3525 };

const data = pageData<RequestData>("request-data");
const form = byId<HTMLFormElement>("request-form");
const lat = byId<HTMLInputElement>("lat_deg");
const lon = byId<HTMLInputElement>("lon_deg");
const corners = byId<HTMLTextAreaElement>("polygon");
const areaText = byId("area-text");

const place = vectorLayer(() => dot(8, "#c22238"), 3);
const area = vectorLayer(() => style("#7a4b00", 2.5, "rgba(255,194,51,0.35)"), 2);

function typedPlace(): LatLon | null {
  const latDeg = Number(lat.value.replace(",", "."));
  const lonDeg = Number(lon.value.replace(",", "."));
  const usable = lat.value !== "" && lon.value !== "" && Math.abs(latDeg) <= 90 && Math.abs(lonDeg) <= 180;
  return usable ? { latDeg, lonDeg } : null;
}

byId("map-tools").hidden = false;
byId("map").hidden = false;
const start = typedPlace();
const map = makeMap(byId("map"), data.texts, [area.layer, place.layer], start ?? GRAND_PLACE, start ? 17 : 12);

function showTyped(): void {
  place.source.clear();
  area.source.clear();
  const point = typedPlace();
  if (point !== null) place.source.addFeature(pointFeature(point));
  const ring = parseCorners(corners.value);
  if (ring !== null && ring.length >= 3) {
    area.source.addFeature(areaFeature(ring));
    areaText.textContent = fill(data.texts.area, { area: Math.round(areaM2(ring)) });
  } else {
    areaText.textContent = "";
  }
}

function changed(): void {
  showTyped();
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

const draw = new Draw({ source: area.source, type: "Polygon" });
draw.setActive(false);
draw.on("drawstart", () => area.source.clear());
draw.on("drawend", (event) => {
  const ring = (event.feature.getGeometry() as Polygon).getCoordinates()[0] ?? [];
  corners.value = ring
    .slice(0, -1)
    .map((coordinate) => toLonLat(coordinate))
    .map(([lonDeg, latDeg]) => `${latDeg?.toFixed(6)}, ${lonDeg?.toFixed(6)}`)
    .join("\n");
  setMode("place");
  window.setTimeout(changed);
});
map.addInteraction(draw);

map.on("singleclick", (event) => {
  if (draw.getActive()) return;
  const [lonDeg, latDeg] = toLonLat(event.coordinate);
  if (latDeg === undefined || lonDeg === undefined) return;
  lat.value = latDeg.toFixed(6);
  lon.value = lonDeg.toFixed(6);
  changed();
});

// The place by its name: the map goes there, as near as the name tells.
byId("request-form").querySelector("[data-find]")?.remove();
findPlaces(
  byId<HTMLInputElement>("address"), byId("places"), byId("place-note"), data.placesUrl, data.texts,
  (found) => {
    const near = found.radius_m <= NEAR_ENOUGH_M;
    lat.value = near ? found.lat_deg.toFixed(6) : "";
    lon.value = near ? found.lon_deg.toFixed(6) : "";
    map.getView().setCenter(fromLonLat([found.lon_deg, found.lat_deg]));
    map.getView().setZoom(Math.max(12, Math.min(18, 18 - Math.log2(Math.max(found.radius_m, 30) / 30))));
    changed();
  },
);

const buttons = [...document.querySelectorAll<HTMLButtonElement>("[data-mode]")];
function setMode(mode: string): void {
  draw.setActive(mode === "area");
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset["mode"] === mode));
  }
}
for (const button of buttons) {
  button.addEventListener("click", () => {
    if (button.dataset["mode"] === "clear") {
      corners.value = "";
      changed();
    } else {
      setMode(button.dataset["mode"] ?? "place");
    }
  });
}

showTyped();

// The honest answer: the server's, asked again after each pause in typing.
const answerBox = byId("answer");
let timer = 0;
let asked: AbortController | null = null;

function showAnswer(answer: Answer): void {
  answerBox.className = `notice ${answer.verdict}`;
  const list = document.createElement("ul");
  for (const reason of answer.reasons) {
    const item = document.createElement("li");
    item.textContent = reason;
    list.append(item);
  }
  const headline = document.createElement("strong");
  headline.textContent = answer.headline;
  answerBox.replaceChildren(
    headline,
    ...(answer.reasons.length > 0 ? [list] : []),
    ...(answer.free === undefined ? [] : [takeTime(answer.free)]),
  );
}

/** One tap in place of two fields: the first time that the team is free. */
function takeTime(free: NonNullable<Answer["free"]>): HTMLElement {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = data.texts.takeTime;
  button.addEventListener("click", () => {
    for (const name of ["start_at", "end_at"] as const) byId<HTMLInputElement>(name).value = free[name];
    byId<HTMLInputElement>("start_at").focus();
    void ask();
  });
  return button;
}

async function ask(): Promise<void> {
  asked?.abort();
  asked = new AbortController();
  answerBox.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(data.answerUrl, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      signal: asked.signal,
    });
    if (response.ok) showAnswer((await response.json()) as Answer);
    else showAnswer({ verdict: "incomplete", headline: data.texts.noAnswer, reasons: [] });
  } catch (error) {
    if ((error as Error).name !== "AbortError") answerBox.textContent = data.texts.offline;
  } finally {
    answerBox.removeAttribute("aria-busy");
  }
}

form.addEventListener("input", () => {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void ask(), PAUSE_BEFORE_ASKING_MS);
});
corners.addEventListener("input", showTyped);
lat.addEventListener("input", showTyped);
lon.addEventListener("input", showTyped);
void ask();
