/** The operator's own basemap, where the installation names one; loaded only then. */

import type Layer from "ol/layer/Layer.js";
import TileLayer from "ol/layer/Tile.js";
import VectorTileLayer from "ol/layer/VectorTile.js";
import MVT from "ol/format/MVT.js";
import type { FeatureLike } from "ol/Feature.js";
import type ImageTile from "ol/ImageTile.js";
import TileState from "ol/TileState.js";
import type VectorTile from "ol/VectorTile.js";
import TileWMS from "ol/source/TileWMS.js";
import VectorTileSource from "ol/source/VectorTile.js";
import XYZ from "ol/source/XYZ.js";
import type Style from "ol/style/Style.js";
import { PMTiles, TileType } from "pmtiles";

import { label, style } from "./map";

export interface BasemapSetting {
  readonly kind: "xyz" | "wms" | "pmtiles";
  readonly url: string;
  readonly attribution: string;
}

const MAX_ZOOM = 20;

/** The layer that lies under everything else. */
export async function tileLayer(setting: BasemapSetting): Promise<Layer> {
  const attributions = setting.attribution;
  if (setting.kind === "xyz") {
    return new TileLayer({ source: new XYZ({ url: setting.url, attributions, maxZoom: MAX_ZOOM }) });
  }
  if (setting.kind === "wms") {
    return new TileLayer({ source: new TileWMS({ url: setting.url, params: {}, attributions }) });
  }
  return archiveLayer(new PMTiles(new URL(setting.url, location.href).href), attributions);
}

async function archiveLayer(archive: PMTiles, attributions: string): Promise<Layer> {
  const { tileType, minZoom, maxZoom } = await archive.getHeader();
  const options = { url: "{z}/{x}/{y}", attributions, minZoom, maxZoom };
  if (tileType === TileType.Mvt) {
    const source = new VectorTileSource({
      ...options,
      format: new MVT(),
      tileLoadFunction: (tile, path) => loadVectors(archive, tile as VectorTile<never>, path),
    });
    return new VectorTileLayer({ source, declutter: true, style: vectorStyle });
  }
  const load = (tile: unknown, path: string): void => void loadImage(archive, tile as ImageTile, path);
  return new TileLayer({ source: new XYZ({ ...options, tileLoadFunction: load }) });
}

async function bytesOf(archive: PMTiles, path: string): Promise<ArrayBuffer | undefined> {
  const [z, x, y] = path.split("/").map(Number) as [number, number, number];
  return (await archive.getZxy(z, x, y))?.data;
}

async function loadImage(archive: PMTiles, tile: ImageTile, path: string): Promise<void> {
  try {
    const data = await bytesOf(archive, path);
    if (data === undefined) {
      tile.setState(TileState.EMPTY);
      return;
    }
    const url = URL.createObjectURL(new Blob([data]));
    const image = tile.getImage() as HTMLImageElement;
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  } catch {
    tile.setState(TileState.ERROR);
  }
}

function loadVectors(archive: PMTiles, tile: VectorTile<never>, path: string): void {
  tile.setLoader((extent, _resolution, projection) => {
    bytesOf(archive, path)
      .then((data) => {
        const read = { extent, featureProjection: projection };
        tile.setFeatures(data === undefined ? [] : (new MVT().readFeatures(data, read) as never[]));
      })
      .catch(() => tile.setState(TileState.ERROR));
  });
}

/** Layers of the common vector schemas (Protomaps, OpenMapTiles), in quiet colours. */
const LOOKS: Readonly<Record<string, Style>> = {
  water: style("#7fb0d4", 1, "#a9cde6"),
  waterway: style("#7fb0d4", 1.5),
  landuse: style("#dfe3d8", 0.5, "#e9ece2"),
  landcover: style("#d3e4c6", 0.5, "#dcead2"),
  natural: style("#d3e4c6", 0.5, "#dcead2"),
  park: style("#a9c49a", 1, "#d3e4c6"),
  buildings: style("#c3b9a8", 0.7, "#e3dccf"),
  building: style("#c3b9a8", 0.7, "#e3dccf"),
  roads: style("#c9b79a", 1.8),
  transportation: style("#c9b79a", 1.8),
  boundaries: style("#8b6fa8", 1.2, undefined, [6, 4]),
  boundary: style("#8b6fa8", 1.2, undefined, [6, 4]),
};
const NAMED = new Set(["places", "place", "roads", "transportation_name", "water_name", "pois"]);

function vectorStyle(feature: FeatureLike): Style[] {
  const layer = String(feature.get("layer"));
  const look = LOOKS[layer];
  const name = feature.get("name") as string | undefined;
  const named = NAMED.has(layer) && name ? [label(name, 0, "11px system-ui, sans-serif", "#4c5a6a")] : [];
  return look === undefined ? named : [look, ...named];
}
