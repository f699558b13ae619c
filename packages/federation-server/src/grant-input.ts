import { isDeepStrictEqual } from "node:util";
import { isId } from "@mosaicstack/foundation";
import type { ScopeJson } from "@mosaicstack/federation-protocol";
import { schema, type Store } from "@mosaicstack/storage";
import { eq, or } from "drizzle-orm";
import type { GrantRow } from "./grant-reading.ts";
import { grantProblem } from "./problems.ts";

const { teamMembers, users } = schema;

/** The user that a text means: by id, e-mail or name. @throws Problem `grant_subject_unknown`, `grant_input_invalid` */
export async function requireSubject(store: Store, reference: string): Promise<{ id: string; name: string }> {
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

/**
 * A team the subject is not in would expose nothing now and everything once they join: it must be named knowingly.
 * @throws Problem `grant_input_invalid`
 */
export async function requireTeamsOf(store: Store, subjectId: string, scope: ScopeJson): Promise<void> {
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

/** @throws Problem `grant_input_invalid` */
export function requireFuture(expiresAt: Date | null, now: Date): void {
  if (expiresAt === null || expiresAt > now) return;
  throw grantProblem("grant_input_invalid", {
    detail: "expires_at: must be in the future",
    extensions: { path: "expires_at" },
  });
}

/** How often a grant's peer may ask and how many of its requests may be under way: the most that may be set, and what holds where nothing is. */
export const GRANT_LIMITS = {
  requestsPerMinute: { most: 1_000_000, default: 1200 },
  concurrentRequests: { most: 1000, default: 16 },
} as const;

/** What is to change; what is absent stays. */
export interface GrantChanges {
  readonly name?: string | undefined;
  /** Whole, and not yet validated. */
  readonly scope?: unknown;
  /** Null: it has no end. */
  readonly expiresAt?: Date | null | undefined;
  /** Within {@link GRANT_LIMITS}. */
  readonly requestsPerMinute?: number | undefined;
  readonly concurrentRequests?: number | undefined;
}

/** The columns that the changes give another value, once they are validated. */
export function changedColumns(row: GrantRow, changes: GrantChanges): Partial<GrantRow> {
  const { name, scope, expiresAt, requestsPerMinute, concurrentRequests } = changes;
  const changed: Partial<GrantRow> = {};
  if (name !== undefined && name !== row.name) changed.name = name;
  if (scope !== undefined && !isDeepStrictEqual(scope, row.scope)) changed.scope = scope;
  if (expiresAt !== undefined && expiresAt?.getTime() !== row.expiresAt?.getTime()) changed.expiresAt = expiresAt;
  if (requestsPerMinute !== undefined && requestsPerMinute !== row.requestsPerMinute) {
    changed.requestsPerMinute = requestsPerMinute;
  }
  if (concurrentRequests !== undefined && concurrentRequests !== row.concurrentRequests) {
    changed.concurrentRequests = concurrentRequests;
  }
  return changed;
}
