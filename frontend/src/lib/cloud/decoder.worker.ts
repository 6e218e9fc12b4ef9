/** Reads pieces of a COPC file from the server and unpacks them, away from the page's own thread. */

import { Copc } from "copc";
import { createLazPerf } from "laz-perf/lib/worker";
import wasmUrl from "laz-perf/lib/worker/laz-perf.wasm?url";

import type { Answer, Ask, Hierarchy, NodeAsk, PageAsk } from "./messages";
import { type RecordSource, unpack } from "./points";

/** What is used of laz-perf, whose own types need those of Emscripten. */
interface LazPerf {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly ChunkDecoder: new () => ChunkDecoder;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}

interface ChunkDecoder {
  open(format: number, length: number, pointer: number): void;
  getPoint(pointer: number): void;
  delete(): void;
}

const running = new Map<number, AbortController>();
const lazPerf = createLazPerf({ locateFile: () => wasmUrl }) as unknown as Promise<LazPerf>;

type Range = (begin: number, end: number) => Promise<Uint8Array>;

/** Ranges of the file; the server must answer with exactly what was asked for. */
function rangeOf(url: string, signal: AbortSignal): Range {
  return async (begin, end) => {
    const response = await fetch(url, { headers: { Range: `bytes=${begin}-${end - 1}` }, signal });
    if (response.status !== 206) throw new Error(`${response.status} instead of a part of the file`);
    return new Uint8Array(await response.arrayBuffer());
  };
}

async function hierarchy({ page }: PageAsk, range: Range): Promise<Hierarchy> {
  const found = await Copc.loadHierarchyPage(range, { pageOffset: page.offset, pageLength: page.length });
  const nodes = Object.entries(found.nodes).flatMap(([key, node]) =>
    node === undefined
      ? []
      : [{ key, count: node.pointCount, offset: node.pointDataOffset, length: node.pointDataLength }],
  );
  const pages = Object.entries(found.pages).flatMap(([key, one]) =>
    one === undefined ? [] : [{ key, offset: one.pageOffset, length: one.pageLength }],
  );
  return { nodes, pages };
}

async function points(ask: NodeAsk, range: Range): Promise<ArrayBuffer> {
  const { node, shape } = ask;
  const [packed, laz] = await Promise.all([range(node.offset, node.offset + node.length), lazPerf]);
  const [chunk, record] = [laz._malloc(packed.byteLength), laz._malloc(shape.length)];
  const decoder = new laz.ChunkDecoder();
  try {
    laz.HEAPU8.set(packed, chunk);
    decoder.open(shape.format, shape.length, chunk);
    let view = new DataView(laz.HEAPU8.buffer, record, shape.length);
    const next = (): DataView => {
      decoder.getPoint(record);
      // Unpacking may make the memory grow, and a grown memory is another one.
      if (view.buffer !== laz.HEAPU8.buffer) view = new DataView(laz.HEAPU8.buffer, record, shape.length);
      return view;
    };
    return unpack({ next } satisfies RecordSource, node.count, shape);
  } finally {
    laz._free(chunk);
    laz._free(record);
    decoder.delete();
  }
}

function answer(ask: PageAsk | NodeAsk, signal: AbortSignal): Promise<Hierarchy | ArrayBuffer> {
  const range = rangeOf(ask.url, signal);
  return ask.kind === "page" ? hierarchy(ask, range) : points(ask, range);
}

function reply(message: Answer): void {
  const transfer = "done" in message && message.done instanceof ArrayBuffer ? [message.done] : [];
  self.postMessage(message, { transfer });
}

self.addEventListener("message", (event: MessageEvent<Ask>) => {
  const ask = event.data;
  if (ask.kind === "cancel") {
    running.get(ask.id)?.abort();
    return;
  }
  const control = new AbortController();
  running.set(ask.id, control);
  answer(ask, control.signal)
    .then((done) => reply({ id: ask.id, done }))
    .catch((error: unknown) => reply({ id: ask.id, failed: error instanceof Error ? error.message : String(error) }))
    .finally(() => running.delete(ask.id));
});
