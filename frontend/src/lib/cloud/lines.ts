/** What is being measured, drawn in the cloud. */

import { BufferGeometry, Line, LineBasicMaterial, Points, PointsMaterial, type Vector3 } from "three";

import type { Canvas } from "./measuring";
import type { Stage } from "./stage";

export const INK = "#ffc233";

export class StageLines implements Canvas<Vector3> {
  private drawn: readonly (Line | Points)[] = [];

  constructor(private readonly stage: Stage) {}

  show(picked: readonly Vector3[], closed: boolean): void {
    for (const one of this.drawn) {
      this.stage.remove(one);
      one.geometry.dispose();
    }
    const line = closed ? [...picked, picked[0] as Vector3] : [...picked];
    this.drawn = [
      new Line(new BufferGeometry().setFromPoints(line), new LineBasicMaterial({ color: INK, depthTest: false })),
      new Points(
        new BufferGeometry().setFromPoints([...picked]),
        new PointsMaterial({ color: INK, size: 9 * Math.min(window.devicePixelRatio, 2), sizeAttenuation: false, depthTest: false }),
      ),
    ];
    for (const one of this.drawn) {
      one.frustumCulled = false;
      this.stage.add(one, true);
    }
  }
}
