import type { CertificateAuthority, Revocation } from "@mosaicstack/certificate-authority";
import { Problem } from "@mosaicstack/foundation";
import { readCertificateRevocationList } from "@mosaicstack/federation-protocol";
import { schema } from "@mosaicstack/storage";
import { eq, inArray } from "drizzle-orm";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createRevocationOutbox, serialOfGrant } from "../src/index.ts";
import { waitMs } from "../src/revocation-outbox.ts";
import { DAY_MS, issueFor, openGrants, type OpenGrants } from "./grant-fixture.ts";

const { federationRevocations } = schema;

let world: OpenGrants;
beforeAll(async () => {
  world = await openGrants();
});
afterAll(() => world.store.close());
beforeEach(async () => {
  world.setClockRight();
  await world.store.db.delete(federationRevocations);
});

/** The world's authority, which can be put out of reach, and remembers what it was told. */
function fallible(authority: CertificateAuthority) {
  const state = { fault: undefined as Problem | undefined, told: [] as string[], asked: 0 };
  const revoke = async (revocation: Revocation): Promise<void> => {
    state.asked += 1;
    if (state.fault !== undefined) throw state.fault;
    await authority.revoke(revocation);
    state.told.push(revocation.serial);
  };
  return { state, authority: { revoke } };
}

const unreachable = new Problem("ca_unreachable", { status: 503, title: "Down.", remedy: "Wait." });
const refused = new Problem("ca_refused", { status: 502, title: "No.", remedy: "Look." });

async function rowOf(serial: string) {
  const [row] = await world.store.db
    .select()
    .from(federationRevocations)
    .where(eq(federationRevocations.serial, serial));
  return row;
}

/** Revoked grants with a certificate each, and an outbox to the world's authority: two serials to tell for each. */
async function revokedGrants(count: number) {
  const { grants, admin, store, clock } = world;
  const certificates: string[] = [];
  const serials: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { grant, serial } = await world.enrolled();
    await grants.revoke(admin, grant.id);
    certificates.push(serial);
    serials.push(serial, serialOfGrant(grant.id));
  }
  const { state, authority } = fallible(world.authority);
  let heard = 0;
  const outbox = createRevocationOutbox({
    store,
    clock,
    authority,
    onTold: () => void (heard += 1),
    random: () => 0.5,
  });
  return { certificates, serials, state, outbox, heard: () => heard };
}

test("sharp edge 7: a revocation with the CA down reaches it, and the CRL, once it is back", async () => {
  const { certificates, serials, state, outbox, heard } = await revokedGrants(3);
  state.fault = unreachable;
  expect(await outbox.tellAuthority()).toEqual({ told: 0, failed: 1 });
  expect(await outbox.countUntold()).toBe(6);
  // One question for all of them: the others would have waited for the same CA.
  expect(state.asked).toBe(1);
  for (const serial of serials) {
    expect(await rowOf(serial)).toMatchObject({ toldAt: null, attempts: 1, lastError: "ca_unreachable" });
  }
  // Not due yet.
  await outbox.tellAuthority();
  expect(state.asked).toBe(1);
  expect(heard()).toBe(0);
  state.fault = undefined;
  world.advance(2_000);
  expect(await outbox.tellAuthority()).toEqual({ told: 6, failed: 0 });
  expect(await outbox.countUntold()).toBe(0);
  expect(state.told.toSorted()).toEqual(serials.toSorted());
  expect(heard()).toBe(1);
  for (const serial of serials) expect((await rowOf(serial))?.toldAt).toBeInstanceOf(Date);
  const { der, issuerPem } = await world.authority.crl();
  const list = readCertificateRevocationList(der, { issuerPem, now: world.clock.now() });
  if (list.kind !== "valid") throw new Error(list.kind);
  for (const serial of certificates) expect(list.has(serial)).toBe(true);
  await outbox.tellAuthority();
  expect(state.told).toHaveLength(6);
});

test("one that the CA refuses holds up no other, and waits longer each time", async () => {
  const { serials, state, outbox } = await revokedGrants(2);
  state.fault = refused;
  expect(await outbox.tellAuthority()).toEqual({ told: 0, failed: 4 });
  expect(state.asked).toBe(4);
  const waits: number[] = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const before = world.clock.now().getTime();
    await world.store.db.update(federationRevocations).set({ nextAttemptAt: world.clock.now() });
    await outbox.tellAuthority();
    waits.push(((await rowOf(serials[0] ?? ""))?.nextAttemptAt?.getTime() ?? 0) - before);
  }
  expect(waits[1]).toBeGreaterThan((waits[0] ?? 0) * 1.3);
  expect(waits[2]).toBeGreaterThan((waits[1] ?? 0) * 1.3);
  expect((await rowOf(serials[0] ?? ""))?.lastError).toBe("ca_refused");
});

test("waits are at least a second and at most ten minutes, spread over all between", () => {
  for (const attempts of [1, 2, 5, 10, 30, 10_000]) {
    expect(waitMs(attempts, 0)).toBe(1_000);
    expect(waitMs(attempts, 0.999_999)).toBeLessThanOrEqual(600_000);
  }
  expect(waitMs(1, 0.5)).toBe(1_500);
  expect(waitMs(30, 0.5)).toBe(300_500);
});

test("a certificate that has ended is not told of, and its entry goes a day later", async () => {
  const { certificates, serials, state, outbox } = await revokedGrants(1);
  const [certificate = ""] = certificates;
  world.advance(7 * DAY_MS + 1_000);
  // The grant's own serial has no end that a certificate could have.
  expect(await outbox.tellAuthority()).toEqual({ told: 1, failed: 0 });
  expect(await outbox.countUntold()).toBe(0);
  expect(state.told).toEqual(serials.filter((serial) => serial !== certificate));
  expect(await rowOf(certificate)).toBeDefined();
  world.advance(DAY_MS);
  await outbox.tellAuthority();
  expect(await rowOf(certificate)).toBeUndefined();
});

test("calls that come together are one run", async () => {
  const { state, outbox } = await revokedGrants(2);
  await Promise.all([outbox.tellAuthority(), outbox.tellAuthority(), outbox.tellAuthority()]);
  expect(state.asked).toBe(4);
});

test("sharp edge 1: every certificate of a lineage is revoked and on the CRL, whichever is in use", async () => {
  const { store, authority, subject, grants, admin, clock } = world;
  const { grant, serial } = await world.enrolled();
  const serials = [serial];
  for (const generation of [2, 3]) {
    serials.push(await issueFor({ store, authority, grantId: grant.id, subjectUserId: subject, generation }));
  }
  await store.db
    .update(schema.federationCertificates)
    .set({ supersededAt: clock.now() })
    .where(inArray(schema.federationCertificates.serial, serials.slice(0, 2)));
  await grants.revoke(admin, grant.id);
  const outbox = createRevocationOutbox({ store, clock, authority, onTold: () => undefined });
  expect(await outbox.tellAuthority()).toEqual({ told: 4, failed: 0 });
  const { der, issuerPem } = await authority.crl();
  const list = readCertificateRevocationList(der, { issuerPem, now: clock.now() });
  if (list.kind !== "valid") throw new Error(list.kind);
  for (const each of serials) expect(list.has(each)).toBe(true);
});
