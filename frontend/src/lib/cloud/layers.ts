/** What lies beside the cloud: the textured mesh, and the cameras as pyramids. */

import {
  Box3,
  BufferGeometry,
  Group,
  LineBasicMaterial,
  LineSegments,
  type Material,
  Matrix4,
  Mesh,
  MeshBasicMaterial,
  NoColorSpace,
  type Plane,
  type Ray,
  Raycaster,
  Texture,
  type Vector2,
  Vector3,
} from "three";

import type { GLTFLoaderPlugin, GLTFParser } from "three/examples/jsm/loaders/GLTFLoader.js";

import { read } from "../api";
import type { Stage } from "./stage";

export interface CameraPose {
  readonly photo: string;
  readonly centre_enu_m: readonly [number, number, number];
  readonly corner_rays: readonly (readonly [number, number, number])[];
}

export interface SceneCameras {
  readonly cameras: readonly CameraPose[];
  readonly cloud_from_enu: readonly (readonly [number, number, number, number])[] | null;
}

const INK = "#7db8f5";
/** A finger's half width, in parts of the view's height. */
const REACH = 0.06;

/** From east, north, up to the page's coordinates. */
export function matrixOf(rows: SceneCameras["cloud_from_enu"]): Matrix4 {
  const [a, b, c] = rows ?? [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
  return new Matrix4().set(...(a as Row), ...(b as Row), ...(c as Row), 0, 0, 0, 1);
}
type Row = [number, number, number, number];

/** The edges of the cameras' pyramids, of so many metres of height. */
export class CameraLayer {
  readonly group = new Group();
  private readonly centres: readonly { photo: string; at: Vector3 }[];

  constructor(scene: SceneCameras, depth: number) {
    const matrix = matrixOf(scene.cloud_from_enu);
    const ends: Vector3[] = [];
    this.centres = scene.cameras.map((camera) => {
      const centre = new Vector3(...camera.centre_enu_m);
      const corners = camera.corner_rays.map((ray) => centre.clone().addScaledVector(new Vector3(...ray), depth));
      corners.forEach((corner, n) => {
        ends.push(centre.clone(), corner, corner.clone(), (corners[(n + 1) % corners.length] as Vector3).clone());
      });
      return { photo: camera.photo, at: centre.clone().applyMatrix4(matrix) };
    });
    for (const end of ends) end.applyMatrix4(matrix);
    const geometry = new BufferGeometry().setFromPoints(ends);
    this.group.add(new LineSegments(geometry, new LineBasicMaterial({ color: INK })));
  }

  /** Where the cameras stood. */
  get box(): Box3 {
    return new Box3().setFromPoints(this.centres.map(({ at }) => at));
  }

  /** The photo of the camera nearest to a tapped place, where one is near. */
  under(at: Vector2, stage: Stage): string | null {
    let best: { photo: string; off: number } | null = null;
    for (const { photo, at: centre } of this.centres) {
      const seen = stage.placeOf(centre);
      if (seen === null) continue;
      const off = Math.hypot((seen.x - at.x) * stage.camera.aspect, seen.y - at.y);
      if (off < REACH && (best === null || off < best.off)) best = { photo, off };
    }
    return best?.photo ?? null;
  }
}

export async function loadCameras(url: string, depth: number): Promise<CameraLayer> {
  return new CameraLayer(await read<SceneCameras>(url), depth);
}

/** Takes a file's pictures from its own bytes: the loader would fetch them by a blob: address,
    which the page's content policy refuses. */
class OwnPictures implements GLTFLoaderPlugin {
  readonly name = "droneteam_own_pictures";

  constructor(private readonly parser: GLTFParser) {}

  async loadTexture(index: number): Promise<Texture> {
    const { textures, images } = this.parser.json as GltfPictures;
    const image = images[textures[index]?.source ?? -1];
    if (image?.bufferView === undefined) throw new Error("the mesh's pictures are not in its file");
    const bytes = (await this.parser.getDependency("bufferView", image.bufferView)) as ArrayBuffer;
    const texture = new Texture(await createImageBitmap(new Blob([bytes], { type: image.mimeType ?? "" })));
    texture.flipY = false; // glTF counts rows from the top
    texture.needsUpdate = true;
    return texture;
  }
}

interface GltfPictures {
  readonly textures: readonly { readonly source?: number }[];
  readonly images: readonly { readonly bufferView?: number; readonly mimeType?: string }[];
}

/** Where a ray first meets a mesh; null where it passes by. */
export function meets(group: Group, ray: Ray, within: Box3): Vector3 | null {
  const caster = new Raycaster(ray.origin, ray.direction);
  group.updateMatrixWorld();
  return caster.intersectObject(group, true).find(({ point }) => within.containsPoint(point))?.point ?? null;
}

/** The scene's mesh in the page's coordinates, in the photos' own light. */
export async function loadMesh(url: string, cameras: string, clip: readonly Plane[]): Promise<Group> {
  const [{ GLTFLoader }, scene] = await Promise.all([
    import("three/examples/jsm/loaders/GLTFLoader.js"),
    read<SceneCameras>(cameras),
  ]);
  const gltf = await new GLTFLoader().register((parser) => new OwnPictures(parser)).loadAsync(url);
  const group = new Group();
  // The file's root turns up to glTF's y and holds the vertices' middle; we want neither turned.
  gltf.scene.traverse((part) => {
    if (!(part instanceof Mesh)) return;
    const middle = middleOf(part);
    const mesh = new Mesh(part.geometry as BufferGeometry, unlit(part.material as Material, clip));
    mesh.position.set(...middle);
    group.add(mesh);
  });
  group.applyMatrix4(matrixOf(scene.cloud_from_enu));
  return group;
}

function middleOf(part: Mesh): [number, number, number] {
  const found: unknown = part.userData["origin_enu_m"] ?? part.parent?.userData["origin_enu_m"];
  return Array.isArray(found) ? (found as [number, number, number]) : [0, 0, 0];
}

/** The photos hold their light already. */
function unlit(material: Material, clip: readonly Plane[]): MeshBasicMaterial {
  const { map = null, vertexColors } = material as Material & { map?: MeshBasicMaterial["map"] };
  if (map !== null) map.colorSpace = NoColorSpace; // as the points: nothing is computed in linear light
  return new MeshBasicMaterial({ map, vertexColors, clippingPlanes: [...clip] });
}

