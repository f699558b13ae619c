import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  real,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { users } from "./auth.ts";

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const grantStatus = pgEnum("grant_status", ["pending", "active", "suspended", "revoked", "expired"]);
export const peerState = pgEnum("peer_state", ["pending", "active", "degraded", "revoked", "expired"]);
export const auditSide = pgEnum("audit_side", ["serving", "querying"]);
export const tokenStatus = pgEnum("enrollment_token_status", ["open", "claimed", "consumed", "expired", "void"]);

/** The embedded CA: its root certificate, and its key sealed. At most one row. */
export const certificateAuthorities = pgTable("certificate_authorities", {
  id: uuid().primaryKey(),
  rootPem: text("root_pem").notNull(),
  sealedKey: text("sealed_key").notNull(),
  createdAt: instant("created_at").notNull(),
});

/**
 * The certificate that the listeners present: a gateway starts with it while its authority is away. At most one row, for all replicas.
 */
export const federationServerCertificates = pgTable("federation_server_certificates", {
  id: uuid().primaryKey(),
  certificatePem: text("certificate_pem").notNull(),
  /** Sealed, bound to this row's id. */
  sealedKey: text("sealed_key").notNull(),
  notAfter: instant("not_after").notNull(),
  createdAt: instant("created_at").notNull(),
});

/** What one peer may read as one subject user. `subject_user_id` has no foreign key: a grant outlives its subject, revoked. */
export const federationGrants = pgTable(
  "federation_grants",
  {
    id: uuid().primaryKey(),
    name: text().notNull(),
    subjectUserId: uuid("subject_user_id").notNull(),
    scope: jsonb().$type<unknown>().notNull(),
    status: grantStatus().notNull().default("pending"),
    createdBy: uuid("created_by").notNull(),
    createdAt: instant("created_at").notNull(),
    activatedAt: instant("activated_at"),
    suspendedAt: instant("suspended_at"),
    /** Why, where it was not a person: `cloned_key`. */
    suspendedReason: text("suspended_reason"),
    revokedAt: instant("revoked_at"),
    expiresAt: instant("expires_at"),
    /** The generation of certificate last claimed; 0: none was. */
    generation: integer().notNull().default(0),
    /** SHA-256 of the public key that generation was claimed for. */
    generationSpki: text("generation_spki"),
    /** Renewals in a row that were asked for with a certificate that had ended. */
    lateRenewals: integer("late_renewals").notNull().default(0),
    /** How often its peer may ask, and how many requests of it may be under way at once. */
    requestsPerMinute: integer("requests_per_minute").notNull().default(1200),
    concurrentRequests: integer("concurrent_requests").notNull().default(16),
  },
  (table) => [
    index("federation_grants_subject").on(table.subjectUserId, table.id),
    // What federation-server lets through (GRANT_LIMITS), for whoever writes past it: 0 would stop the peer without a word, and what is
    // out of range every request with a fault.
    check("federation_grants_requests_per_minute", sql`requests_per_minute between 1 and 1000000`),
    check("federation_grants_concurrent_requests", sql`concurrent_requests between 1 and 1000`),
  ],
);

/** Every scope a grant had, the first one included. Append-only. */
export const federationGrantScopes = pgTable(
  "federation_grant_scopes",
  {
    id: uuid().primaryKey(),
    grantId: uuid("grant_id")
      .notNull()
      .references(() => federationGrants.id, { onDelete: "cascade" }),
    scope: jsonb().$type<unknown>().notNull(),
    changedBy: uuid("changed_by").notNull(),
    changedAt: instant("changed_at").notNull(),
  },
  (table) => [index("federation_grant_scopes_grant").on(table.grantId, table.id)],
);

/** Single-use enrollment tokens, stored hashed. `claimed_spki`: the SHA-256 of the one public key that may finish. */
export const federationEnrollmentTokens = pgTable(
  "federation_enrollment_tokens",
  {
    id: uuid().primaryKey(),
    grantId: uuid("grant_id")
      .notNull()
      .references(() => federationGrants.id, { onDelete: "cascade" }),
    tokenHash: text("token_hash").notNull(),
    status: tokenStatus().notNull().default("open"),
    claimedSpki: text("claimed_spki"),
    expiresAt: instant("expires_at").notNull(),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    uniqueIndex("federation_enrollment_tokens_hash_unique").on(table.tokenHash),
    index("federation_enrollment_tokens_grant").on(table.grantId),
  ],
);

/**
 * Every client certificate ever issued; append-only but for what became of it. `serial`: lower-case hex without leading zeros.
 * Confirmed by its first use, after which the ones before it are superseded.
 */
export const federationCertificates = pgTable(
  "federation_certificates",
  {
    serial: text().primaryKey(),
    grantId: uuid("grant_id")
      .notNull()
      .references(() => federationGrants.id, { onDelete: "restrict" }),
    generation: integer().notNull(),
    spki: text().notNull(),
    pem: text().notNull(),
    /** The certificates between it and the root, PEM, nearest first. */
    chainPem: text("chain_pem").array().notNull().default([]),
    notAfter: instant("not_after").notNull(),
    issuedAt: instant("issued_at").notNull(),
    confirmedAt: instant("confirmed_at"),
    supersededAt: instant("superseded_at"),
    revokedAt: instant("revoked_at"),
  },
  (table) => [
    index("federation_certificates_grant").on(table.grantId),
    uniqueIndex("federation_certificates_spki_unique").on(table.spki),
  ],
);

/** What the CA is to be told of revoked certificates, until it has been: an outbox that bears the CA being down. */
export const federationRevocations = pgTable(
  "federation_revocations",
  {
    serial: text().primaryKey(),
    grantId: uuid("grant_id").notNull(),
    /** As RFC 5280 5.3.1 names it, e.g. `cessationOfOperation`. */
    reason: text().notNull(),
    notAfter: instant("not_after").notNull(),
    revokedAt: instant("revoked_at").notNull(),
    /** When the CA took it; null: not yet. */
    toldAt: instant("told_at"),
    attempts: integer().notNull().default(0),
    nextAttemptAt: instant("next_attempt_at"),
    lastError: text("last_error"),
  },
  (table) => [index("federation_revocations_told_at").on(table.toldAt, table.nextAttemptAt)],
);

/**
 * What happened between gateways, on either side: one row a request, and one a change of a grant or peer. Append-only, but for
 * its place in the chain, which is given once.
 */
export const federationAuditLog = pgTable(
  "federation_audit_log",
  {
    id: uuid().primaryKey(),
    at: instant("at").notNull(),
    side: auditSide().notNull(),
    /** E.g. `request`, `enrollment`, `renewal`, `grant.revoked`. */
    event: text().notNull(),
    /** `ok`, or the code of the refusal. */
    outcome: text().notNull(),
    reason: text(),
    grantId: uuid("grant_id"),
    peerId: uuid("peer_id"),
    subjectUserId: uuid("subject_user_id"),
    /** Who did it; null: the gateway itself, or somebody unknown. */
    actorUserId: uuid("actor_user_id"),
    serial: text(),
    /** Both sides' rows of one request have the same. */
    requestId: text("request_id"),
    /** Of a request: what was asked, of what, and a keyed hash of the question; never the question. */
    verb: text(),
    resource: text(),
    queryHash: text("query_hash"),
    rows: integer(),
    bytes: integer(),
    tookMs: real("took_ms"),
    details: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Its place in the chain, from 1, and the hash over the one before and itself; null: not chained yet, for about a second. */
    position: bigint({ mode: "number" }),
    hash: text(),
  },
  (table) => [
    index("federation_audit_log_at").on(table.at.desc().nullsFirst(), table.id.desc().nullsFirst()),
    index("federation_audit_log_grant").on(table.grantId, table.id.desc().nullsFirst()),
    index("federation_audit_log_querying")
      .on(table.subjectUserId, table.id.desc().nullsFirst())
      .where(sql`side = 'querying'`),
    uniqueIndex("federation_audit_log_position_unique").on(table.position),
    index("federation_audit_log_unchained")
      .on(table.id)
      .where(sql`position is null`),
  ],
);

/** Where the audit log's chain ends: at most one row, rewritten as the chain grows, so that a tail that is cut off is missed. */
export const federationAuditChain = pgTable("federation_audit_chain", {
  id: uuid().primaryKey(),
  /** The last entry's, and its hash. */
  position: bigint({ mode: "number" }).notNull(),
  hash: text().notNull(),
  /** Over both, with the chain's key: nobody without it makes another entry the last one. */
  mac: text().notNull(),
  /** The chain's key, sealed, bound to this row's id: it stays the same when the seal's key is changed. */
  sealedKey: text("sealed_key").notNull(),
  at: instant("at").notNull(),
});

/** Querying side: the gateways a user of this one reads from. Belongs to that user alone. */
export const federationPeers = pgTable(
  "federation_peers",
  {
    id: uuid().primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    name: text().notNull(),
    state: peerState().notNull().default("pending"),
    enrollUrl: text("enroll_url").notNull(),
    /** SHA-256 of the invite's token: finds the pending peer when the same invite is tried again. */
    tokenHash: text("token_hash").notNull(),
    /** The peer's federation listener, `https://host:port`; known once enrolled. */
    endpoint: text(),
    /** The one before, until the new one has worked. */
    previousEndpoint: text("previous_endpoint"),
    caFingerprint: text("ca_fingerprint").notNull(),
    rootPem: text("root_pem"),
    /** Key and certificate in use. The key that is asked for next, sealed before it is asked for; the pair before, while it is good. */
    certificatePem: text("certificate_pem"),
    chainPem: text("chain_pem").array().notNull().default([]),
    sealedKey: text("sealed_key").notNull(),
    sealedNextKey: text("sealed_next_key"),
    previousCertificatePem: text("previous_certificate_pem"),
    previousChainPem: text("previous_chain_pem").array().notNull().default([]),
    sealedPreviousKey: text("sealed_previous_key"),
    previousNotAfter: instant("previous_not_after"),
    generation: integer().notNull().default(0),
    remoteGrantId: uuid("remote_grant_id"),
    notAfter: instant("not_after"),
    /** The moment within the serving side's window at which this one renews; after a failure, the next attempt. */
    renewAt: instant("renew_at"),
    renewAttempts: integer("renew_attempts").notNull().default(0),
    /** Code of the last renewal's failure; null: it worked. */
    renewError: text("renew_error"),
    degradedAt: instant("degraded_at"),
    /** Where the serving side publishes its CRL. */
    crlUrl: text("crl_url"),
    /** The newest CRL seen, so that an older one proves nothing. Decimal. */
    crlNumber: text("crl_number"),
    lastSuccessAt: instant("last_success_at"),
    lastFailureAt: instant("last_failure_at"),
    lastFailure: text("last_failure"),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("federation_peers_user_name_unique").on(table.userId, table.name),
    uniqueIndex("federation_peers_user_token_unique").on(table.userId, table.tokenHash),
    index("federation_peers_renew_at").on(table.renewAt),
  ],
);
