/** Kept measurements in the cloud: lines between their points, with name and value. */

import { BufferGeometry, CanvasTexture, Group, Line, LineBasicMaterial, Sprite, SpriteMaterial, Vector3 } from "three";

import { colon } from "../page";

/** corners : metres about the cloud's middle. */
export interface Kept {
  readonly name: string;
  readonly text: string;
  readonly closed: boolean;
  readonly corners: readonly (readonly [number, number, number])[];
}

const INK = "#ffd24d";
const GROUND = "rgba(16, 22, 29, 0.82)";
const FONT_PX = 26;
const PAD_PX = 10;
/** A label's height, in parts of the view's. */
const LABEL = 0.026;

export function keptLayer(rows: readonly Kept[]): Group {
  const group = new Group();
  for (const row of rows) {
    const corners = row.corners.map((corner) => new Vector3(...corner));
    const line = row.closed && corners.length > 2 ? [...corners, corners[0] as Vector3] : corners;
    group.add(new Line(new BufferGeometry().setFromPoints(line), new LineBasicMaterial({ color: INK, depthTest: false })));
    const middle = corners.reduce((sum, corner) => sum.add(corner), new Vector3()).divideScalar(Math.max(corners.length, 1));
    group.add(labelAt(middle, `${row.name}${colon()} ${row.text}`));
  }
  return group;
}

/** A text that keeps its size on the screen. */
function labelAt(place: Vector3, text: string): Sprite {
  const canvas = document.createElement("canvas");
  const font = `600 ${FONT_PX}px system-ui, sans-serif`;
  const measure = canvas.getContext("2d");
  if (measure !== null) measure.font = font;
  canvas.width = Math.ceil(measure?.measureText(text).width ?? 0) + 2 * PAD_PX;
  canvas.height = FONT_PX + 2 * PAD_PX;
  const context = canvas.getContext("2d");
  if (context !== null) {
    context.fillStyle = GROUND;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.font = font;
    context.fillStyle = INK;
    context.textBaseline = "middle";
    context.fillText(text, PAD_PX, canvas.height / 2);
  }
  const material = new SpriteMaterial({ map: new CanvasTexture(canvas), depthTest: false, sizeAttenuation: false, transparent: true });
  const sprite = new Sprite(material);
  sprite.position.copy(place);
  sprite.scale.set((LABEL * canvas.width) / canvas.height, LABEL, 1);
  sprite.center.set(0.5, -0.3);
  return sprite;
}
