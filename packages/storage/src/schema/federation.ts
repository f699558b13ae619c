import { integer, index, jsonb, pgEnum, pgTable, text, timestamp, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { users } from "./auth.ts";

const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

export const grantStatus = pgEnum("grant_status", ["pending", "active", "suspended", "revoked", "expired"]);
export const peerState = pgEnum("peer_state", ["pending", "active", "degraded", "revoked", "expired"]);
export const tokenStatus = pgEnum("enrollment_token_status", ["open", "claimed", "consumed", "expired", "void"]);

/** The embedded CA: its root certificate, and its key sealed. At most one row. */
export const certificateAuthorities = pgTable("certificate_authorities", {
  id: uuid().primaryKey(),
  rootPem: text("root_pem").notNull(),
  sealedKey: text("sealed_key").notNull(),
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
    revokedAt: instant("revoked_at"),
    expiresAt: instant("expires_at"),
  },
  (table) => [index("federation_grants_subject").on(table.subjectUserId, table.id)],
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

/** Every client certificate ever issued; append-only but for `revoked_at`. `serial`: lower-case hex without leading zeros. */
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
    notAfter: instant("not_after").notNull(),
    issuedAt: instant("issued_at").notNull(),
    revokedAt: instant("revoked_at"),
  },
  (table) => [
    index("federation_certificates_grant").on(table.grantId),
    uniqueIndex("federation_certificates_spki_unique").on(table.spki),
  ],
);

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
    caFingerprint: text("ca_fingerprint").notNull(),
    rootPem: text("root_pem"),
    certificatePem: text("certificate_pem"),
    sealedKey: text("sealed_key").notNull(),
    remoteGrantId: uuid("remote_grant_id"),
    notAfter: instant("not_after"),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("federation_peers_user_name_unique").on(table.userId, table.name),
    uniqueIndex("federation_peers_user_token_unique").on(table.userId, table.tokenHash),
  ],
);
