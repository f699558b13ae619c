import { type Clock, isId } from "@mosaicstack/foundation";
import type { ScopeJson } from "@mosaicstack/federation-protocol";
import { schema, type Store } from "@mosaicstack/storage";
import { and, desc, eq, getTableColumns, inArray, type SQL } from "drizzle-orm";
import type { LastUses } from "./grant-last-uses.ts";
import { grantProblem } from "./problems.ts";

const { federationCertificates, federationGrants, federationGrantScopes, users } = schema;

/** Who administers: an administrator sees and revokes any grant, anybody else those over their own data. */
export interface Actor {
  readonly userId: string;
  readonly isAdmin: boolean;
}

export type GrantStatus = (typeof schema.grantStatus.enumValues)[number];
export type GrantRow = typeof federationGrants.$inferSelect;

export interface GrantCertificate {
  readonly serial: string;
  readonly generation: number;
  /** `superseded`: its peer has used a newer one. */
  readonly state: "active" | "superseded" | "revoked" | "expired";
  readonly issuedAt: Date;
  readonly notAfter: Date;
  readonly confirmedAt: Date | null;
  readonly supersededAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface Grant {
  readonly id: string;
  readonly name: string;
  /** As it holds now: a grant past its end is expired whether or not anybody has written that down. */
  readonly status: GrantStatus;
  readonly subject: { readonly id: string; readonly name: string | null };
  readonly scope: ScopeJson;
  /** How often its peer may ask, and how many of its requests may be under way at once. */
  readonly requestsPerMinute: number;
  readonly concurrentRequests: number;
  /** Of the newest certificate asked for; 0: no peer has enrolled. */
  readonly generation: number;
  readonly createdAt: Date;
  readonly activatedAt: Date | null;
  readonly suspendedAt: Date | null;
  /** Why, where it was not a person: `cloned_key`. */
  readonly suspendedReason: string | null;
  readonly revokedAt: Date | null;
  readonly expiresAt: Date | null;
  /** The last use this replica saw since it was started, or the first use of the newest certificate. Others may know of a later one. Null: none. */
  readonly lastUsedAt: Date | null;
  /** Newest first. */
  readonly certificates: readonly GrantCertificate[];
}

/** A scope that a grant had from then on. */
export interface ScopeChange {
  readonly scope: ScopeJson;
  readonly changedBy: string;
  readonly changedAt: Date;
}

/** What a grant's state is at a moment, whatever is written down. */
export function effectiveStatus(row: Pick<GrantRow, "status" | "expiresAt">, now: Date): GrantStatus {
  const isUnended = row.status === "revoked" || row.expiresAt === null || row.expiresAt > now;
  return isUnended ? row.status : "expired";
}

/** Grants as their administrators and subjects see them. */
export interface GrantReading {
  /** Newest first. */
  list(actor: Actor): Promise<Grant[]>;
  /** @throws Problem `grant_not_found` */
  find(actor: Actor, id: string): Promise<Grant>;
  /** Newest first; the last is the scope it was made with. @throws Problem `grant_not_found` */
  scopes(actor: Actor, id: string): Promise<ScopeChange[]>;
}

export function createGrantReading(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly lastUses: Pick<LastUses, "of">;
}): GrantReading {
  const { store, clock, lastUses } = dependencies;

  function certificateOf(row: CertificateColumns, now: Date): GrantCertificate {
    const { serial, generation, issuedAt, notAfter, confirmedAt, supersededAt, revokedAt } = row;
    return { serial, generation, state: stateOf(row, now), issuedAt, notAfter, confirmedAt, supersededAt, revokedAt };
  }

  async function certificatesOf(grantIds: readonly string[]): Promise<Map<string, GrantCertificate[]>> {
    const { pem: _pem, chainPem: _chain, spki: _spki, ...columns } = getTableColumns(federationCertificates);
    const rows = await store.db
      .select(columns)
      .from(federationCertificates)
      .where(inArray(federationCertificates.grantId, [...grantIds]))
      .orderBy(desc(federationCertificates.generation), desc(federationCertificates.issuedAt));
    const now = clock.now();
    const byGrant = new Map<string, GrantCertificate[]>();
    for (const row of rows) {
      const known = byGrant.get(row.grantId);
      if (known === undefined) byGrant.set(row.grantId, [certificateOf(row, now)]);
      else known.push(certificateOf(row, now));
    }
    return byGrant;
  }

  async function grantsWhere(condition: SQL | undefined): Promise<Grant[]> {
    const rows = await store.db
      .select({ grant: federationGrants, subjectName: users.name })
      .from(federationGrants)
      .leftJoin(users, eq(users.id, federationGrants.subjectUserId))
      .where(condition)
      .orderBy(desc(federationGrants.id));
    const certificates = await certificatesOf(rows.map(({ grant }) => grant.id));
    const now = clock.now();
    return rows.map(({ grant, subjectName }) => {
      const own = certificates.get(grant.id) ?? [];
      return {
        id: grant.id,
        name: grant.name,
        status: effectiveStatus(grant, now),
        subject: { id: grant.subjectUserId, name: subjectName },
        // Validated when it was stored; shown as it stands, so that one odd row hides no grant.
        scope: grant.scope as ScopeJson,
        requestsPerMinute: grant.requestsPerMinute,
        concurrentRequests: grant.concurrentRequests,
        generation: grant.generation,
        createdAt: grant.createdAt,
        activatedAt: grant.activatedAt,
        suspendedAt: grant.suspendedAt,
        suspendedReason: grant.suspendedReason,
        revokedAt: grant.revokedAt,
        expiresAt: grant.expiresAt,
        lastUsedAt: latest([lastUses.of(grant.id), ...own.map(({ confirmedAt }) => confirmedAt)]),
        certificates: own,
      };
    });
  }

  async function find(actor: Actor, id: string): Promise<Grant> {
    const [grant] = isId(id) ? await grantsWhere(visibleTo(actor, id)) : [];
    if (grant === undefined) throw grantProblem("grant_not_found");
    return grant;
  }

  return {
    list: (actor) => grantsWhere(visibleTo(actor)),
    find,
    async scopes(actor, id) {
      await find(actor, id);
      const { grantId, id: changeId, scope, changedBy, changedAt } = federationGrantScopes;
      const rows = await store.db
        .select({ scope, changedBy, changedAt })
        .from(federationGrantScopes)
        .where(eq(grantId, id))
        .orderBy(desc(changeId));
      return rows.map((row) => ({ ...row, scope: row.scope as ScopeJson }));
    },
  };
}

type CertificateColumns = Omit<typeof federationCertificates.$inferSelect, "pem" | "chainPem" | "spki">;

function stateOf(row: CertificateColumns, now: Date): GrantCertificate["state"] {
  if (row.revokedAt !== null) return "revoked";
  if (row.notAfter <= now) return "expired";
  return row.supersededAt === null ? "active" : "superseded";
}

function latest(times: readonly (Date | null | undefined)[]): Date | null {
  const known = times.flatMap((time) => (time instanceof Date ? [time.getTime()] : []));
  return known.length === 0 ? null : new Date(Math.max(...known));
}

/** What an actor may see. Somebody else's grant and none at all are one answer. */
function visibleTo(actor: Actor, id?: string): SQL | undefined {
  return and(
    actor.isAdmin ? undefined : eq(federationGrants.subjectUserId, actor.userId),
    id === undefined ? undefined : eq(federationGrants.id, id),
  );
}
