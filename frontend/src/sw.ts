/** The service worker: answers for the pages of mission packs when the network does not.

    Only what a pack names is ever kept, each pack in a cache of its own, and only for whoever was
    signed in: signing out deletes them.  With a network the server's answer always wins.  The file
    stands alone: a worker that imports others could find them gone when there is no network. */

interface Keep {
  readonly type: "keep";
  readonly name: string;
  readonly urls: readonly string[];
  /** Files that are kept where there are any: a mission may be too long for a format. */
  readonly files: readonly string[];
}

interface Kept {
  readonly count: number;
  /** Files that the server does not give. */
  readonly missing: readonly string[];
}

interface ExtendableEventLike extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEventLike extends ExtendableEventLike {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface MessageEventLike extends ExtendableEventLike {
  readonly data: Keep;
  readonly ports: readonly MessagePort[];
}

const PREFIX = "pack-";
/** A network that says nothing for so long is none: a van at the edge of reach. */
const PATIENCE_MS = 6_000;
const worker = self as unknown as EventTarget & {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
};

async function keep(pack: Keep): Promise<Kept> {
  const cache = await caches.open(PREFIX + pack.name);
  const files = new Set(pack.files);
  const wanted = [...new Set([...pack.urls, ...pack.files])];
  const missing: string[] = [];
  for (const url of wanted) {
    const answer = await fetch(url, { credentials: "same-origin", cache: "no-cache" });
    // A redirect leads to the sign-in page: that is not what is to be kept.
    if (answer.ok && !answer.redirected) await cache.put(url, answer);
    else if (files.has(url) && [404, 422].includes(answer.status)) missing.push(url);
    else throw new Error(`${url}: ${answer.status}`);
  }
  for (const request of await cache.keys()) {
    const { pathname, search } = new URL(request.url);
    if (!wanted.includes(pathname + search) || missing.includes(pathname + search)) await cache.delete(request);
  }
  return { count: wanted.length - missing.length, missing };
}

async function kept(request: Request): Promise<Response | undefined> {
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX)) continue;
    const found = await (await caches.open(name)).match(request, { ignoreVary: true });
    if (found !== undefined) return found;
  }
  return undefined;
}

async function answer(request: Request): Promise<Response> {
  const copy = await kept(request);
  if (copy === undefined) return fetch(request);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), PATIENCE_MS);
  try {
    const fresh = await fetch(request, { signal: silence.signal });
    return fresh.status >= 500 ? copy : fresh;
  } catch {
    return copy;
  } finally {
    clearTimeout(timer);
  }
}

worker.addEventListener("install", (event) => (event as ExtendableEventLike).waitUntil(worker.skipWaiting()));
worker.addEventListener("activate", (event) => (event as ExtendableEventLike).waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  const { data, ports } = event as unknown as MessageEventLike;
  if (data.type !== "keep") return;
  (event as ExtendableEventLike).waitUntil(
    keep(data).then(
      (kept) => ports[0]?.postMessage(kept),
      (error: unknown) => ports[0]?.postMessage({ problem: String(error) }),
    ),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event as FetchEventLike;
  const { pathname, origin } = new URL(request.url);
  const ours = origin === location.origin && request.method === "GET";
  // Pages, map data and scripts of packs; never streams, programs' calls or the log itself.
  if (!ours || !/^\/(missions|static)\//.test(pathname) || pathname.endsWith(".json")) return;
  (event as FetchEventLike).respondWith(answer(request));
});
