/** Where the team flew: the year's places, through the months by slider or by themselves. */

import type { FeatureLike } from "ol/Feature.js";
import { boundingExtent } from "ol/extent.js";
import type Style from "ol/style/Style.js";

import { dot, label, makeMap, pointFeature, project, vectorLayer, type MapTexts } from "./lib/map";
import { byId, element, pageData } from "./lib/page";

interface Place {
  readonly latDeg: number;
  readonly lonDeg: number;
  readonly name: string;
  readonly url: string;
  readonly detail: string;
  readonly kind: string;
  /** 1 to 12. */
  readonly month: number;
  readonly flights: number;
}

interface FlownData {
  readonly places: readonly Place[];
  /** The month that is shown first; 0 for the whole year. */
  readonly month: number;
  readonly months: readonly string[];
  readonly texts: MapTexts;
}

const BRUSSELS = { latDeg: 50.8467, lonDeg: 4.3525 };
const STEP_MS = 1200;
/** A letter beside the colour, so that nobody has to tell colours apart. */
const LOOKS: Readonly<Record<string, readonly [colour: string, sign: string]>> = {
  event: ["#1f6fc4", "E"],
  demonstration: ["#8a3fa0", "D"],
  search: ["#a6192e", "S"],
  photogrammetry: ["#1d6b34", "P"],
  reconnaissance: ["#4c5a6a", "R"],
  plantation: ["#8a5a00", "T"],
  training: ["#14202e", "L"],
};

const data = pageData<FlownData>("flown-data");
const slider = byId("flown-month") as HTMLInputElement;
const shown = byId("flown-label");
const play = byId("flown-play") as HTMLButtonElement;
const result = byId("flown-result");
const wholeYear = shown.textContent ?? "";
const playText = play.textContent ?? "";

function mark(feature: FeatureLike): Style[] {
  const month = Number(slider.value);
  if (month !== 0 && feature.get("month") !== month) return [];
  const [colour, sign] = LOOKS[String(feature.get("kind"))] ?? ["#4c5a6a", "?"];
  const radius = 9 + Math.min(8, 2 * Math.sqrt(Number(feature.get("flights"))));
  return [dot(radius, colour, "#ffffff"), label(sign, 1, "700 12px system-ui, sans-serif")];
}

const places = vectorLayer(mark, 3);
for (const place of data.places) places.source.addFeature(pointFeature(place, place));

const target = byId("flown-map");
target.hidden = false;
byId("flown-through").hidden = false;
const map = makeMap(target, data.texts, [places.layer], BRUSSELS, 11);
if (data.places.length > 0) {
  const extent = boundingExtent(data.places.map(project));
  map.getView().fit(extent, { padding: [48, 48, 48, 48], maxZoom: 14 });
}

function show(month: number): void {
  slider.value = String(month);
  shown.textContent = month === 0 ? wholeYear : (data.months[month - 1] ?? "");
  slider.setAttribute("aria-valuetext", shown.textContent);
  places.layer.changed();
}

let timer: number | undefined;

function stop(): void {
  window.clearInterval(timer);
  timer = undefined;
  play.textContent = playText;
}

function start(): void {
  show(1);
  play.textContent = play.dataset["stop"] ?? playText;
  timer = window.setInterval(() => {
    const next = Number(slider.value) + 1;
    if (next > 12) {
      stop();
      show(0);
    } else show(next);
  }, STEP_MS);
}

slider.addEventListener("input", () => {
  stop();
  show(Number(slider.value));
});
play.addEventListener("click", () => (timer === undefined ? start() : stop()));
show(data.month);

map.on("singleclick", (event) => {
  const hit = map.forEachFeatureAtPixel(event.pixel, (feature) => feature, { hitTolerance: 22 });
  const url = hit?.get("url") as string | undefined;
  if (hit === undefined || url === undefined) {
    result.textContent = "";
    return;
  }
  const link = element("a", { href: url }, String(hit.get("name")));
  result.replaceChildren(link, ` · ${String(hit.get("detail"))}`);
});
