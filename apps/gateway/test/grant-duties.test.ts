import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import {
  createCrlCopy,
  createGrantAnnouncer,
  createGrants,
  createLiveSockets,
  openStoredAuthority,
} from "@mosaicstack/federation-server";
import { fingerprintOf } from "@mosaicstack/federation-protocol";
import { newId, Problem, systemClock } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { composeGrantDuties } from "../src/federation/grant-duties.ts";

let store: Store;
let authority: CertificateAuthority;
let directory: string;
const ada = newId();
beforeAll(async () => {
  store = await openTestStore();
  const sealer = createSealer({ secret: randomUUID() + randomUUID() });
  authority = await openStoredAuthority({ store, sealer, clock: systemClock });
  await store.db.insert(schema.users).values({ id: ada, name: "Ada", email: "ada@example.test" });
  directory = await mkdtemp(join(tmpdir(), "mosaic-duties-"));
});
afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

/** Duties over the store, by an authority that may be another than the store's. */
function compose(differences: Partial<CertificateAuthority> = {}) {
  const log: string[] = [];
  const faults: unknown[] = [];
  const coordination = createInProcessCoordination({ onFault: (_name, error) => faults.push(error) });
  const liveSockets = createLiveSockets();
  const crlCopyPath = join(directory, `${randomUUID()}.pem`);
  const duties = composeGrantDuties({
    store,
    clock: systemClock,
    log: pino({ level: "info" }, { write: (line: string) => void log.push(line) }),
    authority: { ...authority, ...differences },
    liveSockets,
    announcer: createGrantAnnouncer({ liveSockets, coordination }),
    coordination,
    crlCopyPath,
  });
  const grants = createGrants({
    store,
    clock: systemClock,
    liveSockets,
    coordination,
    inviteLifetimeMinutes: 15,
    enrollUrl: () => "https://127.0.0.1/enroll",
    caFingerprint: fingerprintOf(authority.rootPem),
  });
  return { duties, grants, coordination, log, faults, copy: createCrlCopy(crlCopyPath) };
}

const admin = { userId: newId(), isAdmin: true };
const scope = { resources: ["tasks"], include_personal: true };

test("what is revoked reaches the CRL, its copy and the outbox's end by itself; what has ended is written down", async () => {
  const { duties, grants, coordination, faults, copy } = compose();
  const ended = await grants.create(admin, { name: "ended", subject: ada, scope, expiresAt: null });
  const { grant } = await grants.create(admin, { name: "home", subject: ada, scope, expiresAt: null });
  const serial = "4abc0123456789abcdef0123456789ab";
  const [now, notAfter] = [new Date(), new Date(Date.now() + 86_400_000)];
  await store.db.insert(schema.federationCertificates).values({
    serial,
    grantId: grant.id,
    generation: 1,
    spki: serial,
    pem: "",
    notAfter,
    issuedAt: now,
  });
  await store.db
    .update(schema.federationGrants)
    .set({ expiresAt: now })
    .where(eq(schema.federationGrants.id, ended.grant.id));
  try {
    await duties.start();
    await grants.revoke(admin, grant.id);
    // Its certificate's, and its own.
    expect(await duties.countUntold()).toBe(2);
    await expect.poll(() => duties.crl.latest()?.has(serial), { timeout: 10_000 }).toBe(true);
    await expect.poll(() => duties.countUntold()).toBe(0);
    await expect.poll(async () => (await copy.read())?.der.length).toBe((await duties.crl.current()).der.length);
    const statusOf = async () =>
      (await store.db.select().from(schema.federationGrants).where(eq(schema.federationGrants.id, ended.grant.id)))[0]
        ?.status;
    await expect.poll(statusOf).toBe("expired");
    expect(faults).toEqual([]);
  } finally {
    await coordination.close();
    await duties.stop();
  }
});

test("with the CA down it starts all the same, and warns once", async () => {
  const down = () => Promise.reject(new Problem("ca_unreachable", { status: 503, title: "Down.", remedy: "Wait." }));
  const { duties, coordination, log } = compose({ crl: down, revoke: down });
  try {
    await duties.start();
    expect(duties.crl.status()).toMatchObject({ status: "unavailable", alarm: { code: "ca_unreachable" } });
    await duties.crl.refresh();
    const warnings = log.map((line) => JSON.parse(line) as { level: number; alarm?: { code: string } });
    expect(warnings.filter(({ alarm }) => alarm !== undefined)).toMatchObject([
      { level: 40, alarm: { code: "ca_unreachable" } },
    ]);
    expect(log.join("\n")).toContain("no CRL to compare the database with");
  } finally {
    await coordination.close();
    await duties.stop();
  }
});

test("sharp edge 8: begun with the CA down, it compares as soon as the CA answers, and says so", async () => {
  const reconcilable = { isDown: true };
  const crl = async () =>
    reconcilable.isDown
      ? await Promise.reject(new Problem("ca_unreachable", { status: 503, title: "Down.", remedy: "Wait." }))
      : await authority.crl();
  const { duties, coordination, log } = compose({ crl });
  try {
    await duties.start();
    expect(log.join("\n")).not.toContain("was compared");
    reconcilable.isDown = false;
    await expect.poll(() => log.join("\n"), { timeout: 15_000 }).toContain("was compared");
    expect(duties.crl.status()).toMatchObject({ status: "ok", alarm: null });
  } finally {
    await coordination.close();
    await duties.stop();
  }
}, 20_000);
