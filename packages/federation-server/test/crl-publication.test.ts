import {
  type CertificateAuthority,
  createEmbeddedAuthority,
  openEmbeddedAuthority,
  type PublishedRevocationList,
  type RevokedSerial,
} from "@mosaicstack/certificate-authority";
import { Problem } from "@mosaicstack/foundation";
import { expect, test } from "vitest";
import { movableClock } from "@mosaicstack/harness";
import { type CrlAlarm, createCrlPublication } from "../src/index.ts";

const HOUR_MS = 3_600_000;

/** An authority that publishes what a test tells it to. */
async function publication() {
  const clock = movableClock();
  const revoked: RevokedSerial[] = [];
  const open = async () =>
    await openEmbeddedAuthority({
      ...(await createEmbeddedAuthority({ clock })),
      clock,
      revokedSerials: { list: async () => [...revoked] },
    });
  const own = await open();
  const stranger = await open();
  const ca = { answer: (): Promise<PublishedRevocationList> => own.crl(), asked: 0 };
  const authority: Pick<CertificateAuthority, "crl" | "rootPem"> = {
    rootPem: own.rootPem,
    crl: () => {
      ca.asked += 1;
      return ca.answer();
    },
  };
  const alarms: (CrlAlarm | null)[] = [];
  let lists = 0;
  const crl = createCrlPublication({
    authority,
    clock,
    onAlarm: (alarm) => alarms.push(alarm),
    onList: () => void (lists += 1),
  });
  return {
    crl,
    ca,
    own,
    stranger,
    clock,
    alarms,
    lists: () => lists,
    advance: clock.advance,
    revoke: (serial: string) => {
      revoked.push({ serial, revokedAt: clock.now(), reason: "privilegeWithdrawn" });
      return own.revoke({ serial, reason: "privilegeWithdrawn", at: clock.now() });
    },
  };
}

const down = () =>
  Promise.reject(new Problem("ca_unreachable", { status: 503, title: "The CA can't be reached.", remedy: "Wait." }));
const held = () => new Promise<PublishedRevocationList>(() => undefined);

test("the list is the CA's, with an etag that changes when it does", async () => {
  const { crl, own, revoke, lists } = await publication();
  const first = await crl.current();
  expect(Buffer.from(first.der).equals((await own.crl()).der)).toBe(true);
  expect(first.etag).toMatch(/^"[\w-]{43}"$/);
  expect(first.maxAgeS).toBe(60);
  expect((await crl.current()).etag).toBe(first.etag);
  await revoke("abc123");
  await crl.refresh();
  expect((await crl.current()).etag).not.toBe(first.etag);
  expect(crl.latest()?.has("abc123")).toBe(true);
  expect(crl.status()).toMatchObject({ status: "ok", alarm: null });
  expect(lists()).toBe(2);
});

test("many at once ask the CA once, and a young list not at all", async () => {
  const { crl, ca, advance } = await publication();
  await Promise.all(Array.from({ length: 50 }, () => crl.current()));
  expect(ca.asked).toBe(1);
  advance(9_000);
  await crl.current();
  expect(ca.asked).toBe(1);
  advance(2_000);
  await crl.current();
  expect(ca.asked).toBe(2);
});

test("sharp edge 7: with the CA down the last list is served until its nextUpdate, then none, with one alarm", async () => {
  const { crl, ca, alarms, advance } = await publication();
  const { der, nextUpdate } = await crl.current();
  ca.answer = down;
  for (let hour = 0; hour < 23; hour += 1) {
    advance(HOUR_MS);
    expect((await crl.current()).der).toBe(der);
  }
  expect(alarms).toMatchObject([{ code: "ca_unreachable" }]);
  expect(crl.status()).toMatchObject({ status: "stale", nextUpdate, alarm: { code: "ca_unreachable" } });
  advance(HOUR_MS - 30_000);
  // A cache may not keep it longer than it holds.
  expect((await crl.current()).maxAgeS).toBeLessThan(31);
  advance(30_000);
  await expect(crl.current()).rejects.toMatchObject({ code: "crl_unavailable", status: 503 });
  expect(crl.status()).toMatchObject({ status: "unavailable" });
  // What it named is known to be revoked all the same.
  expect(crl.latest()).toBeDefined();
  expect(alarms).toHaveLength(1);
});

test("sharp edge 7: the alarm is over once the CA is back", async () => {
  const { crl, ca, own, alarms, advance } = await publication();
  ca.answer = down;
  await expect(crl.current()).rejects.toMatchObject({ code: "crl_unavailable" });
  ca.answer = () => own.crl();
  advance(60_000);
  await crl.refresh();
  expect(alarms).toMatchObject([{ code: "ca_unreachable" }, null]);
  expect(crl.status()).toMatchObject({ status: "ok" });
});

test("sharp edge 7: a list of another signer is never served", async () => {
  const { crl, ca, stranger, own, alarms } = await publication();
  const { der } = await crl.current();
  for (const answer of [
    () => stranger.crl(),
    async () => ({ ...(await stranger.crl()), issuerPem: own.rootPem }),
    async () => ({ ...(await stranger.crl()), issuerPem: "no certificate" }),
  ]) {
    ca.answer = answer;
    await crl.refresh();
    expect((await crl.current()).der).toBe(der);
  }
  expect(alarms).toMatchObject([{ code: "crl_invalid" }]);
});

test("sharp edge 7: a corrupt list is never served", async () => {
  const { crl, ca, own, alarms } = await publication();
  const { der } = await crl.current();
  const corrupt = Buffer.from(der);
  corrupt.writeUInt8(corrupt.readUInt8(40) ^ 1, 40);
  ca.answer = async () => ({ ...(await own.crl()), der: corrupt });
  await crl.refresh();
  expect((await crl.current()).der).toBe(der);
  expect(alarms).toMatchObject([{ code: "crl_invalid" }]);
});

test("sharp edge 7: a list with a lower number than was served is never served", async () => {
  const { crl, ca, own, revoke, alarms } = await publication();
  const older = await own.crl();
  await revoke("abc123");
  const { der } = await crl.current();
  ca.answer = async () => older;
  await crl.refresh();
  expect((await crl.current()).der).toBe(der);
  expect(crl.latest()?.has("abc123")).toBe(true);
  expect(alarms).toMatchObject([{ code: "crl_older" }]);
});

test("sharp edge 7: a list that has ended is not served, but read", async () => {
  const { crl, ca, own, revoke, alarms, advance } = await publication();
  await revoke("abc123");
  const ended = await own.crl();
  advance(25 * HOUR_MS);
  ca.answer = async () => ended;
  await expect(crl.current()).rejects.toMatchObject({ code: "crl_unavailable" });
  expect(alarms).toMatchObject([{ code: "crl_stale" }]);
  expect(crl.latest()?.has("abc123")).toBe(true);
});

test("a CA that does not answer holds nobody up who can have the last list", async () => {
  const { crl, ca, advance } = await publication();
  const { der } = await crl.current();
  ca.answer = held;
  advance(60_000);
  const startedAt = performance.now();
  expect((await crl.current()).der).toBe(der);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a CA that never answered is waited for three seconds", async () => {
  const { crl, ca } = await publication();
  ca.answer = held;
  const startedAt = performance.now();
  await expect(crl.current()).rejects.toMatchObject({ code: "crl_unavailable", headers: { "retry-after": "10" } });
  expect(performance.now() - startedAt).toBeLessThan(4_500);
});
