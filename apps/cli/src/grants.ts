import { isId } from "@mosaicstack/foundation";
import type { Gateway } from "./gateway.ts";
import { cliProblem } from "./problems.ts";

/** A grant's scope, as the gateway answers it. */
export interface GrantScope {
  readonly resources: readonly string[];
  readonly excluded_resources: readonly string[];
  readonly include_teams: "all" | readonly string[];
  readonly include_personal: boolean;
  readonly max_rows_per_query: number;
}

export interface Grant {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly subject: { readonly id: string; readonly name: string | null };
  readonly scope: GrantScope;
  readonly created_at: string;
  readonly activated_at: string | null;
  readonly revoked_at: string | null;
  readonly expires_at: string | null;
  readonly certificates: readonly {
    readonly serial: string;
    readonly not_after: string;
    readonly revoked_at: string | null;
  }[];
}

/** A grant's invite: a secret until it is used, shown once. */
export interface IssuedInvite {
  readonly invite: string;
  readonly join_command: string;
  readonly invite_expires_at: string;
}

export async function listGrants(gateway: Gateway): Promise<readonly Grant[]> {
  return (await gateway.call<{ grants: Grant[] }>("GET", "/api/v1/federation/grants")).body.grants;
}

/**
 * The id of a grant that somebody named by its id or its name. Of several with a name the one that is not over is meant.
 * @throws Problem `row_unknown`, `reference_ambiguous`
 */
export async function grantId(gateway: Gateway, reference: string): Promise<string> {
  const lower = reference.toLowerCase();
  if (isId(lower)) return lower;
  const named = (await listGrants(gateway)).filter(({ name }) => name === reference);
  const alive = named.filter(({ status }) => status !== "revoked" && status !== "expired");
  const found = alive.length > 0 ? alive : named;
  const [grant] = found;
  if (grant === undefined) {
    throw cliProblem("row_unknown", {
      detail: `There is no grant "${reference}".`,
      remedy: "Run `mosaic federation grant list`.",
    });
  }
  if (found.length > 1) {
    throw cliProblem("reference_ambiguous", {
      detail: `${found.length} grants are called "${reference}": ${found
        .slice(0, 5)
        .map(({ id, status }) => `${id} (${status})`)
        .join(", ")}.`,
    });
  }
  return grant.id;
}

/** What a scope lets a peer read, as a sentence. */
export function describeScope(scope: GrantScope): string {
  const resources = scope.resources.filter((name) => !scope.excluded_resources.includes(name));
  const teams = scope.include_teams;
  const rows = [
    ...(scope.include_personal ? ["personal rows"] : []),
    ...(teams === "all" ? ["rows of all their teams"] : []),
    ...(teams !== "all" && teams.length > 0
      ? [`rows of ${teams.length === 1 ? "one team" : `${teams.length} teams`}`]
      : []),
  ];
  return `${resources.join(", ")}: ${rows.join(" and ")}, at most ${scope.max_rows_per_query} a query`;
}
