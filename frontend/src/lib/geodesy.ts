/** Distances and areas on the WGS84 ellipsoid, for scenes of at most some kilometres. */

const A_M = 6_378_137.0;
const F = 1 / 298.257223563;
const E2 = F * (2 - F);
const RAD = Math.PI / 180;

export interface LatLon {
  readonly latDeg: number;
  readonly lonDeg: number;
}

/** East and north of a point about an origin, in metres, on the ellipsoid's local radii. */
export function eastNorth(origin: LatLon, point: LatLon): [number, number] {
  const lat = ((origin.latDeg + point.latDeg) / 2) * RAD;
  const w2 = 1 - E2 * Math.sin(lat) ** 2;
  const meridian = (A_M * (1 - E2)) / w2 ** 1.5;
  const normal = A_M / Math.sqrt(w2);
  return [
    (point.lonDeg - origin.lonDeg) * RAD * normal * Math.cos(lat),
    (point.latDeg - origin.latDeg) * RAD * meridian,
  ];
}

/** The point so many metres to the east and north of another. */
export function moved(point: LatLon, eastM: number, northM: number): LatLon {
  const [, perLatM] = eastNorth(point, { latDeg: point.latDeg + 1e-3, lonDeg: point.lonDeg });
  const [perLonM] = eastNorth(point, { latDeg: point.latDeg, lonDeg: point.lonDeg + 1e-3 });
  return {
    latDeg: point.latDeg + (1e-3 * northM) / perLatM,
    lonDeg: point.lonDeg + (1e-3 * eastM) / perLonM,
  };
}

/** Metres between two points; good to 1 mm over 1 km at our latitudes. */
export function distanceM(a: LatLon, b: LatLon): number {
  return Math.hypot(...eastNorth(a, b));
}

/** Square metres inside a ring of points; the first corner need not be repeated. */
export function areaM2(ring: readonly LatLon[]): number {
  const origin = ring[0];
  if (origin === undefined || ring.length < 3) return 0;
  const flat = ring.map((corner) => eastNorth(origin, corner));
  let twice = 0;
  flat.forEach(([x, y], i) => {
    const [nextX, nextY] = flat[(i + 1) % flat.length] as [number, number];
    twice += x * nextY - nextX * y;
  });
  return Math.abs(twice) / 2;
}

/** The place of a line with "lat, lon"; null when it is something else. */
function parseCorner(line: string): LatLon | null {
  const match = /^\s*([-+]?\d+(?:[.,]\d+)?)\s*[,;\s]\s*([-+]?\d+(?:[.,]\d+)?)\s*$/.exec(line);
  if (match === null) return null;
  const [latDeg, lonDeg] = [match[1], match[2]].map((part) => Number((part as string).replace(",", "."))) as [number, number];
  return Math.abs(latDeg) > 90 || Math.abs(lonDeg) > 180 ? null : { latDeg, lonDeg };
}

/** The number of the first line that is no place; 0 where all are. */
export function wrongLine(text: string): number {
  return text.split("\n").findIndex((line) => line.trim() !== "" && parseCorner(line) === null) + 1;
}

/** The corners of a text with one "lat, lon" per line; null when a line is something else. */
export function parseCorners(text: string): LatLon[] | null {
  if (wrongLine(text) > 0) return null;
  return text.split("\n").map(parseCorner).filter((corner) => corner !== null);
}
