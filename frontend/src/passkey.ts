/** Passkeys and security keys: asks the authenticator and sends its answer with an ordinary form. */

import { Refused, send } from "./lib/api";
import { byId, pageData } from "./lib/page";

/** Options as the server writes them (WebAuthn's JSON): bytes are base64url texts. */
interface Descriptor {
  readonly type: "public-key";
  readonly id: string;
  readonly transports?: AuthenticatorTransport[];
}

interface Options {
  readonly challenge: string;
  readonly user?: { readonly id: string; readonly name: string; readonly displayName: string };
  readonly excludeCredentials?: readonly Descriptor[];
  readonly allowCredentials?: readonly Descriptor[];
}

interface Question {
  readonly options: Options;
  readonly ticket: string;
}

interface PasskeyData {
  readonly question: Question | null;
  readonly signInOptions: string;
  readonly newOptions: string;
  readonly texts: Readonly<Record<"unsupported" | "waiting" | "cancelled" | "known", string>>;
}

const data = pageData<PasskeyData>("passkey-data");
const result = byId("passkey-result");

function bytes(text: string): ArrayBuffer {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0)).buffer;
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const descriptors = (list: readonly Descriptor[] | undefined) =>
  list?.map((one) => ({ ...one, id: bytes(one.id) })) ?? [];

async function made(options: Options): Promise<object> {
  const user = options.user === undefined ? undefined : { ...options.user, id: bytes(options.user.id) };
  const publicKey = {
    ...options,
    user,
    challenge: bytes(options.challenge),
    excludeCredentials: descriptors(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
  const key = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  const answer = key.response as AuthenticatorAttestationResponse;
  const response = { clientDataJSON: text(answer.clientDataJSON), attestationObject: text(answer.attestationObject) };
  return { id: key.id, rawId: text(key.rawId), type: key.type, response, clientExtensionResults: {} };
}

async function signed(options: Options): Promise<object> {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: descriptors(options.allowCredentials),
  } as unknown as PublicKeyCredentialRequestOptions;
  const key = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const answer = key.response as AuthenticatorAssertionResponse;
  const response = {
    clientDataJSON: text(answer.clientDataJSON),
    authenticatorData: text(answer.authenticatorData),
    signature: text(answer.signature),
    userHandle: answer.userHandle === null ? undefined : text(answer.userHandle),
  };
  return { id: key.id, rawId: text(key.rawId), type: key.type, response, clientExtensionResults: {} };
}

/** The server's question; null where it first wants to know again who asks. */
async function questionOf(optionsUrl: string): Promise<Question | null> {
  try {
    return await send<Question>(optionsUrl, {});
  } catch (error: unknown) {
    if (error instanceof Refused && error.status === 401) return null;
    throw error;
  }
}

/** A hidden field of a form whose names may begin with "proof_". */
function hidden(form: HTMLFormElement, name: string): HTMLInputElement {
  return (form.elements.namedItem(`proof_${name}`) ?? form.elements.namedItem(name)) as HTMLInputElement;
}

/** Fills the form's hidden fields with the authenticator's answer and sends it. */
async function ask(form: HTMLFormElement, optionsUrl: string, use: (options: Options) => Promise<object>): Promise<void> {
  const question = data.question ?? (await questionOf(optionsUrl));
  if (question === null) {
    form.submit(); // the page that answers asks for it, and keeps what was typed
    return;
  }
  result.textContent = data.texts.waiting;
  const answer = await use(question.options);
  hidden(form, "ticket").value = question.ticket;
  hidden(form, "answer").value = JSON.stringify(answer);
  form.submit();
}

function saidOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (error instanceof DOMException && error.name === "InvalidStateError") return data.texts.known;
  if (error instanceof DOMException || error instanceof TypeError) return data.texts.cancelled;
  throw error;
}

function start(id: string, optionsUrl: string, use: (options: Options) => Promise<object>): void {
  const form = document.getElementById(id) as HTMLFormElement | null;
  if (form === null) return;
  if (typeof PublicKeyCredential === "undefined") {
    if (data.question !== null || id === "passkey-new") result.textContent = data.texts.unsupported;
    return;
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    ask(form, optionsUrl, use).catch((error: unknown) => {
      result.textContent = saidOf(error);
    });
  });
}

start("passkey-form", data.signInOptions, signed);
start("passkey-new", data.newOptions, made);
