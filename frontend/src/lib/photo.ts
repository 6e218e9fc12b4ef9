/** A photo in tiles of the server, in its own pixels: x to the right, y down as minus y. */

import OlMap from "ol/Map.js";
import View from "ol/View.js";
import Zoom from "ol/control/Zoom.js";
import DoubleClickZoom from "ol/interaction/DoubleClickZoom.js";
import { defaults } from "ol/interaction/defaults.js";
import type VectorLayer from "ol/layer/Vector.js";
import TileLayer from "ol/layer/Tile.js";
import Projection from "ol/proj/Projection.js";
import TileImage from "ol/source/TileImage.js";
import TileGrid from "ol/tilegrid/TileGrid.js";

import { fill } from "./page";

export interface PhotoInfo {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly levels: number;
}

export interface PhotoTexts {
  readonly zoomIn: string;
  readonly zoomOut: string;
}

const LARGEST_PIXEL = 1 / 12;

/** Shows one photo at a time; zoom, pan and pinch are the map's. */
export class PhotoView {
  readonly map: OlMap;
  private readonly picture = new TileLayer();

  constructor(
    target: HTMLElement,
    overlays: readonly VectorLayer[],
    private readonly tileUrl: string,
    private readonly tilePx: number,
    texts: PhotoTexts,
  ) {
    target.tabIndex = 0;
    // A double tap is two marks at one place, never a zoom: nobody should wait to see which.
    const interactions = defaults({ keyboard: false, doubleClickZoom: false }).getArray();
    this.map = new OlMap({
      target,
      layers: [this.picture, ...overlays],
      controls: [new Zoom({ zoomInTipLabel: texts.zoomIn, zoomOutTipLabel: texts.zoomOut })],
      interactions: interactions.filter((one) => !(one instanceof DoubleClickZoom)),
    });
  }

  /** Shows a photo, centred on a place with so many pixels around it; the whole of it without. */
  show(name: string, info: PhotoInfo, at: readonly [number, number] | null, aroundPx: number): void {
    const extent = [0, -info.heightPx, info.widthPx, 0];
    const projection = new Projection({ code: `photo:${name}`, units: "pixels", extent, metersPerUnit: 1 });
    const tileGrid = new TileGrid({
      extent,
      origin: [0, 0],
      tileSize: this.tilePx,
      resolutions: Array.from({ length: info.levels }, (_, z) => 2 ** (info.levels - 1 - z)),
    });
    const url = this.tileUrl.replace("PHOTO", encodeURIComponent(name));
    this.picture.setSource(
      new TileImage({
        projection,
        tileGrid,
        tileUrlFunction: ([z, x, y]) => fill(url, { z: z ?? 0, x: x ?? 0, y: y ?? 0 }),
        interpolate: true,
        transition: 0,
      }),
    );
    const view = new View({
      projection,
      center: at === null ? [info.widthPx / 2, -info.heightPx / 2] : [at[0], -at[1]],
      minResolution: LARGEST_PIXEL,
      extent,
      constrainOnlyCenter: true,
      showFullExtent: true,
    });
    this.picture.setExtent(extent); // tiles at the edge are padded
    this.map.setView(view);
    if (at === null) view.fit(extent);
    else view.setResolution((2 * aroundPx) / (this.map.getSize()?.[0] ?? 600));
  }
}
