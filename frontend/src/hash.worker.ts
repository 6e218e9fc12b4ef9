/** Reads files in pieces and hashes them beside the page, which stays quick. */

import { Sha256 } from "./lib/sha256";

interface Task {
  readonly id: number;
  readonly file: File;
}

const PIECE_BYTES = 4 << 20;

// The page's types know a window where a worker has itself.
const own = self as unknown as {
  onmessage: ((event: MessageEvent<Task>) => void) | null;
  postMessage(message: unknown): void;
};

async function hash({ id, file }: Task): Promise<void> {
  const digest = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    digest.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()));
    own.postMessage({ id, fraction: Math.min(1, (at + PIECE_BYTES) / file.size) });
  }
  own.postMessage({ id, sha256: digest.hex() });
}

own.onmessage = (event) => {
  const { id } = event.data;
  hash(event.data).catch((error: unknown) => {
    own.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  });
};
