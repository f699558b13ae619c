import {
  type CapabilitiesResponse,
  capabilitiesRequestSchema,
  covers,
  PROTOCOL_VERSION,
} from "@mosaicstack/federation-protocol";
import { registry } from "@mosaicstack/resources";
import { type Granted, servingVerb } from "./serving-verb.ts";

/** `capabilities`: what the grant covers, in the words a scope is written in. */
export const capabilities = servingVerb({
  schema: capabilitiesRequestSchema,
  plan: (_request, granted) => ({
    kind: "without rows",
    answer: () => ({ rows: 0, json: JSON.stringify(capabilitiesOf(granted)) }),
  }),
});

function capabilitiesOf({ grant, scope, maxRowsPerQuery }: Granted): CapabilitiesResponse {
  return {
    protocol: PROTOCOL_VERSION,
    grant: { id: grant.id, name: grant.name, expires_at: grant.expiresAt?.toISOString() ?? null },
    subject: { id: grant.subjectUserId, name: grant.subjectName },
    resources: registry
      .filter(({ name }) => covers(scope, name))
      .map((definition) => ({
        name: definition.name,
        verbs: ["list", "get", ...(definition.search === undefined ? [] : ["search"])],
        filters: Object.keys(definition.filters),
      })),
    max_rows_per_query: Math.min(scope.maxRowsPerQuery, maxRowsPerQuery),
    requests_per_minute: grant.requestsPerMinute,
    concurrent_requests: grant.concurrentRequests,
    include_personal: scope.includePersonal,
    include_teams: scope.includeTeams === "all" ? "all" : [...scope.includeTeams],
  };
}
