/** Names for what is sent: the server counts each once, however often it arrives. */

type Random = Pick<Crypto, "getRandomValues">;

/** A random UUID (RFC 9562, version 4), also on pages without TLS, where `randomUUID` is missing. */
export function newKey(random: Random = crypto): string {
  const bytes = random.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
