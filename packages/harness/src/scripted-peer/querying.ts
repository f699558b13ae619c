import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";
import { type ListRequest, spkiOf, type Verb } from "@mosaicstack/federation-protocol";
import { answerJson, answerProblem, readBody } from "./listening.ts";
import { presentedBy, refusalOf } from "./scripted-grant.ts";
import type { ScriptedPeer } from "./scripted-peer.ts";

/** Queries a scripted peer answers honestly, of the rows it was given. */
export function createQuerying(peer: ScriptedPeer) {
  const served = new WeakMap<object, number>();

  function listAnswer({ before, limit }: ListRequest) {
    const left = peer.rows
      .filter(({ id }) => before === undefined || id < before)
      .toSorted((one, other) => (one.id < other.id ? 1 : -1));
    const used = Math.min(limit, peer.cap);
    return { rows: left.slice(0, used), more: left.length > used, limit: used };
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = JSON.parse(await readBody(request)) as Record<string, unknown>;
    const { certificate, identity, grant, serial, issued } = presentedBy(peer, request);
    const earlierOnSocket = served.get(request.socket) ?? 0;
    served.set(request.socket, earlierOnSocket + 1);
    const verb = request.url?.split("/").at(-1) as Verb;
    peer.queries.push({ verb, body, serial, earlierOnSocket });
    const spki = spkiOf(certificate);
    for (const token of peer.tokens.values()) if (token.claimedBy === spki) token.consumed = true;
    const refusal = refusalOf(grant);
    if (refusal !== undefined) return answerProblem(response, refusal);
    const now = peer.now().getTime();
    if (issued !== undefined) {
      if (issued.notAfter.getTime() <= now) return answerProblem(response, "grant_expired");
      if (now > (issued.supersededAt ?? now) + 60_000) return answerProblem(response, "certificate_superseded");
      // Its first use ends those before it.
      for (const one of grant?.certificates ?? []) if (one.generation < issued.generation) one.supersededAt ??= now;
    }
    if (peer.queryDelayMs > 0) await setTimeout(peer.queryDelayMs);
    if (verb === "list") return answerJson(response, listAnswer(body as ListRequest));
    if (verb === "capabilities") return answerJson(response, capabilitiesFor(identity));
    const row = peer.rows.find(({ id }) => id === body["id"]);
    return row === undefined ? answerProblem(response, "row_not_found") : answerJson(response, { row });
  };
}

const capabilitiesFor = ({ grantId, subjectUserId }: { readonly grantId: string; readonly subjectUserId: string }) => ({
  protocol: 1,
  grant: { id: grantId, name: "home", expires_at: null },
  subject: { id: subjectUserId, name: "Ada" },
  resources: [{ name: "tasks", verbs: ["list", "get"], filters: [] }],
  max_rows_per_query: 200,
  requests_per_minute: 1200,
  concurrent_requests: 16,
  include_personal: true,
  include_teams: "all",
});
