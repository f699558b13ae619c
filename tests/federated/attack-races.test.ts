import { X509Certificate } from "node:crypto";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import {
  createCertificates,
  createEnrollment,
  createGrants,
  createLiveSockets,
  createRenewal,
  openStoredAuthority,
} from "@mosaicstack/federation-server";
import {
  createSigningRequest,
  fingerprintOf,
  type OwnSigningRequest,
  readCertificateIdentity,
  readInvite,
  serialOf,
} from "@mosaicstack/federation-protocol";
import { newId, Problem, systemClock as clock } from "@mosaicstack/foundation";
import { createSealer, openPostgres, schema, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

/** Two replicas over one PostgreSQL, each with connections of its own, and what happens to one grant at the same moment. */
let database: FreshDatabase;
let stores: readonly Store[] = [];
let replicas: readonly Awaited<ReturnType<typeof startReplica>>[] = [];
const admin = { userId: newId(), isAdmin: true };
const scope = { resources: ["tasks"], include_personal: true };

async function startReplica(store: Store) {
  const sealer = createSealer({ secret: "a secret of a test, longer than thirty-two characters" });
  const authority = await openStoredAuthority({ store, sealer, clock });
  const certificates = createCertificates({ store, clock, authority, certificateLifetimeDays: 7 });
  const endpoint = () => "https://127.0.0.1";
  const crlUrl = () => "https://127.0.0.1/federation/crl";
  const coordination = createInProcessCoordination({ onFault: () => undefined });
  return {
    certificates,
    enrollment: createEnrollment({ store, clock, certificates, endpoint, crlUrl, limits: coordination.limits }),
    renewal: createRenewal({ store, clock, certificates, endpoint, leastIntervalMs: 0 }),
    grants: createGrants({
      store,
      clock,
      coordination,
      liveSockets: createLiveSockets(),
      inviteLifetimeMinutes: 15,
      enrollUrl: () => "https://127.0.0.1/enroll",
      caFingerprint: fingerprintOf(authority.rootPem),
    }),
  };
}

beforeAll(async () => {
  database = await freshDatabase();
  stores = [await openPostgres(database.address), await openPostgres(database.address)];
  replicas = [await startReplica(stores[0]!), await startReplica(stores[1]!)];
});
afterAll(async () => {
  for (const store of stores) await store.close();
  await database.drop();
});

function identified(pem: string) {
  const x509 = new X509Certificate(pem);
  const identity = readCertificateIdentity(x509.raw);
  if (identity.kind === "malformed") throw new Error(identity.reason);
  const [notBefore, notAfter] = [new Date(x509.validFrom), new Date(x509.validTo)];
  return { serial: serialOf(x509), raw: x509.raw, notBefore, notAfter, identity };
}

function tokenOf(url: string): string {
  const reading = readInvite(url);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite.token;
}

const [first, second] = [() => replicas[0]!, () => replicas[1]!];
const inTurn = (n: number) => replicas[n % 2]!;

async function newGrant() {
  const id = newId();
  await stores[0]!.db.insert(schema.users).values({ id, name: "Ada", email: `${id}@example.org` });
  return await first().grants.create(admin, { name: "home", subject: id, scope, expiresAt: null });
}

async function redeem(url: string, own?: OwnSigningRequest, replica = first()) {
  const { csrPem } = own ?? (await createSigningRequest());
  return await replica.enrollment.redeem({ protocol: 1, token: tokenOf(url), csr: csrPem });
}

/** `ok`, or the code of the refusal; a fault throws. */
async function outcome(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "ok",
    (error: unknown) => {
      if (error instanceof Problem) return error.code;
      throw error;
    },
  );
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function expectNothingGood(grantId: string): Promise<void> {
  const good = await database.run(
    `select serial from federation_certificates where grant_id = '${grantId}' and revoked_at is null`,
  );
  expect(good).toEqual([]);
  const untold = await database.run(
    `select serial from federation_certificates c where grant_id = '${grantId}'
       and not exists (select from federation_revocations r where r.serial = c.serial)`,
  );
  expect(untold).toEqual([]);
}

test("a revocation at any moment of an enrollment, a renewal and a first use leaves no certificate good, and no deadlock", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 40; round += 1) {
    const { grant, invite } = await newGrant();
    const { certificate } = await redeem(invite.url);
    const peer = identified(certificate);
    const again = await first().grants.invite(admin, grant.id);
    const [own, other] = [await createSigningRequest(), await createSigningRequest()];
    const delay = (round % 20) * 1.5;
    const results = await Promise.all([
      outcome(first().renewal.renew(peer, { csr: own.csrPem }, newId())),
      outcome(second().renewal.renew(peer, { csr: own.csrPem }, newId())),
      outcome(redeem(again.url, other, second())),
      outcome(first().certificates.confirm(peer.serial)),
      later(delay).then(() => outcome(second().grants.revoke(admin, grant.id))),
    ]);
    for (const result of results) seen.add(result);
    expect(results.at(-1)).toBe("ok");
    await expectNothingGood(grant.id);
  }
  expect([...seen]).toContain("ok");
});

test("of two keys that renew at two replicas at once at most one gets a certificate, and the grant is suspended", async () => {
  for (let round = 0; round < 20; round += 1) {
    const { grant, invite } = await newGrant();
    const peer = identified((await redeem(invite.url)).certificate);
    const keys = await Promise.all(Array.from({ length: 4 }, () => createSigningRequest()));
    await Promise.all(keys.map(({ csrPem }, n) => outcome(inTurn(n).renewal.renew(peer, { csr: csrPem }, newId()))));
    const [row] = await database.run<{ status: string; good: number }>(
      `select status, (select count(*)::int from federation_certificates where grant_id = g.id and generation > 1
         and revoked_at is null) as good from federation_grants g where id = '${grant.id}'`,
    );
    expect(row?.status).toBe("suspended");
    expect(row?.good).toBeLessThanOrEqual(1);
    await second().grants.resume(admin, grant.id);
    await expectNothingGood(grant.id);
  }
});

test("suspend, resume, edit, invite and revoke at once, on two replicas: each is done or refused, and none is a deadlock's victim", async () => {
  const seen = new Set<string>();
  for (let round = 0; round < 15; round += 1) {
    const { grant, invite } = await newGrant();
    const peer = identified((await redeem(invite.url)).certificate);
    const { csrPem } = await createSigningRequest();
    const results = await Promise.all([
      outcome(first().grants.suspend(admin, grant.id)),
      outcome(second().grants.suspend(admin, grant.id)),
      outcome(second().grants.resume(admin, grant.id)),
      outcome(first().grants.edit(admin, grant.id, { name: "other" })),
      outcome(second().grants.invite(admin, grant.id)),
      outcome(first().renewal.renew(peer, { csr: csrPem }, newId())),
      outcome(second().certificates.confirm(peer.serial)),
      later(round).then(() => outcome(first().grants.revoke(admin, grant.id))),
    ]);
    for (const result of results) seen.add(result);
    expect(results.at(-1)).toBe("ok");
    await expectNothingGood(grant.id);
  }
  expect([...seen]).not.toContain("serving_failed");
});

test("certificates that are used for the first time all at once are confirmed, and none is a deadlock's victim", async () => {
  for (let round = 0; round < 12; round += 1) {
    const { grant, invite } = await newGrant();
    const serials = [identified((await redeem(invite.url)).certificate).serial];
    for (let n = 0; n < 5; n += 1) {
      const { url } = await first().grants.invite(admin, grant.id);
      serials.push(identified((await redeem(url)).certificate).serial);
    }
    const results = await Promise.all(serials.map((serial, n) => outcome(inTurn(n).certificates.confirm(serial))));
    expect(new Set(results)).toEqual(new Set(["ok"]));
    const rows = await database.run<{ serial: string }>(
      `select serial from federation_certificates where grant_id = '${grant.id}' and superseded_at is null`,
    );
    expect(rows.map(({ serial }) => serial)).toEqual([serials.at(-1)]);
  }
});
