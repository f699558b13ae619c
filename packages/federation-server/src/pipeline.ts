import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { RateLimits } from "@mosaicstack/coordination";
import { federationProblem, maxResponseBytes, scopeOf, type Verb } from "@mosaicstack/federation-protocol";
import { resourceNames } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import type { FindActiveGrant } from "./active-grant.ts";
import { requireIdentified } from "./peer-identity.ts";
import type { ServingAudit } from "./serving-audit.ts";
import { boundsOf } from "./stages/reach.ts";
import { parseJson } from "./stages/parse-json.ts";
import { readBody } from "./stages/read-body.ts";
import { requireFits } from "./stages/require-fits.ts";
import { takeTurn } from "./stages/take-turn.ts";
import { knownResource, type Trail } from "./stages/trail.ts";
import type { EmbedQuery } from "./verbs/serving-verb.ts";
import { servingVerbs } from "./verbs/serving-verbs.ts";

/**
 * All that decides what a peer may read, in the order it is decided. Each stage refuses with a Problem of the protocol's
 * table; whoever calls this records it, and answers with it.
 *
 * @param trail is told what becomes known, so that a refusal is recorded with it
 * @returns the answer, which is recorded already
 */
export async function serve(gate: Gate, { verb, socket, incoming }: Asked, trail: Trail): Promise<Buffer> {
  // 1. Identity: the TLS socket's certificate says which grant, and as which subject. No header can.
  const peer = requireIdentified(socket);

  // 2. Grant: what it is, and whether it and the certificate are good, as the database has it now.
  const grant = await gate.findActiveGrant(peer);

  // 3. Rate limit: each request that gets here counts, whatever it asks.
  const turn = await takeTurn(gate.limits, grant);
  trail.release = () => turn.release();

  // 4. Parse: not a byte of the body was read before.
  if (verb === undefined) throw federationProblem("verb_unknown");
  const question = servingVerbs[verb].read(parseJson(await readBody(incoming)));
  trail.resource = knownResource(question.request);
  trail.queryHash = gate.audit.queryHash(verb, question.request);

  // 5. Scope: what is outside it and what does not exist are refused alike.
  const scope = scopeOf(grant.scope, resourceNames);
  const plan = question.plan({ grant, scope, maxRowsPerQuery: gate.maxRowsPerQuery, embedQuery: gate.embedQuery });

  // Nothing is read that could not be recorded.
  if (!gate.audit.hasRoom()) throw auditBacklogged();

  // What the answer takes from outside the database, which a transaction would wait for.
  if (plan.kind === "with rows") await plan.prepare?.();

  // 6. Verb: read only, behind both walls (its own statement, and the database's row security), and 7. projected by that
  // statement, which asks for no field that does not federate.
  const answer =
    plan.kind === "without rows"
      ? plan.answer()
      : await gate.store.readAsPeer(boundsOf(grant.subjectUserId, scope, plan.resources), (read) => plan.answer(read));
  const body = requireFits(answer, maxResponseBytes(verb));

  // 8. Audit: what is not recorded is not answered.
  if (trail.record({ outcome: "ok", rows: answer.rows, bytes: body.length }) === "full") {
    throw auditBacklogged();
  }

  // 9. Answer.
  return body;
}

/** What the pipeline needs of the gateway. The store is one that can only read. */
export interface Gate {
  readonly store: Pick<Store, "readAsPeer">;
  readonly findActiveGrant: FindActiveGrant;
  readonly limits: RateLimits;
  readonly audit: Pick<ServingAudit, "hasRoom" | "queryHash">;
  /** The most rows one answer carries, whatever a scope says. */
  readonly maxRowsPerQuery: number;
  /** What an embedding model makes of a query. Absent: words alone are searched. */
  readonly embedQuery?: EmbedQuery | undefined;
}

/** A request as it arrived. */
export interface Asked {
  /** Undefined: none that there is. */
  readonly verb: Verb | undefined;
  readonly socket: TLSSocket;
  /** Its body is not read yet. */
  readonly incoming: IncomingMessage;
}

function auditBacklogged(): Error {
  return federationProblem("audit_backlogged", { headers: { "retry-after": "1" } });
}
