import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Refused, SignedOut, factsOf, put, send } from "./api";

/** A server with one session at a time, as far as a page sees it. */
class Server {
  user: string | null = "7";
  token = "first";
  readonly taken: string[] = [];
  refusal = 200;

  fetch = (url: string, request: RequestInit): Promise<Response> => {
    if (url === "/account") return Promise.resolve(new Response(this.page()));
    const token = new Headers(request.headers).get("X-CSRFToken");
    if (this.user === null) return this.said(401, "sign in again");
    if (token !== this.token) return this.said(400, "the token is wrong");
    if (this.refusal !== 200) return this.said(this.refusal, "no");
    this.taken.push(String(request.body));
    return this.said(200, "");
  };

  signIn(user: string, token: string): void {
    this.user = user;
    this.token = token;
  }

  private page(): string {
    if (this.user === null) return `<form><input type="hidden" name="csrf_token" value="of a visitor"></form>`;
    return `<meta name="user" content="${this.user}"><input type="hidden" name="csrf_token" value="${this.token}">`;
  }

  private said(status: number, detail: string): Promise<Response> {
    return Promise.resolve(new Response(JSON.stringify({ detail }), { status }));
  }
}

let server: Server;
const fields = [{ value: "first" }, { value: "first" }];

beforeEach(() => {
  server = new Server();
  for (const field of fields) field.value = "first";
  vi.stubGlobal("fetch", server.fetch);
  vi.stubGlobal("document", {
    documentElement: { lang: "nl" },
    querySelector: (what: string) => (what === "meta[name=user]" ? { content: "7" } : fields[0]),
    querySelectorAll: () => fields,
  });
});
afterEach(() => vi.unstubAllGlobals());

test("a write of a session that is over is refused, and goes through once its person is back", async () => {
  server.user = null;
  const lost = await send("/x", { points: 3 }).catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(SignedOut);
  expect((lost as SignedOut).status).toBe(401);
  expect((lost as SignedOut).message).toBe("sign in again");
  server.signIn("7", "second");
  await send("/x", { points: 3 });
  expect(server.taken).toEqual(['{"points":3}']);
  expect(fields.map((field) => field.value)).toEqual(["second", "second"]);
});

test("nothing is sent in the name of whoever signed in meanwhile", async () => {
  server.signIn("8", "theirs");
  const lost = await put("/x", new Blob(["bytes"])).catch((error: unknown) => error);
  expect(lost).toBeInstanceOf(SignedOut);
  expect((lost as SignedOut).someoneElse).toBe(true);
  expect((lost as SignedOut).message).toBe("the token is wrong");
  expect(server.taken).toEqual([]);
  expect(fields[0]?.value).toBe("first");
});

test("a refusal with the right token is the server's last word", async () => {
  for (const status of [409, 422, 400]) {
    server.refusal = status;
    const said = await send("/x", {}).catch((error: unknown) => error);
    expect(said).toBeInstanceOf(Refused);
    expect(said).not.toBeInstanceOf(SignedOut);
    expect((said as Refused).status).toBe(status);
  }
  expect(server.taken).toEqual([]);
});

test("a page that nobody is signed in to is nobody's", () => {
  expect(factsOf(`<input type="hidden" name="csrf_token" value="abc">`)).toBeNull();
  expect(factsOf(`<meta name="user" content="7">`)).toBeNull();
  expect(factsOf(`<meta name="user" content="7"><input name="csrf_token" value="a.b-c">`)).toEqual({
    user: "7",
    token: "a.b-c",
  });
});
