/** Calls of the server's API from a page: JSON in and out, the session's token with every write. */

/** What the server said against a request, in its own words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
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
  if (!response.ok) throw new Refused(response.status, body.detail ?? response.statusText);
  return body;
}

/** What a GET answers. */
export async function read<T>(url: string): Promise<T> {
  return answered<T>(await fetch(url, { headers: { Accept: "application/json", ...inPagesLanguage() } }));
}

/** What a write answers; `keepalive` lets it outlive the page. */
export async function send<T>(url: string, body: unknown, keepalive = false): Promise<T> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken(), ...inPagesLanguage() },
    body: JSON.stringify(body),
    keepalive,
  });
  return answered<T>(response);
}

/** What sending bytes answers. */
export async function put<T>(url: string, bytes: Blob): Promise<T> {
  const response = await fetch(url, {
    method: "PUT",
    headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": csrfToken(), ...inPagesLanguage() },
    body: bytes,
  });
  return answered<T>(response);
}
