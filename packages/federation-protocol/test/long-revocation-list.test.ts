import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { MAX_REVOCATION_LIST_BYTES, readCertificateRevocationList } from "../src/index.ts";
import { integer } from "./der.ts";
import { extension, forgeCa, forgeList, listEntry, NOW } from "./forge-list.ts";

const invalidityDate = extension("2.5.29.24", Buffer.from([0x18, 0]));
const reason = extension("2.5.29.21", Buffer.from([0x0a, 1, 5]));

/** As many entries as there is room for, one buffer: a call's arguments would be too many. */
function longList(make: (number: bigint) => Buffer): Buffer {
  const count = Math.floor((MAX_REVOCATION_LIST_BYTES - 2_000) / make(0x10000n).length);
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(BigInt(index + 1))));
}

/** The least of several, in milliseconds: what else the machine does adds to each, and takes nothing away. */
function least(work: () => unknown): number {
  const took = Array.from({ length: 7 }, () => {
    const startedAt = performance.now();
    work();
    return performance.now() - startedAt;
  });
  return Math.min(...took);
}

// Whoever publishes a list chooses what stands in it, and who reads it does nothing else meanwhile: building an object of each
// entry took 160 to 1,600 times a hash of the bytes, a second and more.
test.each([
  ["long serials with a reason", (number: bigint) => listEntry(integer((1n << 126n) + number), reason)],
  ["short serials", (number: bigint) => listEntry(integer(number))],
  ["entries with unusual extensions", (number: bigint) => listEntry(integer(number), invalidityDate, reason)],
])("a list of 4 MB is read, and looked through, in the time of some hashes of it: %s", async (_name, make) => {
  const ca = await forgeCa();
  const list = forgeList(ca, { entries: [longList(make)] });
  const hash = least(() => createHash("sha256").update(list).digest());
  const read = least(() => {
    const reading = readCertificateRevocationList(list, { issuerPem: ca.pem, now: NOW });
    if (reading.kind === "invalid") throw new Error(reading.reason);
    expect(reading.has("4a5b6c7d8e9f")).toBe(false);
  });
  expect(read / hash).toBeLessThan(60);
});

test("the first and the last of a long list are found", async () => {
  const ca = await forgeCa();
  const list = forgeList(ca, { entries: [longList((number) => listEntry(integer((0xffn << 64n) + number), reason))] });
  const reading = readCertificateRevocationList(list, { issuerPem: ca.pem, now: NOW });
  if (reading.kind === "invalid") throw new Error(reading.reason);
  const all = [...reading.serials];
  expect(all.length).toBeGreaterThan(90_000);
  for (const serial of [all[0] ?? "", all.at(-1) ?? ""]) expect(reading.has(serial)).toBe(true);
  expect(reading.has("ff")).toBe(false);
});

test("an entry with more extensions than there are is refused", async () => {
  const ca = await forgeCa();
  const extensions = Array.from({ length: 7 }, (_, index) => extension(`1.${index}`, Buffer.alloc(0)));
  const listed = (count: number) => forgeList(ca, { entries: [listEntry(integer(1n), ...extensions.slice(0, count))] });
  const read = (count: number) => readCertificateRevocationList(listed(count), { issuerPem: ca.pem, now: NOW });
  expect(read(6).kind).toBe("valid");
  expect(read(7)).toEqual({ kind: "invalid", reason: "it is not a CRL" });
});
