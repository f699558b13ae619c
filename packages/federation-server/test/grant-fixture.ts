import { randomUUID } from "node:crypto";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import {
  createSigningRequest,
  fingerprintOf,
  readSigningRequest,
  type ScopeJson,
} from "@mosaicstack/federation-protocol";
import { movableClock, openTestStore } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import {
  createGrantAnnouncer,
  createGrants,
  createLastUses,
  createLiveSockets,
  type Grant,
  openStoredAuthority,
} from "../src/index.ts";

export const DAY_MS = 86_400_000;

/** Everything a scope lets through of a subject's own tasks. */
export const OWN_TASKS: ScopeJson = {
  resources: ["tasks"],
  excluded_resources: [],
  include_teams: [],
  include_personal: true,
  max_rows_per_query: 200,
};

/**
 * Grants, without a listener, with a clock that tests move.
 * @param given a database that was used before, with its secret. Default: one of their own
 */
export async function openGrants(given?: { readonly store: Store; readonly secret: string }) {
  const store = given?.store ?? (await openTestStore());
  const clock = movableClock();
  const sealer = createSealer({ secret: given?.secret ?? randomUUID() + randomUUID() });
  const authority = await openStoredAuthority({ store, sealer, clock });
  const liveSockets = createLiveSockets();
  const published: string[] = [];
  const coordination = {
    publish: async (channel: string, message: string) => void published.push(`${channel} ${message}`),
  };
  const lastUses = createLastUses({ clock });
  const subject = newId();
  await store.db.insert(schema.users).values({ id: subject, name: "Ada", email: `${subject}@example.test` });
  const admin = { userId: newId(), isAdmin: true };
  const grants = createGrants({
    store,
    clock,
    liveSockets,
    coordination,
    lastUses,
    inviteLifetimeMinutes: 15,
    enrollUrl: () => "https://127.0.0.1/enroll",
    caFingerprint: fingerprintOf(authority.rootPem),
  });
  return {
    store,
    clock,
    sealer,
    authority,
    liveSockets,
    published,
    lastUses,
    subject,
    admin,
    grants,
    announcer: createGrantAnnouncer({ liveSockets, coordination }),
    advance: clock.advance,
    setClockRight: clock.reset,
    async grant(expiresAt: Date | null = null): Promise<Grant> {
      return (await grants.create(admin, { name: "home", subject, scope: OWN_TASKS, expiresAt })).grant;
    },
    /** A grant whose peer has enrolled: active, with one certificate. */
    async enrolled(expiresAt: Date | null = null): Promise<{ readonly grant: Grant; readonly serial: string }> {
      const { id } = await this.grant(expiresAt);
      const serial = await issueFor({ store, authority, grantId: id, subjectUserId: subject, generation: 1 });
      const changes = { status: "active", generation: 1, activatedAt: clock.now() } as const;
      await store.db.update(schema.federationGrants).set(changes).where(eq(schema.federationGrants.id, id));
      return { grant: await grants.find(admin, id), serial };
    },
  };
}

export type OpenGrants = Awaited<ReturnType<typeof openGrants>>;

/** Has the CA sign a certificate of a grant, and records it as good. Its serial. */
export async function issueFor(wanted: {
  readonly store: Store;
  readonly authority: CertificateAuthority;
  readonly grantId: string;
  readonly subjectUserId: string;
  readonly generation: number;
  readonly notAfter?: Date;
}): Promise<string> {
  const { store, authority, grantId, subjectUserId, generation } = wanted;
  const own = await createSigningRequest();
  const reading = await readSigningRequest(own.csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const notAfter = wanted.notAfter ?? new Date(Date.now() + 7 * DAY_MS);
  const issued = await authority.issue({
    kind: "client",
    csr: reading.der,
    identity: { grantId, subjectUserId },
    notAfter,
  });
  await store.db.insert(schema.federationCertificates).values({
    serial: issued.serial,
    grantId,
    generation,
    spki: own.spkiSha256,
    pem: issued.certificatePem,
    notAfter: issued.notAfter,
    issuedAt: new Date(),
  });
  return issued.serial;
}
