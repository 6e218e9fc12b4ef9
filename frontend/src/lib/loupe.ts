import { byId } from "./page";

const LOUPE_PX = 22;
const CUT_PX = 64;

/** The magnifier: the photo's own pixels around a place, with a cross at its tenth of a pixel. */
export class Loupe {
  private readonly canvas = byId<HTMLCanvasElement>("loupe");
  private readonly cuts = new Map<string, HTMLImageElement>();

  /** cutUrl : where a photo's cut-outs are. */
  constructor(private readonly cutUrl: (photo: string) => string) {}

  show(photo: string, x: number, y: number, marked: boolean): void {
    // Cut-outs begin at multiples, so that nudging asks for a new one only now and then.
    const step = 16;
    const left = Math.floor(x / step) * step - (CUT_PX - step) / 2;
    const top = Math.floor(y / step) * step - (CUT_PX - step) / 2;
    const key = `${this.cutUrl(photo)}?x=${left}&y=${top}&side=${CUT_PX}`;
    let image = this.cuts.get(key);
    if (image === undefined) {
      image = new Image();
      image.src = key;
      this.cuts.set(key, image);
    }
    const ready = image;
    const paint = (): void => this.paint(ready, x - left, y - top, marked);
    if (ready.complete) paint();
    else ready.addEventListener("load", paint, { once: true });
  }

  private paint(image: HTMLImageElement, x: number, y: number, marked: boolean): void {
    const context = this.canvas.getContext("2d");
    if (context === null || image.naturalWidth === 0) return;
    const side = this.canvas.width;
    context.imageSmoothingEnabled = true;
    context.clearRect(0, 0, side, side);
    context.drawImage(image, x - LOUPE_PX / 2, y - LOUPE_PX / 2, LOUPE_PX, LOUPE_PX, 0, 0, side, side);
    for (const [colour, width] of [["#10161d", 5], [marked ? "#ff5468" : "#ffd24d", 2]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
        context.moveTo(side / 2 + 8 * dx, side / 2 + 8 * dy);
        context.lineTo(side / 2 + (dx * side) / 3, side / 2 + (dy * side) / 3);
      }
      context.stroke();
    }
  }
}
