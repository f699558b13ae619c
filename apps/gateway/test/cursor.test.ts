import { newId, Problem } from "@mosaicstack/foundation";
import { peerPlace } from "@mosaicstack/federation-protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeCursor, encodeCursor } from "../src/reading/cursor.ts";

const peer = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/).map((name) => peerPlace(name, newId()));
const positions = fc.dictionary(
  fc.oneof(fc.constant("local"), peer),
  fc.option(fc.date({ min: new Date(0), max: new Date("2200-01-01"), noInvalidDate: true }).map((at) => newId(at))),
  { minKeys: 1, maxKeys: 20, noNullPrototype: true },
);

test("what is encoded is decoded, and stands in a URL as it is", () => {
  fc.assert(
    fc.property(positions, (given) => {
      const cursor = encodeCursor(given);
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(decodeCursor(cursor)).toEqual(given);
    }),
  );
});

test("a cursor over fifty peers of the longest names, and ten that are gone, is read", () => {
  const places = Array.from({ length: 60 }, () => [peerPlace("n".repeat(63), newId()), newId()] as const);
  const given = { local: newId(), ...Object.fromEntries(places) };
  expect(decodeCursor(encodeCursor(given))).toEqual(given);
});

test.each([
  ["of a peer's name alone, as cursors once were", { "federated:work": newId() }],
  ["of a peer's id that is none", { "federated:work#7": newId() }],
  ["of a peer's id in capitals", { [peerPlace("work", newId().toUpperCase())]: newId() }],
  [
    "longer than any list's",
    Object.fromEntries(Array.from({ length: 90 }, () => [peerPlace("n".repeat(63), newId()), newId()])),
  ],
])("a cursor %s is refused with cursor_invalid", (_, given) => {
  expect(read(encodeCursor(given))).toEqual({ code: "cursor_invalid" });
});

function read(cursor: string) {
  try {
    return { positions: decodeCursor(cursor) };
  } catch (error) {
    if (error instanceof Problem) return { code: error.code };
    throw error;
  }
}

test("anything else is refused with cursor_invalid, and nothing else is ever thrown", () => {
  const anything = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64url")),
  );
  fc.assert(
    fc.property(anything, (cursor) => {
      const reading = read(cursor);
      expect(reading).toEqual(
        "positions" in reading ? { positions: decodeCursor(cursor) } : { code: "cursor_invalid" },
      );
      // Whatever is read is what was written: two cursors never mean the same place.
      expect("positions" in reading ? encodeCursor(reading.positions) : cursor).toBe(cursor);
    }),
    { numRuns: 2000 },
  );
});
