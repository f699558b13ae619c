import { isId } from "@mosaicstack/foundation";
import type { Gateway } from "./gateway.ts";
import { cliProblem } from "./problems.ts";
import { shown } from "./rows.ts";
import { formatFields, formatTable } from "./table.ts";

/** Where grants are in the REST API. */
export const GRANTS_PATH = "/api/v1/federation/grants";

/** A grant's scope, as the gateway answers it. */
export interface GrantScope {
  readonly resources: readonly string[];
  readonly excluded_resources: readonly string[];
  readonly include_teams: "all" | readonly string[];
  readonly include_personal: boolean;
  readonly max_rows_per_query: number;
}

/** One of a grant's certificates. */
export interface GrantCertificate {
  readonly serial: string;
  readonly generation: number;
  readonly state: string;
  readonly issued_at: string;
  readonly not_after: string;
  readonly confirmed_at: string | null;
  readonly superseded_at: string | null;
  readonly revoked_at: string | null;
}

export interface Grant {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly subject: { readonly id: string; readonly name: string | null };
  readonly scope: GrantScope;
  readonly requests_per_minute: number;
  readonly concurrent_requests: number;
  readonly generation: number;
  readonly created_at: string;
  readonly activated_at: string | null;
  readonly suspended_at: string | null;
  readonly suspended_reason: string | null;
  readonly revoked_at: string | null;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  /** Newest first. */
  readonly certificates: readonly GrantCertificate[];
}

/** A scope that a grant had, or has. */
export interface ScopeChange {
  readonly scope: GrantScope;
  readonly changed_by: string;
  readonly changed_at: string;
}

/** A grant's invite: a secret until it is used, shown once. */
export interface IssuedInvite {
  readonly invite: string;
  readonly join_command: string;
  readonly invite_expires_at: string;
}

export async function listGrants(gateway: Gateway): Promise<readonly Grant[]> {
  return (await gateway.call<{ grants: Grant[] }>("GET", GRANTS_PATH)).body.grants;
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

/** A grant somebody named, and its path. @throws Problem as {@link grantId} */
export async function findGrant(
  gateway: Gateway,
  reference: string,
): Promise<{ readonly grant: Grant; readonly path: string }> {
  const path = `${GRANTS_PATH}/${await grantId(gateway, reference)}`;
  return { grant: (await gateway.call<Grant>("GET", path)).body, path };
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

/** How much a grant's peer may ask, as a phrase. */
export function describeLimits(grant: Pick<Grant, "requests_per_minute" | "concurrent_requests">): string {
  return `${grant.requests_per_minute} times a minute, ${grant.concurrent_requests} at once`;
}

/** Why a grant is suspended, where it was not a person. */
const SUSPENDED_FOR: Readonly<Record<string, string>> = {
  cloned_key: "cloned key: two gateways renewed the same certificate",
};

/** A grant, a line each of what there is to say. */
export function grantFields(grant: Grant): string {
  const { suspended_at: suspended, suspended_reason: reason } = grant;
  const why = reason === null ? "" : `, ${SUSPENDED_FOR[reason] ?? reason}`;
  return formatFields([
    ["id", grant.id],
    ["name", grant.name],
    ["status", grant.status],
    ["subject", `${grant.subject.name ?? "(removed)"} (${grant.subject.id})`],
    ["may read", describeScope(grant.scope)],
    ["may ask", describeLimits(grant)],
    ["created", shown(grant.created_at)],
    ["activated", shown(grant.activated_at)],
    ...(suspended === null ? [] : [["suspended", `${shown(suspended)}${why}`] as const]),
    ...(grant.revoked_at === null ? [] : [["revoked", shown(grant.revoked_at)] as const]),
    ["expires", shownEnd(grant)],
    ["last used", lastUse(grant.last_used_at)],
  ]);
}

/** When a grant was last used: replicas do not tell each other. */
export function lastUse(at: string | null): string {
  return at === null ? "not that this replica knows" : `${shown(at)}, as far as this replica knows`;
}

/** When a grant ends, or that it does not. */
export function shownEnd({ expires_at: end }: Pick<Grant, "expires_at">): string {
  return end === null ? "never" : shown(end);
}

/** A grant's certificates, one a line; the empty text where there is none. */
export function certificatesTable(certificates: readonly GrantCertificate[], width: number | undefined): string {
  if (certificates.length === 0) return "";
  return formatTable(
    [
      { heading: "CERTIFICATE", flexible: true },
      { heading: "GENERATION" },
      { heading: "STATE" },
      { heading: "ISSUED" },
      { heading: "UNTIL" },
      { heading: "FIRST USED" },
    ],
    certificates.map((certificate) => [
      certificate.serial,
      String(certificate.generation),
      certificate.state,
      shown(certificate.issued_at),
      shown(certificate.not_after),
      shown(certificate.confirmed_at) || "never",
    ]),
    width,
  );
}
