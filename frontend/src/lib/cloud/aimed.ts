/** A photo with a cross at one place of it; a part of its own, since it brings the map library. */

import Feature from "ol/Feature.js";
import MultiLineString from "ol/geom/MultiLineString.js";

import { style, vectorLayer } from "../map";
import { type PhotoInfo, PhotoView } from "../photo";

export interface AimedSetting {
  readonly tileUrl: string;
  readonly tilePx: number;
  readonly texts: { readonly zoomIn: string; readonly zoomOut: string };
}

const AROUND_PX = 200;
const NEAR_PX = 4;
const FAR_PX = 24;

export class AimedPhoto {
  private readonly cross = vectorLayer(() => [style("#10161d", 5), style("#ffd24d", 2.5)], 2);
  private readonly view: PhotoView;

  constructor(target: HTMLElement, setting: AimedSetting) {
    this.view = new PhotoView(target, [this.cross.layer], setting.tileUrl, setting.tilePx, setting.texts);
  }

  /** Lets go of the page's element. */
  close(): void {
    this.view.map.setTarget(undefined);
  }

  show(photo: string, info: PhotoInfo, at: readonly [number, number] | null): void {
    this.view.show(photo, info, at, AROUND_PX);
    this.cross.source.clear();
    if (at === null) return;
    const [x, y] = [at[0], -at[1]];
    const arms = [[1, 0], [-1, 0], [0, 1], [0, -1]] as const;
    const lines = arms.map(([dx, dy]) => [NEAR_PX, FAR_PX].map((r) => [x + r * dx, y + r * dy]));
    this.cross.source.addFeature(new Feature(new MultiLineString(lines)));
  }
}
