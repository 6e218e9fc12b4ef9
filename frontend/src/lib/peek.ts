/** A small window onto a photo around a place of it, cut by the server from the photo's overview.

    The server's square begins at multiples of a grid, so that a place which moves a little, as it
    does with every mark, is another part of the picture that is there: nothing is fetched again. */

import { element } from "./page";

/** Sides in pixels of the overview: what the server cuts, what is seen of it, and the grid. */
export const CUT_PX = 192;
export const SEEN_PX = 96;
const GRID_PX = CUT_PX - SEEN_PX;

export interface Peek {
  /** The square's top-left pixel in the overview. */
  readonly left: number;
  readonly top: number;
  /** How far the square is moved, so that the place lies in the window's middle. */
  readonly shiftX: number;
  readonly shiftY: number;
}

/** The square and the window around a place; overview : pixels of the photo in one of the overview. */
export function peekAt(x: number, y: number, overview: number): Peek {
  const [left, shiftX] = along(x / overview);
  const [top, shiftY] = along(y / overview);
  return { left, top, shiftX, shiftY };
}

function along(at: number): [number, number] {
  const first = at - SEEN_PX / 2;
  const begin = Math.floor(first / GRID_PX) * GRID_PX;
  return [begin, begin - first];
}

/** The picture's element; `aim` moves it to another place or photo. */
export class PeekView {
  readonly element: HTMLElement;
  private readonly picture = element("img", { alt: "", loading: "lazy" });

  constructor(private readonly url: string, private readonly overview: number) {
    this.element = element("span", { class: "peek aimed" }, this.picture);
  }

  aim(x: number, y: number): void {
    const peek = peekAt(x, y, this.overview);
    const src = `${this.url}?x=${peek.left}&y=${peek.top}`;
    if (this.picture.getAttribute("src") !== src) this.picture.setAttribute("src", src);
    this.picture.style.transform = `translate(${peek.shiftX.toFixed(2)}px, ${peek.shiftY.toFixed(2)}px)`;
  }
}
