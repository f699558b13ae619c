import type { IncomingMessage, ServerResponse } from "node:http";
import { enrollmentRequestSchema, readSigningRequest } from "@mosaicstack/federation-protocol";
import { answerJson, answerProblem, readBody } from "./listening.ts";
import { issueFor, windowOf } from "./scripted-grant.ts";
import type { ScriptedPeer } from "./scripted-peer.ts";

/** The peer's CRL, of the serials it cuts unless a test says otherwise. */
export async function publishCrl(
  peer: ScriptedPeer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  peer.crlRequests += 1;
  if (peer.onCrl !== undefined) return peer.onCrl(request, response);
  const now = peer.now().getTime();
  const list = await peer.authority.revocationList({
    serials: [...peer.cutSerials],
    number: 1,
    thisUpdate: new Date(now - 60_000),
    nextUpdate: new Date(now + 3_600_000),
    ...peer.crl,
  });
  response.writeHead(200, { "content-type": "application/pkix-crl" }).end(list);
}

/** One token, one key: the same key may come again until its first query (trust decision 2). */
export async function enroll(peer: ScriptedPeer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const text = await readBody(request);
  peer.enrollments.push(text);
  const { token, csr } = enrollmentRequestSchema.parse(JSON.parse(text));
  const state = peer.tokens.get(token);
  const grant = peer.grants.get(state?.grantId ?? "") ?? peer.grant();
  const key = await readSigningRequest(csr);
  if (key.kind === "malformed") return answerProblem(response, "signing_request_invalid");
  const spki = key.spkiSha256;
  if (state === undefined || state.consumed || (state.claimedBy ?? spki) !== spki) {
    return answerProblem(response, "enrollment_refused");
  }
  state.claimedBy = spki;
  let issued = grant.certificates.find((one) => one.spki === spki);
  if (issued === undefined) {
    grant.generation += 1;
    grant.spki = spki;
    issued = await issueFor(peer, grant, csr);
    grant.certificates.push(issued);
  }
  const answer = {
    certificate: issued.pem,
    chain: [...peer.authority.chainPem],
    root: peer.authority.rootPem,
    endpoint: peer.endpoint,
    generation: issued.generation,
    renew: windowOf(issued),
    crl_url: peer.crlUrl,
    grant: { id: grant.id, name: "home", subject_user_id: grant.subjectUserId, expires_at: null },
  };
  if (peer.losesAnswer) return void response.destroy();
  return answerJson(response, peer.alterAnswer(answer));
}
