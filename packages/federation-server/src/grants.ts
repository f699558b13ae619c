import { type Clock, isId, newId } from "@mosaicstack/foundation";
import { formatInvite, hashToken, newToken, parseScope, type ScopeJson } from "@mosaicstack/federation-protocol";
import { resourceNames } from "@mosaicstack/resources";
import { type Database, schema, type Store } from "@mosaicstack/storage";
import { and, desc, eq, inArray, isNull, or } from "drizzle-orm";
import type { LiveSockets } from "./live-sockets.ts";
import { grantProblem } from "./problems.ts";

const { federationCertificates, federationEnrollmentTokens, federationGrants, teamMembers, users } = schema;

/** Who administers: an administrator sees and revokes any grant, anybody else those over their own data. */
export interface Actor {
  readonly userId: string;
  readonly isAdmin: boolean;
}

export type GrantStatus = (typeof schema.grantStatus.enumValues)[number];

export interface Grant {
  readonly id: string;
  readonly name: string;
  /** As it holds now: a grant past its end is expired whether or not anybody has written that down. */
  readonly status: GrantStatus;
  readonly subject: { readonly id: string; readonly name: string | null };
  readonly scope: ScopeJson;
  readonly createdAt: Date;
  readonly activatedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly certificates: readonly {
    readonly serial: string;
    readonly notAfter: Date;
    readonly revokedAt: Date | null;
  }[];
}

/** An invite, shown once: only a hash of its token is kept. */
export interface IssuedInvite {
  readonly url: string;
  readonly expiresAt: Date;
}

export interface NewGrant {
  readonly name: string;
  /** The subject's id, e-mail or name. */
  readonly subject: string;
  /** Not yet validated. */
  readonly scope: unknown;
  readonly expiresAt: Date | null;
}

export interface Grants {
  /** @throws Problem `scope_invalid`, `grant_subject_unknown`, `grant_input_invalid` */
  create(actor: Actor, input: NewGrant): Promise<{ grant: Grant; invite: IssuedInvite }>;
  /** Newest first. */
  list(actor: Actor): Promise<Grant[]>;
  /** @throws Problem `grant_not_found` */
  find(actor: Actor, id: string): Promise<Grant>;
  /** A new invite for a pending or active grant; earlier ones stop working. Enrolling with it replaces the certificate. */
  invite(actor: Actor, id: string): Promise<IssuedInvite>;
  /** Ends the grant, its certificates, its tokens and its open sockets. Revoking twice is the same as once. */
  revoke(actor: Actor, id: string): Promise<Grant>;
  /** Revokes every grant over a user's data. */
  revokeAllOf(subjectUserId: string): Promise<void>;
}

export function createGrants(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly liveSockets: LiveSockets;
  readonly inviteLifetimeMinutes: number;
  /** Where invites are redeemed; known once the gateway listens. */
  readonly enrollUrl: () => string;
  readonly caFingerprint: string;
}): Grants {
  const { store, clock, liveSockets } = dependencies;

  async function subjectOf(reference: string): Promise<{ id: string; name: string }> {
    const byText = or(eq(users.email, reference.toLowerCase()), eq(users.name, reference));
    const found = await store.db
      .select({ id: users.id, name: users.name })
      .from(users)
      .where(isId(reference) ? eq(users.id, reference) : byText)
      .limit(2);
    const [subject, another] = found;
    if (subject === undefined) throw grantProblem("grant_subject_unknown");
    if (another !== undefined) {
      throw grantProblem("grant_input_invalid", {
        detail: "Several users have this name.",
        remedy: "Name the subject by e-mail or id.",
        extensions: { path: "subject" },
      });
    }
    return subject;
  }

  /** A team the subject is not in would expose nothing now and everything once they join: it must be named knowingly. */
  async function requireTeamsOf(subjectId: string, scope: ScopeJson): Promise<void> {
    if (scope.include_teams === "all") return;
    const memberships = await store.db
      .select({ teamId: teamMembers.teamId })
      .from(teamMembers)
      .where(eq(teamMembers.userId, subjectId));
    const own = new Set(memberships.map(({ teamId }) => teamId));
    const index = scope.include_teams.findIndex((teamId) => !own.has(teamId));
    if (index === -1) return;
    const path = `scope.include_teams.${index}`;
    throw grantProblem("grant_input_invalid", {
      detail: `${path}: the subject does not belong to such a team`,
      extensions: { path },
    });
  }

  async function insertToken(db: Database, grantId: string): Promise<IssuedInvite> {
    const now = clock.now();
    const token = newToken();
    const expiresAt = new Date(now.getTime() + dependencies.inviteLifetimeMinutes * 60_000);
    await voidTokens(db, grantId);
    await db
      .insert(federationEnrollmentTokens)
      .values({ id: newId(now), grantId, tokenHash: hashToken(token), expiresAt, createdAt: now });
    const { enrollUrl, caFingerprint } = dependencies;
    return { url: formatInvite({ enrollUrl: enrollUrl(), token, caFingerprint }), expiresAt };
  }

  async function voidTokens(db: Database, grantId: string): Promise<void> {
    const { grantId: grant, status } = federationEnrollmentTokens;
    const open = and(eq(grant, grantId), inArray(status, ["open", "claimed"]));
    await db.update(federationEnrollmentTokens).set({ status: "void" }).where(open);
  }

  function effectiveStatus(row: typeof federationGrants.$inferSelect): GrantStatus {
    const ended = row.status === "revoked" || row.expiresAt === null || row.expiresAt > clock.now();
    return ended ? row.status : "expired";
  }

  async function grantsWhere(condition: ReturnType<typeof and>): Promise<Grant[]> {
    const rows = await store.db
      .select({ grant: federationGrants, subjectName: users.name })
      .from(federationGrants)
      .leftJoin(users, eq(users.id, federationGrants.subjectUserId))
      .where(condition)
      .orderBy(desc(federationGrants.id));
    const ids = rows.map(({ grant }) => grant.id);
    const certificates = await store.db
      .select()
      .from(federationCertificates)
      .where(inArray(federationCertificates.grantId, ids))
      .orderBy(desc(federationCertificates.generation));
    return rows.map(({ grant, subjectName }) => ({
      id: grant.id,
      name: grant.name,
      status: effectiveStatus(grant),
      subject: { id: grant.subjectUserId, name: subjectName },
      // Validated when it was stored; shown as it stands, so that one odd row hides no grant.
      scope: grant.scope as ScopeJson,
      createdAt: grant.createdAt,
      activatedAt: grant.activatedAt,
      revokedAt: grant.revokedAt,
      expiresAt: grant.expiresAt,
      certificates: certificates
        .filter(({ grantId }) => grantId === grant.id)
        .map(({ serial, notAfter, revokedAt }) => ({ serial, notAfter, revokedAt })),
    }));
  }

  /** What an actor may see. Somebody else's grant and none at all are one answer. */
  function visibleTo(actor: Actor, id?: string) {
    return and(
      actor.isAdmin ? undefined : eq(federationGrants.subjectUserId, actor.userId),
      id === undefined ? undefined : eq(federationGrants.id, id),
    );
  }

  async function find(actor: Actor, id: string): Promise<Grant> {
    const [grant] = isId(id) ? await grantsWhere(visibleTo(actor, id)) : [];
    if (grant === undefined) throw grantProblem("grant_not_found");
    return grant;
  }

  async function revokeRow(id: string): Promise<void> {
    const revokedAt = clock.now();
    await store.transaction(async (db) => {
      await db
        .update(federationGrants)
        .set({ status: "revoked", revokedAt })
        .where(and(eq(federationGrants.id, id), isNull(federationGrants.revokedAt)));
      await db
        .update(federationCertificates)
        .set({ revokedAt })
        .where(and(eq(federationCertificates.grantId, id), isNull(federationCertificates.revokedAt)));
      await voidTokens(db, id);
    });
    liveSockets.cut(id);
  }

  return {
    async create(actor, input) {
      const scope = parseScope(input.scope, resourceNames);
      const subject = await subjectOf(input.subject);
      await requireTeamsOf(subject.id, scope);
      const now = clock.now();
      if (input.expiresAt !== null && input.expiresAt <= now) {
        throw grantProblem("grant_input_invalid", {
          detail: "expires_at: must be in the future",
          extensions: { path: "expires_at" },
        });
      }
      const id = newId(now);
      const invite = await store.transaction(async (db) => {
        await db.insert(federationGrants).values({
          id,
          name: input.name,
          subjectUserId: subject.id,
          scope,
          createdBy: actor.userId,
          createdAt: now,
          expiresAt: input.expiresAt,
        });
        return await insertToken(db, id);
      });
      return { grant: await find({ ...actor, isAdmin: true }, id), invite };
    },

    list: (actor) => grantsWhere(visibleTo(actor)),
    find,

    async invite(actor, id) {
      const grant = await find(actor, id);
      if (grant.status !== "pending" && grant.status !== "active") {
        throw grantProblem("grant_transition_refused", {
          detail: `The grant is ${grant.status}: it takes no new invite.`,
        });
      }
      return await store.transaction((db) => insertToken(db, id));
    },

    async revoke(actor, id) {
      await find(actor, id);
      await revokeRow(id);
      return await find(actor, id);
    },

    async revokeAllOf(subjectUserId) {
      const grants = await grantsWhere(eq(federationGrants.subjectUserId, subjectUserId));
      for (const grant of grants) if (grant.revokedAt === null) await revokeRow(grant.id);
    },
  };
}
