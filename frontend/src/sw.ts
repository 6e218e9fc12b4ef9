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
  readonly away: Away;
}

/** What to say in the place of a page that is not kept. */
interface Away {
  readonly lang: string;
  readonly title: string;
  readonly text: string;
  readonly link: string;
  readonly url: string;
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
/** Under this name each pack keeps what leads back to it. */
const AWAY = "/missions/away";
/** A network that says nothing for so long is none: a van at the edge of reach. */
const PATIENCE_MS = 6_000;
const worker = self as unknown as EventTarget & {
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
};

async function keep(pack: Keep): Promise<Kept> {
  const cache = await caches.open(PREFIX + pack.name);
  await cache.put(AWAY, new Response(JSON.stringify(pack.away)));
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
    if (pathname !== AWAY && !wanted.includes(pathname + search) || missing.includes(pathname + search)) await cache.delete(request);
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

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A page without network that no pack holds: it says so, and leads to those that are here. */
async function away(): Promise<Response> {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
  const found = await Promise.all(names.map(async (name) => (await caches.open(name)).match(AWAY)));
  const all = await Promise.all(found.filter((one) => one !== undefined).map((one) => one.json() as Promise<Away>));
  const newest = all.at(-1);
  if (newest === undefined) return Response.error();
  const links = all.map((one) => `<li><a href="${escaped(one.url)}" lang="${escaped(one.lang)}">${escaped(one.link)}</a></li>`);
  const page = `<!doctype html><html lang="${escaped(newest.lang)}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(newest.title)}</title>
<link rel="stylesheet" href="/static/droneteam.css"></head><body><main><h1>${escaped(newest.title)}</h1>
<p>${escaped(newest.text)}</p><ul>${links.join("")}</ul></main></body></html>`;
  const headers = { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; style-src 'self'" };
  return new Response(page, { status: 503, headers });
}

async function answer(request: Request): Promise<Response> {
  const copy = await kept(request);
  if (copy === undefined) return request.mode === "navigate" ? fetch(request).catch(away) : fetch(request);
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
  // Pages, map data and scripts of packs, and whatever somebody goes to; never streams, programs' calls or the log itself.
  const packed = /^\/(missions|static)\//.test(pathname) && !pathname.endsWith(".json");
  if (!ours || !(packed || request.mode === "navigate")) return;
  (event as FetchEventLike).respondWith(answer(request));
});
