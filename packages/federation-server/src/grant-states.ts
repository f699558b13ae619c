import { type Database, schema } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { effectiveStatus, type GrantRow, type GrantStatus } from "./grant-reading.ts";
import { grantProblem } from "./problems.ts";

const { federationGrants } = schema;

/**
 * In which states what may be done with a grant. Revoked and expired are final: what is ended is granted anew, with a new
 * invite. The database has the same rule for its column (migrations/0001_federation_rules.sql), for whoever writes past this.
 */
export const allowedStates = {
  invite: ["pending", "active"],
  edit: ["pending", "active", "suspended"],
  suspend: ["active"],
  resume: ["suspended"],
  // Again, too: whoever asked may not have heard that it was done.
  revoke: ["pending", "active", "suspended", "revoked"],
  // Of what is over nobody reads anything again.
  preview: ["pending", "active", "suspended"],
} as const satisfies Record<string, readonly GrantStatus[]>;

export type GrantAction = keyof typeof allowedStates;

const participles: Readonly<Record<GrantAction, string>> = {
  invite: "invited to",
  edit: "edited",
  suspend: "suspended",
  resume: "resumed",
  revoke: "revoked",
  preview: "previewed",
};

/**
 * Locks a grant for the rest of the transaction, if it is in a state that allows the action.
 * @throws Problem `grant_transition_refused`, with the `grant_status` it is in, `grant_not_found`
 */
export async function requireState(db: Database, id: string, action: GrantAction, now: Date): Promise<GrantRow> {
  const [row] = await db.select().from(federationGrants).where(eq(federationGrants.id, id)).for("update");
  if (row === undefined) throw grantProblem("grant_not_found");
  requireStatus(effectiveStatus(row, now), action);
  return row;
}

/** @throws Problem `grant_transition_refused`, with the `grant_status` */
export function requireStatus(status: GrantStatus, action: GrantAction): void {
  const allowed: readonly GrantStatus[] = allowedStates[action];
  if (allowed.includes(status)) return;
  throw grantProblem("grant_transition_refused", {
    detail: `The grant is ${status}: it cannot be ${participles[action]}.`,
    extensions: { grant_status: status },
  });
}
