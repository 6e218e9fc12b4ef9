/**
 * The schedule's bars, moved by mouse, finger or keyboard.  Putting one down sends the form that
 * the page works with anyway: the server plans around it and shows a draft.
 */

import { byId, fill, pageData } from "./lib/page";
import { asked, clashes, laneAt, moved, steps, withinAsked, type Piece, type Place } from "./lib/schedule";

interface ScheduleData {
  readonly start: string;
  readonly end: string;
  readonly stepMin: number;
  readonly timeZone: string;
  readonly language: string;
  readonly lanes: Readonly<Record<string, string>>;
  readonly texts: Readonly<
    Record<"picked" | "at" | "free" | "clash" | "outside" | "left" | "same" | "solving" | "mode", string>
  >;
}

const SVG = "http://www.w3.org/2000/svg";
const DRAG_PX = 5;
const HEAD_PX = 40;
const LANE_PX = 48;

const data = pageData<ScheduleData>("schedule-data");
const fromMs = Date.parse(data.start);
const toMs = Date.parse(data.end);
const section = byId("schedule");
const form = section.querySelector<HTMLFormElement>("[data-move-form]");
const status = section.querySelector<HTMLElement>("[data-schedule-status]");
const tools = section.querySelector<HTMLElement>("[data-schedule-tools]");
const pickedTools = section.querySelector<HTMLElement>("[data-picked]");
const clock = new Intl.DateTimeFormat(data.language, {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
  timeZone: data.timeZone,
  timeZoneName: "short",
});

/** A bar that has been picked up, and where it would be put down. */
interface Picked {
  readonly link: SVGAElement;
  readonly svg: SVGSVGElement;
  readonly piece: Piece;
  readonly lanes: readonly string[];
  readonly ghost: SVGGElement;
  place: Place;
}

let picked: Picked | null = null;
let touchMode = false;
/** Whether a drag has just ended: the click that follows it opens no page. */
let dragged = false;

function pieceOf(link: SVGAElement): Piece {
  const at = (name: string): number => Date.parse(link.dataset[name] ?? "");
  return {
    request: link.dataset["request"] ?? "",
    lane: link.dataset["lane"] ?? "",
    takenMs: at("taken"),
    startMs: at("start"),
    endMs: at("end"),
    freeMs: at("free"),
    fromMs: at("from"),
    untilMs: at("until"),
    crew: (link.dataset["crew"] ?? "").split(" ").filter((id) => id !== ""),
  };
}

function say(text: string): void {
  if (status !== null) status.textContent = text;
}

function svgElement(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

const widthOf = (svg: SVGSVGElement): number => svg.viewBox.baseVal.width;
const pxPerMs = (svg: SVGSVGElement): number => widthOf(svg) / (toMs - fromMs);
const xOf = (svg: SVGSVGElement, ms: number): number => (ms - fromMs) * pxPerMs(svg);

function pickUp(link: SVGAElement): void {
  leave(false);
  const svg = link.ownerSVGElement;
  if (svg === null) return;
  const piece = pieceOf(link);
  const lanes = (svg.dataset["lanes"] ?? "").split(" ");
  const ghost = svgElement("g", { class: "ghost" }) as SVGGElement;
  const window = svgElement("rect", {
    class: "asked-window",
    x: xOf(svg, piece.fromMs),
    y: HEAD_PX,
    width: Math.max(0, xOf(svg, piece.untilMs) - xOf(svg, piece.fromMs)),
    height: svg.viewBox.baseVal.height - HEAD_PX,
  });
  const lane = svgElement("rect", { class: "target-lane", x: 0, width: widthOf(svg), height: LANE_PX });
  const width = Math.max(4, xOf(svg, piece.endMs) - xOf(svg, piece.startMs));
  const bar = svgElement("rect", { class: "bar", width, height: LANE_PX - 4, rx: 4 });
  ghost.append(window, lane, bar, svgElement("text", {}));
  svg.append(ghost);
  link.classList.add("picked");
  picked = { link, svg, piece, lanes, ghost, place: { lane: piece.lane, startMs: piece.startMs } };
  if (pickedTools !== null) pickedTools.hidden = false;
  draw(fill(data.texts.picked, { request: link.querySelector("title")?.textContent ?? piece.request }));
}

/** Shows the place, and says it with what stands in its way. */
function draw(before = ""): void {
  if (picked === null) return;
  const { svg, piece, place, ghost, lanes } = picked;
  const y = HEAD_PX + lanes.indexOf(place.lane) * LANE_PX;
  const x = xOf(svg, place.startMs);
  const others = clashes(pieces(svg), piece, place);
  const outside = !withinAsked(piece, place);
  ghost.classList.toggle("clash", others.length > 0 || outside);
  ghost.querySelector(".target-lane")?.setAttribute("y", String(y));
  const bar = ghost.querySelector(".bar");
  bar?.setAttribute("x", String(x));
  bar?.setAttribute("y", String(y + 2));
  const text = ghost.querySelector("text");
  if (text !== null) {
    text.textContent = `${others.length > 0 || outside ? "⚠ " : ""}${piece.request}`;
    text.setAttribute("x", String(x + 5));
    text.setAttribute("y", String(y + 29));
  }
  const found = [
    before,
    fill(data.texts.at, { row: data.lanes[place.lane] ?? place.lane, time: clock.format(place.startMs) }),
    others.length > 0 ? fill(data.texts.clash, { requests: others.join(", ") }) : data.texts.free,
    outside ? data.texts.outside : "",
  ];
  say(found.filter((part) => part !== "").join(" "));
}

function pieces(svg: SVGSVGElement): Piece[] {
  return [...svg.querySelectorAll<SVGAElement>(".piece:not(.before)")].map(pieceOf);
}

function moveTo(lane: string, startMs: number): void {
  if (picked === null) return;
  picked.place = { lane, startMs };
  draw();
}

function nudge(byRow: number, bySteps: number): void {
  if (picked === null) return;
  const { piece, place, lanes } = picked;
  const now = Math.round((place.startMs - piece.startMs) / (data.stepMin * 60_000));
  const lane = laneAt(lanes, lanes.indexOf(place.lane) + byRow);
  moveTo(lane, moved(piece, now + bySteps, data.stepMin, fromMs, toMs));
}

function leave(announce: boolean): void {
  if (picked === null) return;
  picked.ghost.remove();
  picked.link.classList.remove("picked");
  picked = null;
  if (pickedTools !== null) pickedTools.hidden = true;
  if (announce) say(data.texts.left);
}

function field(name: string): HTMLInputElement | HTMLSelectElement | null {
  const found = form?.elements.namedItem(name);
  return found instanceof HTMLInputElement || found instanceof HTMLSelectElement ? found : null;
}

function write(name: string, value: string): void {
  const found = field(name);
  if (found !== null) found.value = value;
}

function putDown(): void {
  if (picked === null || form === null) return;
  const { piece, place } = picked;
  const wish = asked(piece, place);
  if (wish === null) {
    leave(false);
    say(data.texts.same);
    return;
  }
  write("request_id", piece.request);
  write("drone_id", wish.droneId);
  write("pilot_id", wish.crew[0] ?? "");
  write("pilot_2", wish.crew[1] ?? "");
  write("start_at", "");
  // With its zone: an hour that the autumn repeats must not become the other one.
  write("start_utc", new Date(wish.startMs ?? piece.startMs).toISOString());
  say(data.texts.solving);
  section.setAttribute("aria-busy", "true");
  form.requestSubmit();
}

function onKey(event: KeyboardEvent, link: SVGAElement): void {
  const big = event.shiftKey ? 4 : 1;
  const actions: Readonly<Record<string, () => void>> =
    picked?.link === link
      ? {
          ArrowLeft: () => nudge(0, -big),
          ArrowRight: () => nudge(0, big),
          ArrowUp: () => nudge(-1, 0),
          ArrowDown: () => nudge(1, 0),
          " ": putDown,
          Enter: putDown,
          Escape: () => leave(true),
        }
      : { " ": () => pickUp(link) };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}

function onPointerDown(event: PointerEvent, link: SVGAElement): void {
  const byTouch = event.pointerType !== "mouse";
  if (event.button !== 0 || (byTouch && !touchMode)) return;
  const begin = { x: event.clientX, y: event.clientY };
  const svg = link.ownerSVGElement;
  if (svg === null) return;
  dragged = false;

  const move = (now: PointerEvent): void => {
    if (now.pointerId !== event.pointerId) return;
    const dx = now.clientX - begin.x;
    const dy = now.clientY - begin.y;
    if (!dragged && Math.hypot(dx, dy) < DRAG_PX) return;
    if (!dragged) {
      dragged = true;
      pickUp(link);
    }
    if (picked === null) return;
    const scale = svg.getBoundingClientRect().width / widthOf(svg);
    const { piece, lanes } = picked;
    const count = steps(dx / scale, pxPerMs(svg) * 60_000, data.stepMin);
    const rows = Math.round(dy / scale / LANE_PX);
    const lane = laneAt(lanes, lanes.indexOf(piece.lane) + rows);
    moveTo(lane, moved(piece, count, data.stepMin, fromMs, toMs));
  };
  const stop = (now: PointerEvent): void => {
    if (now.pointerId !== event.pointerId) return;
    for (const [name, listener] of listeners) document.removeEventListener(name, listener);
    if (dragged && now.type === "pointerup") putDown();
    else if (dragged) leave(true);
  };
  const escape = (key: KeyboardEvent): void => {
    if (key.key !== "Escape" || !dragged) return;
    for (const [name, listener] of listeners) document.removeEventListener(name, listener);
    leave(true);
  };
  const listeners: [string, EventListener][] = [
    ["pointermove", move as EventListener],
    ["pointerup", stop as EventListener],
    ["pointercancel", stop as EventListener],
    ["keydown", escape as EventListener],
  ];
  for (const [name, listener] of listeners) document.addEventListener(name, listener);
}

function onClick(event: MouseEvent, link: SVGAElement): void {
  if (dragged || touchMode) event.preventDefault();
  if (touchMode && !dragged) pickUp(link);
  dragged = false;
}

function equip(link: SVGAElement): void {
  link.addEventListener("dragstart", (event) => event.preventDefault());
  link.addEventListener("keydown", (event) => onKey(event, link));
  link.addEventListener("pointerdown", (event) => onPointerDown(event, link));
  link.addEventListener("click", (event) => onClick(event, link));
}

const TOOLS: Readonly<Record<string, () => void>> = {
  mode: () => {
    touchMode = !touchMode;
    section.classList.toggle("moving", touchMode);
    section.querySelector("[data-tool=mode]")?.setAttribute("aria-pressed", String(touchMode));
    say(touchMode ? data.texts.mode : "");
    if (!touchMode) leave(false);
  },
  earlier: () => nudge(0, -1),
  later: () => nudge(0, 1),
  up: () => nudge(-1, 0),
  down: () => nudge(1, 0),
  drop: putDown,
  cancel: () => leave(true),
};

/** On a narrow screen the picture opens where the work is: at now, or at its first bar. */
function scrollToWork(): void {
  for (const svg of section.querySelectorAll<SVGSVGElement>("svg.schedule")) {
    const now = svg.querySelector(".now-line")?.getAttribute("x1");
    const first = svg.querySelector(".piece .out")?.getAttribute("x");
    const x = Number(now ?? first ?? 0);
    const frame = svg.parentElement;
    // Where nearly the whole day is seen, it stays at its beginning.
    if (frame === null || frame.scrollWidth - frame.clientWidth < 2 * LANE_PX) continue;
    frame.scrollLeft = Math.max(0, x - 2 * LANE_PX);
  }
}

scrollToWork();
const links = [...section.querySelectorAll<SVGAElement>(".piece[data-movable]")];
if (form !== null && links.length > 0) {
  links.forEach(equip);
  for (const button of section.querySelectorAll<HTMLButtonElement>("[data-tool]")) {
    button.addEventListener("click", () => TOOLS[button.dataset["tool"] ?? ""]?.());
  }
  if (tools !== null) tools.hidden = false;
  section.querySelector<HTMLElement>("[data-schedule-help]")?.removeAttribute("hidden");
  // A page that comes back from the browser's cache has nothing picked up and nothing under way.
  globalThis.addEventListener("pageshow", () => {
    leave(false);
    section.removeAttribute("aria-busy");
  });
}
