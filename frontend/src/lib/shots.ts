/** The photos of a point: each with what lies around its mark or expected place, and how it stands. */

import { decimal } from "./decimal";
import { KeyedList } from "./keyed";
import { element, fill } from "./page";
import { PeekView } from "./peek";

export interface Shot {
  readonly photo: string;
  /** Where the point is marked or expected, in the photo's pixels. */
  readonly at: { readonly x_px: number; readonly y_px: number } | null;
  readonly marked: boolean;
  readonly offPx: number | null;
  readonly outlier: boolean;
  readonly withinPx: number | null;
  readonly current: boolean;
}

export interface ShotSetting {
  readonly previewUrl: string;
  readonly thumbUrl: string;
  readonly photos: Readonly<Record<string, { readonly overview: number }>>;
  readonly texts: Readonly<Record<string, string>>;
}

export class Shots {
  private readonly rows: KeyedList<Shot>;

  constructor(list: Element, private readonly setting: ShotSetting, private readonly open: (photo: string) => void) {
    this.rows = new KeyedList(list, (shot) => `${shot.at === null} ${shot.photo}`, (shot) => this.made(shot));
  }

  show(shots: readonly Shot[]): void {
    const before = document.activeElement;
    this.rows.show(shots);
    // An element that changes its place loses the keyboard's focus.
    if (before instanceof HTMLElement && before !== document.activeElement && before.isConnected) {
      before.focus({ preventScroll: true });
    }
  }

  private made(shot: Shot): { node: Element; update(row: Shot): void } {
    const facts = element("span", { class: "facts" });
    const peek = new PeekView(named(this.setting.previewUrl, shot.photo), this.setting.photos[shot.photo]?.overview ?? 1);
    const picture = shot.at === null
      ? element("img", { src: named(this.setting.thumbUrl, shot.photo), alt: "", loading: "lazy", width: "96", height: "96" })
      : peek.element;
    const button = element("button", { type: "button", "data-photo": shot.photo }, picture, facts);
    button.addEventListener("click", () => this.open(shot.photo));
    const update = (row: Shot): void => {
      if (row.at !== null) peek.aim(row.at.x_px, row.at.y_px);
      button.setAttribute("aria-current", String(row.current));
      facts.replaceChildren(...this.facts(row));
    };
    return { node: element("li", {}, button), update };
  }

  private facts(shot: Shot): HTMLElement[] {
    const found = [element("strong", {}, shot.photo)];
    if (shot.marked) found.push(element("span", { class: "badge good" }, this.text("marked")));
    if (shot.offPx !== null) {
      const said = this.text("residual", { px: decimal(shot.offPx, 2) });
      found.push(element("span", shot.outlier ? { class: "badge bad" } : {}, said));
    } else if (shot.withinPx !== null) {
      found.push(element("span", { class: "faint" }, this.text("expected", { px: decimal(shot.withinPx, 1) })));
    }
    return found;
  }

  private text(name: string, values: Readonly<Record<string, string | number>> = {}): string {
    return fill(this.setting.texts[name] ?? name, values);
  }
}

function named(url: string, photo: string): string {
  return url.replace("PHOTO", encodeURIComponent(photo));
}
