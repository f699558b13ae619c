import { randomBytes } from "node:crypto";
import { readCertificateRevocationList } from "@mosaicstack/federation-protocol";
import { systemClock } from "@mosaicstack/foundation";
import { beforeAll, describe, expect, test } from "vitest";
import { createEmbeddedAuthority, openEmbeddedAuthority, type RevokedSerial } from "../src/index.ts";

const HOUR_MS = 3_600_000;
let material: Awaited<ReturnType<typeof createEmbeddedAuthority>>;
beforeAll(async () => {
  material = await createEmbeddedAuthority({ clock: systemClock });
});

const newSerial = () => `4${randomBytes(16).toString("hex").slice(1)}`;
const revocation = (serial = newSerial()): RevokedSerial => ({ serial, reason: "superseded", revokedAt: new Date() });
const told = ({ serial, reason, revokedAt: at }: RevokedSerial) => ({ serial, reason, at });

/** An authority whose record and clock a test moves. */
async function open() {
  const record: RevokedSerial[] = [];
  const state = { now: Date.now(), looks: 0, delayMs: 0, fails: false };
  const revokedSerials = {
    async list() {
      state.looks += 1;
      if (state.fails) throw new Error("the database is away");
      const found = [...record];
      if (state.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, state.delayMs));
      return found;
    },
  };
  const authority = await openEmbeddedAuthority({
    ...material,
    clock: { now: () => new Date(state.now) },
    revokedSerials,
  });
  const read = async () => {
    const { der, issuerPem } = await authority.crl();
    const reading = readCertificateRevocationList(der, { issuerPem, now: new Date(state.now) });
    if (reading.kind !== "valid") throw new Error(JSON.stringify(reading));
    return reading;
  };
  return { authority, record, state, read };
}

describe("the embedded authority's list", () => {
  test("of 20,000 is written and read whole, and soon", async () => {
    const { authority, record, state } = await open();
    record.push(...Array.from({ length: 20_000 }, () => revocation()));
    const startedAt = process.cpuUsage();
    const { der, issuerPem } = await authority.crl();
    const writing = process.cpuUsage(startedAt);
    const writtenAt = process.cpuUsage();
    const list = readCertificateRevocationList(der, { issuerPem, now: new Date(state.now) });
    const reading = process.cpuUsage(writtenAt);
    if (list.kind !== "valid") throw new Error(JSON.stringify(list));
    expect(list.serials.size).toBe(20_000);
    expect(record.every(({ serial }) => list.has(serial))).toBe(true);
    // Processor time, in µs: what the machine does besides is not asked.
    expect(writing.user + writing.system).toBeLessThan(1_500_000);
    expect(reading.user + reading.system).toBeLessThan(1_500_000);
  });

  test("is signed once for those who ask at once, and not again while nothing changes", async () => {
    const { authority, state } = await open();
    const lists = await Promise.all(Array.from({ length: 20 }, () => authority.crl()));
    expect(new Set(lists.map(({ der }) => der)).size).toBe(1);
    expect(state.looks).toBe(1);
    state.now += HOUR_MS;
    expect((await authority.crl()).der).toBe(lists[0]?.der);
    expect(state.looks).toBe(2);
  });

  test("is made anew in time before it ends", async () => {
    const { authority, state, read } = await open();
    const first = await authority.crl();
    state.now += 12 * HOUR_MS + 1000;
    const second = await read();
    expect(second.number).toBeGreaterThan(first.number);
    expect(second.nextUpdate.getTime()).toBeGreaterThan(state.now + 23 * HOUR_MS);
  });

  test("has what another replica recorded within seconds, without being told", async () => {
    const { record, state, read } = await open();
    await read();
    const entry = revocation();
    record.push(entry);
    expect((await read()).has(entry.serial)).toBe(false);
    state.now += 5000;
    expect((await read()).has(entry.serial)).toBe(true);
  });

  test("has what was revoked while it was being made, for those who ask afterwards", async () => {
    const { authority, record, state, read } = await open();
    state.delayMs = 30;
    const underWay = authority.crl();
    const entry = revocation();
    record.push(entry);
    await authority.revoke(told(entry));
    expect((await read()).has(entry.serial)).toBe(true);
    expect((await underWay).number).toBeLessThan((await authority.crl()).number);
  });

  test("drops what the record drops, which is what has expired", async () => {
    const { record, state, read } = await open();
    const entry = revocation();
    record.push(entry);
    expect((await read()).has(entry.serial)).toBe(true);
    record.pop();
    state.now += 5000;
    expect((await read()).serials.size).toBe(0);
  });

  test("has a greater number also when the clock was set back", async () => {
    const { authority, record, state, read } = await open();
    const before = await read();
    state.now -= 48 * HOUR_MS;
    const entry = revocation();
    record.push(entry);
    await authority.revoke(told(entry));
    const after = await read();
    expect(after.number).toBe(before.number + 1n);
    expect(after.thisUpdate.getTime()).toBeLessThanOrEqual(state.now);
    expect(after.has(entry.serial)).toBe(true);
  });

  test("fails while its record does, rather than leave somebody out, and comes back with it", async () => {
    const { authority, state, read } = await open();
    state.fails = true;
    await expect(authority.crl()).rejects.toThrow("the database is away");
    state.fails = false;
    expect((await read()).serials.size).toBe(0);
  });

  test("is not to be had of an authority that was given no record", async () => {
    const authority = await openEmbeddedAuthority({ ...material, clock: systemClock });
    await expect(authority.crl()).rejects.toThrow("without its revoked serials");
    await authority.revoke(told(revocation()));
  });

  test("holds dates on both sides of 2050, and serials of every length", async () => {
    const { record, state, read } = await open();
    state.now = Date.UTC(2035, 0, 1);
    const serials = ["1", "7f", "80", "ff", "100", `f${"0".repeat(39)}`];
    const dates = [new Date("2049-12-31T23:59:59Z"), new Date("2050-01-01T00:00:00Z")];
    for (const serial of serials)
      for (const revokedAt of dates) record.push({ serial, reason: "keyCompromise", revokedAt });
    expect([...(await read()).serials]).toEqual(serials);
  });
});
