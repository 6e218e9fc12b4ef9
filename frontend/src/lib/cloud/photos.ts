/** The photos that show a place, each with the place in it; and one photo, enlarged. */

import { Refused, send } from "../api";
import { decimal } from "../decimal";
import { byId, element, fill } from "../page";
import { PeekView } from "../peek";

export interface PhotoInfo {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly levels: number;
  /** Pixels of the photo in one of its overview. */
  readonly overview: number;
}

export type PhotoText = "seenIn" | "seenInOne" | "seenInNone" | "finest" | "hidden" | "photosFailed" | "zoomIn" | "zoomOut";

export interface PhotosSetting {
  readonly photosUrl: string;
  readonly previewUrl: string;
  readonly tileUrl: string;
  readonly tilePx: number;
  readonly photos: Readonly<Record<string, PhotoInfo>>;
  readonly texts: Readonly<Record<PhotoText, string>>;
}

interface PhotoOfPlace {
  readonly photo: string;
  readonly x_px: number;
  readonly y_px: number;
  readonly pixel_m: number;
  readonly hidden: boolean;
}

const SHOWN = 12;

export class PhotoPanel {
  private readonly list = byId("cloud-photos");
  private readonly status = byId("cloud-photos-status");
  private asked = 0;
  private aimed: { close(): void } | null = null;

  constructor(private readonly setting: PhotosSetting) {
    byId<HTMLDialogElement>("cloud-photo").addEventListener("close", () => this.aimed?.close());
  }

  /** The photos of a place, which the server finds; place : in the page's coordinates. */
  async show(place: readonly number[]): Promise<void> {
    const turn = ++this.asked;
    try {
      const found = await send<{ items: PhotoOfPlace[] }>(this.setting.photosUrl, { on: "cloud", place });
      if (turn === this.asked) this.fill(found.items);
    } catch (error) {
      if (!(error instanceof Refused || error instanceof TypeError)) throw error;
      this.status.textContent = fill(this.setting.texts.photosFailed, { why: error.message });
    }
  }

  private fill(rows: readonly PhotoOfPlace[]): void {
    const seeing = rows.filter((row) => !row.hidden).length;
    const { texts } = this.setting;
    this.status.textContent = rows.length === 0 ? texts.seenInNone : fill(seeing === 1 ? texts.seenInOne : texts.seenIn, { n: seeing, all: rows.length });
    this.list.replaceChildren(...rows.slice(0, SHOWN).map((row) => this.item(row)));
  }

  private item(row: PhotoOfPlace): HTMLElement {
    const url = this.setting.previewUrl.replace("PHOTO", encodeURIComponent(row.photo));
    const peek = new PeekView(url, this.setting.photos[row.photo]?.overview ?? 1);
    peek.aim(row.x_px, row.y_px);
    const words = fill(row.hidden ? this.setting.texts.hidden : this.setting.texts.finest, { mm: decimal(1000 * row.pixel_m, 1) });
    const facts = element("span", { class: "facts" }, element("strong", {}, row.photo), element("span", { class: "faint" }, words));
    const button = element("button", { type: "button", "data-photo": row.photo }, peek.element, facts);
    button.addEventListener("click", () => void this.open(row.photo, [row.x_px, row.y_px]));
    return element("li", {}, button);
  }

  /** The photo in tiles, at a place of it or as a whole. */
  async open(photo: string, at: readonly [number, number] | null): Promise<void> {
    const info = this.setting.photos[photo];
    if (info === undefined) return;
    const { texts, tileUrl, tilePx } = this.setting;
    const dialog = byId<HTMLDialogElement>("cloud-photo");
    byId("cloud-photo-name").textContent = photo;
    dialog.showModal();
    const { AimedPhoto } = await import("./aimed");
    if (!dialog.open) return; // closed again while it was fetched
    const aimed = new AimedPhoto(byId("cloud-photo-view"), { tileUrl, tilePx, texts });
    aimed.show(photo, info, at);
    this.aimed = aimed;
  }
}
