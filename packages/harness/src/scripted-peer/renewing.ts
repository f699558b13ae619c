import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";
import {
  readSigningRequest,
  RENEWAL_GRACE_MS,
  type RenewalResponse,
  renewalRequestSchema,
} from "@mosaicstack/federation-protocol";
import { answerJson, answerProblem, readBody } from "./listening.ts";
import { issueFor, presentedBy, refusalOf, windowOf } from "./scripted-grant.ts";
import type { ScriptedPeer } from "./scripted-peer.ts";

/** Renewals a scripted peer answers honestly: the same key again gets the same certificate; another one from a superseded generation is a clone's (trust decision 7). */
export function createRenewing(peer: ScriptedPeer) {
  let underWay = 0;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { csr } = renewalRequestSchema.parse(JSON.parse(await readBody(request)));
    const { grant, serial, issued } = presentedBy(peer, request);
    if (grant === undefined || issued === undefined) return answerProblem(response, "grant_unknown");
    const key = await readSigningRequest(csr);
    if (key.kind === "malformed") return answerProblem(response, "signing_request_invalid");
    const spki = key.spkiSha256;
    peer.renewals.push({ grantId: grant.id, serial, spki });
    underWay += 1;
    peer.mostRenewals = Math.max(peer.mostRenewals, underWay);
    if (peer.queryDelayMs > 0) await setTimeout(peer.queryDelayMs);
    underWay -= 1;
    if (issued.notAfter.getTime() + RENEWAL_GRACE_MS < peer.now().getTime()) {
      return answerProblem(response, "grant_expired");
    }
    const refusal = refusalOf(grant);
    if (refusal !== undefined) return answerProblem(response, refusal);
    let next = grant.certificates.find((one) => one.spki === spki);
    if (next === undefined) {
      if (grant.generation === issued.generation) {
        grant.generation += 1;
        grant.spki = spki;
      } else if (grant.spki !== spki) {
        peer.clones += 1;
        grant.status = "suspended";
        return answerProblem(response, "grant_suspended");
      }
      next = await issueFor(peer, grant, csr);
      grant.certificates.push(next);
    }
    const answer: RenewalResponse = {
      certificate: next.pem,
      chain: [...peer.authority.chainPem],
      generation: next.generation,
      renew: windowOf(next),
      endpoint: peer.endpoint,
    };
    if (peer.losesRenewal) return void response.destroy();
    return answerJson(response, peer.alterRenewal(answer));
  };
}
