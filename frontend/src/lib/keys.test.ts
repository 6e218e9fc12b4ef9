import { expect, test } from "vitest";

import { newKey } from "./keys";

const filled = (byte: number) => ({
  getRandomValues: <T extends ArrayBufferView | null>(array: T): T => {
    (array as unknown as Uint8Array).fill(byte);
    return array;
  },
});

test("the version and the variant stand where RFC 9562 wants them, whatever the bytes are", () => {
  expect(newKey(filled(0xff))).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff");
  expect(newKey(filled(0x00))).toBe("00000000-0000-4000-8000-000000000000");
});

test("no two of a thousand are the same", () => {
  expect(new Set(Array.from({ length: 1000 }, () => newKey())).size).toBe(1000);
});
