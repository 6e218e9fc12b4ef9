/** SHA-256 (FIPS 180-4) in pieces: crypto.subtle takes a whole file at once and needs HTTPS. */

const ROUND = Uint32Array.from(
  primes(64).map((prime) => fraction(Math.cbrt(prime))),
);
const START = primes(8).map((prime) => fraction(Math.sqrt(prime)));
const BLOCK = 64;

/** The first primes, whose roots' fractions are the standard's constants (4.2.2, 5.3.3). */
function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n += 1) {
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  }
  return found;
}

function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

function turn(x: number, by: number): number {
  return (x >>> by) | (x << (32 - by));
}

export class Sha256 {
  private readonly state = Uint32Array.from(START);
  private readonly words = new Uint32Array(64);
  private readonly rest = new Uint8Array(BLOCK);
  private held = 0;
  private total = 0;

  /** Takes the next piece. */
  update(bytes: Uint8Array): void {
    this.total += bytes.length;
    let at = 0;
    if (this.held > 0) {
      at = Math.min(BLOCK - this.held, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < BLOCK) return;
      this.block(new DataView(this.rest.buffer), 0);
      this.held = 0;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.block(view, at);
    this.rest.set(bytes.subarray(at));
    this.held = bytes.length - at;
  }

  /** The digest in lower-case hexadecimal; nothing can be added after it. */
  hex(): string {
    const bits = this.total * 8;
    const padding = new Uint8Array(((this.held < 56 ? 56 : 120) - this.held) + 8);
    padding[0] = 0x80;
    const tail = new DataView(padding.buffer);
    tail.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32));
    tail.setUint32(padding.length - 4, bits >>> 0);
    this.update(padding);
    return [...this.state].map((word) => word.toString(16).padStart(8, "0")).join("");
  }

  private block(view: DataView, at: number): void {
    const w = this.words;
    for (let t = 0; t < 16; t += 1) w[t] = view.getUint32(at + 4 * t);
    for (let t = 16; t < 64; t += 1) {
      const [x, y] = [w[t - 15] as number, w[t - 2] as number];
      const low = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
      const high = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
      w[t] = ((w[t - 16] as number) + low + (w[t - 7] as number) + high) | 0;
    }
    const s = this.state;
    let a = s[0] as number, b = s[1] as number, c = s[2] as number, d = s[3] as number;
    let e = s[4] as number, f = s[5] as number, g = s[6] as number, h = s[7] as number;
    for (let t = 0; t < 64; t += 1) {
      const choice = (e & f) ^ (~e & g);
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + (ROUND[t] as number) + (w[t] as number)) | 0;
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
      h = g; g = f; f = e; e = (d + one) | 0;
      d = c; c = b; b = a; a = (one + two) | 0;
    }
    s[0] = (s[0] as number) + a; s[1] = (s[1] as number) + b; s[2] = (s[2] as number) + c; s[3] = (s[3] as number) + d;
    s[4] = (s[4] as number) + e; s[5] = (s[5] as number) + f; s[6] = (s[6] as number) + g; s[7] = (s[7] as number) + h;
  }
}
