/** How points are drawn: their size, their colours, and what a clip box leaves of them. */

import { Box3, Plane, ShaderMaterial, Vector2, Vector3 } from "three";

export const COLOURS = ["photo", "height", "sigma", "class"] as const;
export type Colours = (typeof COLOURS)[number];

const VERTEX = `
uniform int mode;
uniform float spacing, pxPerRad, factor;
uniform vec2 heights, sigmas;
uniform vec3 clipLow, clipHigh;
attribute vec4 paint;
attribute float sigma;
varying vec3 shown;

// Five stops of viridis (van der Walt and Smith, 2015): dark to light, the same for the colour-blind.
vec3 ramp(float t) {
  t = clamp(t, 0.0, 1.0) * 4.0;
  vec3 a = vec3(0.267, 0.005, 0.329), b = vec3(0.230, 0.322, 0.546), c = vec3(0.128, 0.567, 0.551);
  vec3 d = vec3(0.369, 0.789, 0.383), e = vec3(0.993, 0.906, 0.144);
  if (t < 1.0) return mix(a, b, t);
  if (t < 2.0) return mix(b, c, t - 1.0);
  if (t < 3.0) return mix(c, d, t - 2.0);
  return mix(d, e, t - 3.0);
}

// Classes of ASPRS LAS 1.4 R15, table 17: unclassified, ground, vegetation, building, noise, water, others.
vec3 ofClass(float code) {
  if (code < 1.5) return vec3(0.72);
  if (code < 2.5) return vec3(0.63, 0.44, 0.24);
  if (code < 5.5) return vec3(0.30, 0.62, 0.27);
  if (code < 6.5) return vec3(0.85, 0.33, 0.26);
  if (code < 7.5) return vec3(0.93, 0.20, 0.70);
  if (code < 9.5) return vec3(0.30, 0.55, 0.86);
  return vec3(0.95, 0.78, 0.30);
}

void main() {
  bool inside = all(greaterThanEqual(position, clipLow)) && all(lessThanEqual(position, clipHigh));
  vec4 place = modelViewMatrix * vec4(position, 1.0);
  gl_Position = inside ? projectionMatrix * place : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = clamp(factor * spacing * pxPerRad / max(-place.z, 1e-6), 1.5, 24.0);
  if (mode == 1) shown = ramp((position.z - heights.x) / max(heights.y - heights.x, 1e-6));
  else if (mode == 2) shown = ramp((sigma - sigmas.x) / max(sigmas.y - sigmas.x, 1e-6));
  else if (mode == 3) shown = ofClass(floor(paint.a * 255.0 + 0.5));
  else shown = paint.rgb;
}`;

const FRAGMENT = `
varying vec3 shown;
void main() {
  vec2 off = gl_PointCoord - 0.5;
  if (dot(off, off) > 0.25) discard;
  gl_FragColor = vec4(shown, 1.0);
}`;

/** What all nodes' materials share. */
export class Look {
  readonly shared = {
    mode: { value: 0 },
    pxPerRad: { value: 1 },
    factor: { value: 1 },
    heights: { value: new Vector2(0, 1) },
    sigmas: { value: new Vector2(0, 0.05) },
    clipLow: { value: new Vector3(-1e9, -1e9, -1e9) },
    clipHigh: { value: new Vector3(1e9, 1e9, 1e9) },
  };

  /** The clip box as planes, for what is not drawn by this shader: the same objects all along. */
  readonly planes: readonly Plane[] = [
    new Plane(new Vector3(1, 0, 0), 1e9), new Plane(new Vector3(-1, 0, 0), 1e9),
    new Plane(new Vector3(0, 1, 0), 1e9), new Plane(new Vector3(0, -1, 0), 1e9),
    new Plane(new Vector3(0, 0, 1), 1e9), new Plane(new Vector3(0, 0, -1), 1e9),
  ];

  set colours(which: Colours) {
    this.shared.mode.value = COLOURS.indexOf(which);
  }

  get clip(): Box3 {
    return new Box3(this.shared.clipLow.value.clone(), this.shared.clipHigh.value.clone());
  }

  set clip(box: Box3) {
    this.shared.clipLow.value.copy(box.min);
    this.shared.clipHigh.value.copy(box.max);
    const { min, max } = box;
    [-min.x, max.x, -min.y, max.y, -min.z, max.z].forEach((constant, n) => {
      (this.planes[n] as Plane).constant = constant;
    });
  }

  /** A node's material; its program is the same for all. */
  material(spacing: number): ShaderMaterial {
    return new ShaderMaterial({
      uniforms: { ...this.shared, spacing: { value: spacing } },
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
    });
  }
}
