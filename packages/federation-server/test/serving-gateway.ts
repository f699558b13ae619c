import { randomUUID } from "node:crypto";
import { type CertificateAuthority, createEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { type Clock, newId } from "@mosaicstack/foundation";
import {
  createSigningRequest,
  fingerprintOf,
  type Invite,
  readInvite,
  readSigningRequest,
  type Verb,
  verbPath,
} from "@mosaicstack/federation-protocol";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import { movableClock, openTestStore } from "@mosaicstack/harness";
import {
  type AuditQueueLimits,
  createAuditQueue,
  createSealer,
  openAuditChain,
  schema,
  type Store,
} from "@mosaicstack/storage";
import { Agent, request as send } from "undici";
import {
  createCertificates,
  createEnrollment,
  createGrantAnnouncer,
  createGrants,
  createListener,
  createLiveSockets,
  createRenewal,
  type Grants,
  issueServerCertificate,
  openStoredAuthority,
  type ServingRecord,
} from "../src/index.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** A client certificate with its key, as a peer holds it. */
export interface PeerKeys {
  readonly cert: string;
  readonly key: string;
}

export interface ServingOptions {
  /** How far from the right time the gateway's clock is at first. */
  readonly offsetMs?: number;
  /** Default 7. */
  readonly certificateLifetimeDays?: number;
  /** The shortest time from one certificate of a grant to the next. Default 0. */
  readonly leastIntervalMs?: number;
  /** Of the audit's queue; nothing is written by itself while `flushMs` and `pollMs` are long. */
  readonly audit?: Partial<AuditQueueLimits>;
  /** Default: an embedded database in memory. */
  readonly openStore?: () => Promise<Store>;
  /** Puts something around the gateway's own CA, or another in its place. */
  readonly authority?: (
    own: CertificateAuthority,
    clock: Clock,
  ) => CertificateAuthority | Promise<CertificateAuthority>;
}

/** The serving side on a database of its own, with a clock that tests move. */
export async function startServingGateway(options: ServingOptions = {}) {
  const store = await (options.openStore?.() ?? openTestStore({ vector: true }));
  const clock = movableClock(options.offsetMs);
  const sealer = createSealer({ secret: randomUUID() + randomUUID() });
  const own = await openStoredAuthority({ store, sealer, clock });
  const authority = (await options.authority?.(own, clock)) ?? own;
  const liveSockets = createLiveSockets();
  const coordination = createInProcessCoordination({ onFault: (_name, error) => faults.push(error) });
  const announcer = createGrantAnnouncer({ liveSockets, coordination });
  const records: ServingRecord[] = [];
  const faults: unknown[] = [];
  let port = 0;
  const endpoint = () => `https://127.0.0.1:${port}`;
  const crlUrl = () => "https://127.0.0.1/federation/crl";
  const { certificateLifetimeDays = 7, leastIntervalMs = 0 } = options;
  /** What issues certificates, with a store or a CA of a test's own. */
  const issuance = (other: { store?: Store; authority?: CertificateAuthority } = {}) => {
    const parts = { store, authority, clock, certificateLifetimeDays, endpoint, crlUrl, leastIntervalMs, ...other };
    const certificates = createCertificates(parts);
    const enrollment = createEnrollment({ ...parts, certificates, limits: coordination.limits });
    return { certificates, enrollment, renewal: createRenewal({ ...parts, certificates }) };
  };
  const { certificates, enrollment, renewal } = issuance();
  const grants = createGrants({
    store,
    clock,
    liveSockets,
    coordination,
    inviteLifetimeMinutes: 15,
    enrollUrl: () => "https://127.0.0.1/enroll",
    caFingerprint: fingerprintOf(authority.rootPem),
  });
  const chain = await openAuditChain({ store, sealer, clock });
  const auditQueue = createAuditQueue({ store, clock, chain, limits: options.audit ?? {} });
  const listener = createListener({
    host: "127.0.0.1",
    port: 0,
    certificate: await issueServerCertificate(authority, clock, []),
    rootPem: authority.rootPem,
    store,
    clock,
    maxRowsPerQuery: 200,
    liveSockets,
    certificates,
    renewal,
    announcer,
    limits: coordination.limits,
    auditQueue,
    record: (entry) => records.push(entry),
  });
  ({ port } = await listener.start());

  const agents: Agent[] = [];
  return {
    store,
    authority,
    sealer,
    clock,
    coordination,
    limits: coordination.limits,
    announcer,
    grants,
    certificates,
    enrollment,
    renewal,
    issuance,
    liveSockets,
    listener,
    auditQueue,
    records,
    port,
    rootPem: authority.rootPem,
    advance: clock.advance,
    setClockRight: clock.reset,
    /** A connection pool that presents these keys. */
    agent(keys: Partial<PeerKeys>): Agent {
      const agent = new Agent({
        connections: 1,
        connect: { ca: authority.rootPem, ...keys },
        keepAliveTimeout: 60_000,
      });
      agents.push(agent);
      return agent;
    },
    /** @param verb one of the protocol, a path, or the whole address of another listener */
    async ask(agent: Agent, verb: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
      const path = verb.startsWith("/") ? verb : verbPath(verb as Verb);
      const url = verb.startsWith("https:") ? verb : `${endpoint()}${path}`;
      const response = await send(url, {
        method: "POST",
        dispatcher: agent,
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      const text = await response.body.text();
      const json = JSON.parse(text) as Record<string, unknown>;
      return { status: response.statusCode, headers: response.headers, text, json };
    },
    async stop() {
      await Promise.all(agents.map((agent) => agent.destroy()));
      await listener.stop();
      await auditQueue.close();
      await coordination.close();
      await store.close();
    },
  };
}

export type ServingGateway = Awaited<ReturnType<typeof startServingGateway>>;

export async function addUser(store: Store, name: string): Promise<string> {
  const id = newId();
  await store.db.insert(schema.users).values({ id, name, email: `${name}@example.test` });
  return id;
}

export async function addTeam(store: Store, name: string, ...members: string[]): Promise<string> {
  const id = newId();
  await store.db.insert(schema.teams).values({ id, name });
  for (const userId of members) await store.db.insert(schema.teamMembers).values({ teamId: id, userId });
  return id;
}

export async function addTask(store: Store, title: string, ownerId: string, teamId?: string): Promise<string> {
  const id = newId();
  const now = new Date();
  await store.db
    .insert(schema.tasks)
    .values({ id, ownerId, teamId: teamId ?? null, title, createdAt: now, updatedAt: now });
  return id;
}

export function inviteOf(url: string): Invite {
  const reading = readInvite(url);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite;
}

export async function enroll(gateway: ServingGateway, url: string): Promise<PeerKeys> {
  const request = await createSigningRequest();
  const { token } = inviteOf(url);
  const { certificate, chain } = await gateway.enrollment.redeem({ protocol: 1, token, csr: request.csrPem });
  return { cert: [certificate, ...chain].join("\n"), key: request.privateKeyPem };
}

/** A grant over a subject's data, made by an administrator, with the keys of the peer that enrolled for it. */
export async function grantAndEnroll(gateway: ServingGateway, subject: string, scope: unknown) {
  const admin = { userId: newId(), isAdmin: true };
  const made = await gateway.grants.create(admin, { name: "home", subject, scope, expiresAt: null });
  return { admin, grant: made.grant, invite: made.invite, keys: await enroll(gateway, made.invite.url) };
}

export async function newAuthority(clock: Clock): Promise<{ rootPem: string; privateKeyPem: string }> {
  return await createEmbeddedAuthority({ clock });
}

/** A client certificate of an authority, for whatever identity: what a CA gone wrong, or another CA, would issue. */
export async function issueClient(
  authority: CertificateAuthority,
  identity: { grantId: string; subjectUserId: string },
  notAfter = new Date(Date.now() + 86_400_000),
): Promise<PeerKeys & { serial: string; spki: string; notAfter: Date }> {
  const own = await createSigningRequest();
  const reading = await readSigningRequest(own.csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const issued = await authority.issue({ kind: "client", csr: reading.der, identity, notAfter });
  return {
    cert: issued.certificatePem,
    key: own.privateKeyPem,
    serial: issued.serial,
    spki: own.spkiSha256,
    notAfter: issued.notAfter,
  };
}

export type { Grants };
