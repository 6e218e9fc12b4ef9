/** Eye-dome lighting: edges in depth are darkened, so that shape is seen without normals.

    Boucheny, Interactive scientific visualisation of large datasets: towards a perceptive-based
    approach, thesis, Grenoble 2009, chapter 2. */

import {
  BufferAttribute,
  BufferGeometry,
  Mesh,
  OrthographicCamera,
  type PerspectiveCamera,
  ShaderMaterial,
  Vector2,
  type WebGLRenderer,
  type WebGLRenderTarget,
} from "three";

const STRENGTH = 25;

const VERTEX = `
varying vec2 at;
void main() {
  at = position.xy * 0.5 + 0.5;
  gl_Position = vec4(position.xy, 0.0, 1.0);
}`;

const FRAGMENT = `
uniform sampler2D colours, depths;
uniform vec2 pixel;
uniform float near, far, strength;
varying vec2 at;

// The logarithm of the distance: the same step in it is the same part of the distance everywhere.
float logDepth(vec2 place) {
  float d = texture2D(depths, place).x;
  return d >= 1.0 ? -1.0 : log2(near * far / (far - d * (far - near)));
}

float nearer(float here, vec2 off) {
  float there = logDepth(at + off * pixel);
  return there < 0.0 ? 0.0 : max(0.0, here - there);
}

void main() {
  vec4 colour = texture2D(colours, at);
  float here = logDepth(at);
  if (here >= 0.0) {
    float sum = nearer(here, vec2(1.4, 0.0)) + nearer(here, vec2(-1.4, 0.0))
      + nearer(here, vec2(0.0, 1.4)) + nearer(here, vec2(0.0, -1.4));
    colour.rgb *= max(exp(-sum * 0.25 * strength), 0.25);
  }
  gl_FragColor = vec4(colour.rgb, 1.0);
}`;

export class EdgeShading {
  private readonly camera = new OrthographicCamera();
  private readonly material = new ShaderMaterial({
    uniforms: {
      colours: { value: null }, depths: { value: null }, pixel: { value: new Vector2() },
      near: { value: 1 }, far: { value: 2 }, strength: { value: STRENGTH },
    },
    vertexShader: VERTEX,
    fragmentShader: FRAGMENT,
    depthTest: false,
    depthWrite: false,
  });
  private readonly screen: Mesh;

  constructor() {
    const geometry = new BufferGeometry();
    // One triangle that covers the screen.
    geometry.setAttribute("position", new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
    this.screen = new Mesh(geometry, this.material);
    this.screen.frustumCulled = false;
  }

  /** Draws what was drawn into the target, with its edges. */
  draw(renderer: WebGLRenderer, from: WebGLRenderTarget, camera: PerspectiveCamera): void {
    const { uniforms } = this.material;
    const set = (name: string, value: unknown): void => {
      const uniform = uniforms[name];
      if (uniform !== undefined) uniform.value = value;
    };
    set("colours", from.texture);
    set("depths", from.depthTexture);
    set("pixel", new Vector2(1 / from.width, 1 / from.height));
    set("near", camera.near);
    set("far", camera.far);
    renderer.render(this.screen, this.camera);
  }
}
