import type { Coordination } from "@mosaicstack/coordination";
import { type Clock, newId } from "@mosaicstack/foundation";
import { formatInvite, hashToken, newToken, parseScope } from "@mosaicstack/federation-protocol";
import { resourceNames } from "@mosaicstack/resources";
import { appendAudit, type Database, schema, type Store } from "@mosaicstack/storage";
import { and, eq, notInArray } from "drizzle-orm";
import { changedColumns, type GrantChanges, requireFuture, requireSubject, requireTeamsOf } from "./grant-input.ts";
import type { LastUses } from "./grant-last-uses.ts";
import { createGrantPreviews, type GrantPreviews } from "./grant-preview.ts";
import { type Actor, createGrantReading, type Grant, type GrantReading, type GrantRow } from "./grant-reading.ts";
import { requireState } from "./grant-states.ts";
import type { LiveSockets } from "./live-sockets.ts";
import { createGrantAnnouncer, revokeCertificates, revokeGrant, suspendGrant, voidTokens } from "./revocation.ts";

const { federationEnrollmentTokens, federationGrants, federationGrantScopes } = schema;

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
  /** Within `GRANT_LIMITS`; absent: as it says. */
  readonly requestsPerMinute?: number | undefined;
  readonly concurrentRequests?: number | undefined;
}

/** What revoking a grant would do. */
export interface RevocationPreview {
  readonly grant: Grant;
  /** The certificates that would be revoked. */
  readonly serials: readonly string[];
  /** To this replica; the others may have more. */
  readonly openSockets: number;
}

/** Grants, for whoever may administer them. That only administrators create, edit, suspend and resume is for the caller to see to. */
export interface Grants extends GrantReading, GrantPreviews {
  /** @throws Problem `scope_invalid`, `grant_subject_unknown`, `grant_input_invalid` */
  create(actor: Actor, input: NewGrant): Promise<{ grant: Grant; invite: IssuedInvite }>;
  /**
   * A new invite for a pending or active grant; earlier ones stop working. Enrolling with it replaces the certificate.
   * @throws Problem `grant_not_found`, `grant_transition_refused`
   */
  invite(actor: Actor, id: string): Promise<IssuedInvite>;
  /**
   * Takes effect with the next request; a new end also with the next renewal.
   * @throws Problem `grant_not_found`, `grant_transition_refused`, `scope_invalid`, `grant_input_invalid`
   */
  edit(actor: Actor, id: string, changes: GrantChanges): Promise<Grant>;
  /** Stops an active grant until it is resumed. @throws Problem `grant_not_found`, `grant_transition_refused` */
  suspend(actor: Actor, id: string): Promise<Grant>;
  /**
   * Lets a suspended grant go on. One that was suspended for a cloned key loses its certificates by it, since nobody can tell which
   * of their holders is the right one: its peer needs a new invite.
   * @throws Problem `grant_not_found`, `grant_transition_refused`
   */
  resume(actor: Actor, id: string): Promise<Grant>;
  /**
   * Ends the grant, its certificates, its tokens and its open sockets. Revoking twice is the same as once.
   * @throws Problem `grant_not_found`, `grant_transition_refused`
   */
  revoke(actor: Actor, id: string): Promise<Grant>;
  /** Changes nothing. @throws what `revoke` would */
  previewRevocation(actor: Actor, id: string): Promise<RevocationPreview>;
  /** Revokes every grant over a user's data, since the user is gone. */
  revokeAllOf(subjectUserId: string): Promise<void>;
}

const unseen: Pick<LastUses, "of"> = { of: () => undefined };

export function createGrants(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly liveSockets: LiveSockets;
  readonly inviteLifetimeMinutes: number;
  /** Where invites are redeemed; known once the gateway listens. */
  readonly enrollUrl: () => string;
  readonly caFingerprint: string;
  /** Tells the other replicas. */
  readonly coordination: Pick<Coordination, "publish">;
  /** Default: only what the database knows. */
  readonly lastUses?: Pick<LastUses, "of">;
}): Grants {
  const { store, clock, liveSockets, coordination, lastUses = unseen } = dependencies;
  const reading = createGrantReading({ store, clock, lastUses });
  const announcer = createGrantAnnouncer({ liveSockets, coordination });
  const find = (actor: Actor, id: string): Promise<Grant> => reading.find(actor, id);

  function audit(db: Database, event: string, actor: Actor, row: GrantRow, details?: Record<string, unknown>) {
    return appendAudit(db, clock.now(), {
      side: "serving",
      event,
      outcome: "ok",
      grantId: row.id,
      subjectUserId: row.subjectUserId,
      actorUserId: actor.userId,
      ...(details === undefined ? {} : { details }),
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

  async function insertScope(db: Database, grantId: string, scope: unknown, actor: Actor): Promise<void> {
    const changedAt = clock.now();
    await db
      .insert(federationGrantScopes)
      .values({ id: newId(changedAt), grantId, scope, changedBy: actor.userId, changedAt });
  }

  return {
    ...reading,
    ...createGrantPreviews({ store, reading }),

    async create(actor, input) {
      const scope = parseScope(input.scope, resourceNames);
      const subject = await requireSubject(store, input.subject);
      await requireTeamsOf(store, subject.id, scope);
      const now = clock.now();
      requireFuture(input.expiresAt, now);
      const id = newId(now);
      const invite = await store.transaction(async (db) => {
        const { name, expiresAt, requestsPerMinute, concurrentRequests } = input;
        const values = {
          id,
          name,
          subjectUserId: subject.id,
          scope,
          createdBy: actor.userId,
          createdAt: now,
          expiresAt,
          // Drizzle takes undefined for "not given", so that the column's default holds.
          requestsPerMinute,
          concurrentRequests,
        };
        const [row] = await db.insert(federationGrants).values(values).returning();
        if (row === undefined) throw new Error("the grant was stored and is not there");
        await insertScope(db, id, scope, actor);
        await audit(db, "grant.created", actor, row, {
          scope,
          expires_at: expiresAt?.toISOString() ?? null,
          requests_per_minute: row.requestsPerMinute,
          concurrent_requests: row.concurrentRequests,
        });
        return await insertToken(db, id);
      });
      return { grant: await find({ ...actor, isAdmin: true }, id), invite };
    },

    async invite(actor, id) {
      await find(actor, id);
      return await store.transaction(async (db) => {
        const row = await requireState(db, id, "invite", clock.now());
        await audit(db, "grant.invited", actor, row);
        return await insertToken(db, id);
      });
    },

    async edit(actor, id, changes) {
      const { subject } = await find(actor, id);
      const scope = changes.scope === undefined ? undefined : parseScope(changes.scope, resourceNames);
      if (scope !== undefined) await requireTeamsOf(store, subject.id, scope);
      await store.transaction(async (db) => {
        const row = await requireState(db, id, "edit", clock.now());
        if (changes.expiresAt !== undefined) requireFuture(changes.expiresAt, clock.now());
        const changed = changedColumns(row, { ...changes, scope });
        if (Object.keys(changed).length === 0) return;
        await db.update(federationGrants).set(changed).where(eq(federationGrants.id, id));
        if (changed.scope !== undefined) await insertScope(db, id, scope, actor);
        await audit(db, "grant.edited", actor, row, { changed });
      });
      return await find(actor, id);
    },

    async suspend(actor, id) {
      await find(actor, id);
      await store.transaction(async (db) => {
        const at = clock.now();
        await requireState(db, id, "suspend", at);
        await suspendGrant(db, id, { at, reason: null, actorUserId: actor.userId });
      });
      await announcer.announce(id);
      return await find(actor, id);
    },

    async resume(actor, id) {
      await find(actor, id);
      await store.transaction(async (db) => {
        const at = clock.now();
        const row = await requireState(db, id, "resume", at);
        const isCloned = row.suspendedReason === "cloned_key";
        const serials = isCloned ? await revokeCertificates(db, id, { at, reason: "keyCompromise" }) : [];
        await db
          .update(federationGrants)
          // A certificate that is being signed for either of the holders is not to come out: its claim is given up.
          .set({
            status: "active",
            suspendedAt: null,
            suspendedReason: null,
            ...(isCloned ? { generationSpki: null } : {}),
          })
          .where(eq(federationGrants.id, id));
        await audit(db, "grant.resumed", actor, row, { was: row.suspendedReason, serials });
      });
      await announcer.announce(id);
      return await find(actor, id);
    },

    async revoke(actor, id) {
      await find(actor, id);
      await store.transaction(async (db) => {
        const at = clock.now();
        await requireState(db, id, "revoke", at);
        await revokeGrant(db, id, { at, reason: "privilegeWithdrawn", actorUserId: actor.userId });
      });
      await announcer.announce(id);
      return await find(actor, id);
    },

    async previewRevocation(actor, id) {
      await find(actor, id);
      await store.transaction((db) => requireState(db, id, "revoke", clock.now()));
      const grant = await find(actor, id);
      const serials = grant.certificates.filter(({ revokedAt }) => revokedAt === null).map(({ serial }) => serial);
      return { grant, serials, openSockets: liveSockets.count(id) };
    },

    async revokeAllOf(subjectUserId) {
      const { id, status, subjectUserId: subject } = federationGrants;
      const rows = await store.db
        .select({ id })
        .from(federationGrants)
        .where(and(eq(subject, subjectUserId), notInArray(status, ["revoked", "expired"])));
      for (const row of rows) {
        const decision = { at: clock.now(), reason: "cessationOfOperation", cause: "subject_removed" } as const;
        await store.transaction((db) => revokeGrant(db, row.id, decision));
        await announcer.announce(row.id);
      }
    },
  };
}
