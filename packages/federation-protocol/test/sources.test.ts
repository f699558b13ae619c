import { describe, expect, test } from "vitest";
import { isPeerName, peerSource, readSourceSelector } from "../src/index.ts";

const longest = "a".repeat(63);

describe("a source selector", () => {
  test.each([
    ["local", { kind: "local" }],
    ["all", { kind: "all" }],
    ["federated:work", { kind: "peer", peer: "work" }],
    ["federated:local", { kind: "peer", peer: "local" }],
    ["federated:all", { kind: "peer", peer: "all" }],
    ["federated:0", { kind: "peer", peer: "0" }],
    ["federated:xn--bcher-kva", { kind: "peer", peer: "xn--bcher-kva" }],
    [`federated:${longest}`, { kind: "peer", peer: longest }],
  ])("%s is read", (text, selector) => {
    expect(readSourceSelector(text)).toEqual(selector);
  });

  test.each([
    "",
    " ",
    "Local",
    "ALL",
    "local ",
    "all\n",
    "local,all",
    "work",
    "federated",
    "federated:",
    "federated: work",
    "Federated:work",
    "federated:Work",
    "federated:-work",
    "federated:work-",
    "federated:wo_rk",
    "federated:work.example",
    "federated:work\n",
    "federated:federated:work",
    "federated:*",
    "federated:../work",
    `federated:${longest}a`,
    "federated:büro",
    "federated:w\u043erk",
    "federated:work\u0000",
    "constructor",
    "__proto__",
    "federated:__proto__",
  ])("%j is none", (text) => {
    expect(readSourceSelector(text)).toBeUndefined();
  });

  test("selects what the tag of a row names", () => {
    expect(readSourceSelector(peerSource("work"))).toEqual({ kind: "peer", peer: "work" });
  });
});

describe("a peer's name", () => {
  test.each(["a", "7", "a-b", "a--b", longest])("may be %s", (name) => expect(isPeerName(name)).toBe(true));
  test.each(["", "-", "a-", "A", "a b", "a\n", `${longest}a`])("may not be %j", (name) => {
    expect(isPeerName(name)).toBe(false);
  });

  test("is judged in no time, however long it is", () => {
    const startedAt = performance.now();
    expect(isPeerName(`${"a-".repeat(500_000)}!`)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(100);
  });
});
