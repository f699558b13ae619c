import { type CapabilitiesResponse, covers, PROTOCOL_VERSION, type Scope } from "@mosaicstack/federation-protocol";
import { registry } from "@mosaicstack/resources";
import type { ActiveGrant } from "../active-grant.ts";

/** `capabilities`: what the grant covers, in the words a scope is written in. */
export function answerCapabilities(
  grant: ActiveGrant,
  scope: Scope,
  maxRowsPerQuery: number,
): { rows: number; json: string } {
  const answer: CapabilitiesResponse = {
    protocol: PROTOCOL_VERSION,
    grant: { id: grant.id, name: grant.name, expires_at: grant.expiresAt?.toISOString() ?? null },
    subject: { id: grant.subjectUserId, name: grant.subjectName },
    resources: registry
      .filter(({ name }) => covers(scope, name))
      .map(({ name, filters }) => ({ name, verbs: ["list", "get"], filters: Object.keys(filters) })),
    max_rows_per_query: Math.min(scope.maxRowsPerQuery, maxRowsPerQuery),
    include_personal: scope.includePersonal,
    include_teams: scope.includeTeams === "all" ? "all" : [...scope.includeTeams],
  };
  return { rows: 0, json: JSON.stringify(answer) };
}
