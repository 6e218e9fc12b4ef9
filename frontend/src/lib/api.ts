/** Calls of the server's API from a page: JSON in and out, the session's token with every write.

    A session that ends under an open page costs nothing: once its person has signed in again, in
    another tab, the page takes over the new session's token and what was refused is sent again. */

/** What the server said against a request, in its own words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

/** The session is over, or it is another person's now: nothing is sent until its owner is back. */
export class SignedOut extends Refused {
  constructor(
    detail: string,
    readonly someoneElse: boolean,
  ) {
    super(401, detail);
  }
}

/** A page that is small and says whose session it is. */
const OWN_PAGE = "/account";

/** Whose page it is, and the token of its forms. */
export interface PageFacts {
  readonly user: string;
  readonly token: string;
}

/** The facts in a page's text; null of a page that nobody is signed in to; pure. */
export function factsOf(page: string): PageFacts | null {
  const user = /<meta name="user" content="(\d+)">/.exec(page)?.[1];
  const token = /name="csrf_token" value="([^"]+)"/.exec(page)?.[1];
  return user === undefined || token === undefined ? null : { user, token };
}

/** The token that proves that a write comes from a page of ours. */
export function csrfToken(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrf_token]")?.value ?? "";
}

/** The page's language, which may be another than the browser's, for what the server says. */
function inPagesLanguage(): Record<string, string> {
  return { "Accept-Language": document.documentElement.lang };
}

async function answered<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const body = (await response.json()) as T & { readonly detail?: string };
  if (response.ok) return body;
  const detail = body.detail ?? response.statusText;
  throw response.status === 401 ? new SignedOut(detail, false) : new Refused(response.status, detail);
}

/** Takes over the token of the session that this page's person has now.

    Throws SignedOut where nobody, or somebody else, is signed in. */
async function renewToken(refusal: Response): Promise<void> {
  const facts = factsOf(await (await fetch(OWN_PAGE, { headers: inPagesLanguage() })).text());
  const owner = document.querySelector<HTMLMetaElement>("meta[name=user]")?.content;
  if (facts === null || facts.user !== owner) {
    throw new SignedOut(((await refusal.json()) as { detail: string }).detail, facts !== null);
  }
  for (const field of document.querySelectorAll<HTMLInputElement>("input[name=csrf_token]")) field.value = facts.token;
}

/** A write's answer; where the page's token is of a session that is over, it is sent once more. */
async function written<T>(url: string, request: () => RequestInit): Promise<T> {
  const first = await fetch(url, request());
  if (first.status !== 400) return answered<T>(first);
  await renewToken(first);
  return answered<T>(await fetch(url, request()));
}

/** What a GET answers. */
export async function read<T>(url: string): Promise<T> {
  return answered<T>(await fetch(url, { headers: { Accept: "application/json", ...inPagesLanguage() } }));
}

/** What a write answers; `keepalive` lets it outlive the page. */
export async function send<T>(url: string, body: unknown, keepalive = false): Promise<T> {
  return written<T>(url, () => ({
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken(), ...inPagesLanguage() },
    body: JSON.stringify(body),
    keepalive,
  }));
}

/** What sending bytes answers. */
export async function put<T>(url: string, bytes: Blob): Promise<T> {
  return written<T>(url, () => ({
    method: "PUT",
    headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": csrfToken(), ...inPagesLanguage() },
    body: bytes,
  }));
}
