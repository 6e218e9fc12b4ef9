/** A node's points in one buffer of three parts, from a decoder to the graphics card; pure.

    First float32 east, north, up (m about the cloud's middle) of all points, then uint8 red,
    green, blue and class of all, then float32 1-sigma (m; NaN where the file has none). */

export const BYTES_PER_POINT = 20;
const PLACE_BYTES = 12;
const PAINT_BYTES = 4;

/** The parts of a buffer, in place. */
export interface PointArrays {
  readonly count: number;
  readonly places: Float32Array<ArrayBuffer>;
  readonly paints: Uint8Array<ArrayBuffer>;
  readonly sigmas: Float32Array<ArrayBuffer>;
}

export function arraysOf(buffer: ArrayBuffer): PointArrays {
  const count = buffer.byteLength / BYTES_PER_POINT;
  return {
    count,
    places: new Float32Array(buffer, 0, 3 * count),
    paints: new Uint8Array(buffer, PLACE_BYTES * count, PAINT_BYTES * count),
    sigmas: new Float32Array(buffer, (PLACE_BYTES + PAINT_BYTES) * count, count),
  };
}

/** The server's buffer of old scenes: a point's place and colour after each other, one byte spare. */
const BYTES_PER_PLAIN_POINT = 16;

/** How a file's records are to be read; colourAt and sigmaAt are -1 where it has none. */
export interface RecordShape {
  readonly format: number;
  readonly length: number;
  readonly colourAt: number;
  readonly sigmaAt: number;
  readonly scale: readonly [number, number, number];
  /** The record's zero, in metres about the cloud's middle. */
  readonly zero: readonly [number, number, number];
}

/** A LAZ chunk's decoder; what it gave before is no longer there when it gives the next. */
export interface RecordSource {
  next(): DataView;
}

const CLASS_AT = 16;
const GREY = 200;

/** The points of a chunk. */
export function unpack(source: RecordSource, count: number, shape: RecordShape): ArrayBuffer {
  const made = new ArrayBuffer(count * BYTES_PER_POINT);
  const { places, paints, sigmas } = arraysOf(made);
  const [sx, sy, sz] = shape.scale;
  const [x0, y0, z0] = shape.zero;
  for (let n = 0; n < count; n++) {
    const record = source.next();
    places[3 * n] = record.getInt32(0, true) * sx + x0;
    places[3 * n + 1] = record.getInt32(4, true) * sy + y0;
    places[3 * n + 2] = record.getInt32(8, true) * sz + z0;
    for (let band = 0; band < 3; band++) {
      paints[4 * n + band] = shape.colourAt < 0 ? GREY : record.getUint16(shape.colourAt + 2 * band, true) >> 8;
    }
    paints[4 * n + 3] = record.getUint8(CLASS_AT);
    sigmas[n] = shape.sigmaAt < 0 ? NaN : record.getFloat32(shape.sigmaAt, true);
  }
  return made;
}

/** The same of the server's buffer, for a scene without a COPC file. */
export function widened(plain: ArrayBuffer): ArrayBuffer {
  const count = Math.floor(plain.byteLength / BYTES_PER_PLAIN_POINT);
  const made = new ArrayBuffer(count * BYTES_PER_POINT);
  const { places, paints, sigmas } = arraysOf(made);
  const given = new DataView(plain);
  for (let n = 0; n < count; n++) {
    const start = n * BYTES_PER_PLAIN_POINT;
    for (let axis = 0; axis < 3; axis++) places[3 * n + axis] = given.getFloat32(start + 4 * axis, true);
    for (let band = 0; band < 3; band++) paints[4 * n + band] = given.getUint8(start + PLACE_BYTES + band);
    sigmas[n] = NaN;
  }
  return made;
}
