import { isPeerName } from "@mosaicstack/federation-protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { freeName, peerNameOf } from "../src/peer-name.ts";

test.each([
  ["https://Work.Example.org:14242/enroll", "work-example-org"],
  ["https://127.0.0.1:8080/enroll", "127-0-0-1"],
  ["https://[::1]:8080/enroll", "1"],
  ["https://[::]/enroll", "peer"],
  ["https://bücher.example/", "xn-bcher-kva-example"],
])("the host of %s makes the name %s", (url, name) => {
  expect(peerNameOf(url)).toBe(name);
});

test("a name that is taken gets the first free number", () => {
  expect(freeName("work", new Set())).toBe("work");
  expect(freeName("work", new Set(["work", "work-2", "work-4"]))).toBe("work-3");
});

test("whatever the host, and however many names are taken, it is a peer's name", () => {
  const taken = fc.array(fc.constantFrom(2, 3, 4, 5, 99));
  fc.assert(
    fc.property(fc.webUrl({ validSchemes: ["https"] }), taken, (url, numbers) => {
      const name = peerNameOf(url);
      expect(isPeerName(name)).toBe(true);
      const free = freeName(name, new Set([name, ...numbers.map((number) => `${name}-${number}`)]));
      expect(isPeerName(free)).toBe(true);
      expect(free).not.toBe(name);
    }),
  );
  const long = "a".repeat(63);
  expect(isPeerName(freeName(long, new Set([long])))).toBe(true);
});
