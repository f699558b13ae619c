import { Problem } from "@mosaicstack/foundation";
import {
  type EnrollmentResponse,
  enrollmentResponseSchema,
  type Invite,
  PROTOCOL_VERSION,
} from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import { z } from "zod";
import { instantOf } from "./clock-skew.ts";
import { findPinnedRoot } from "./pinned-root.ts";
import { peerProblem } from "./problems.ts";
import { refusalProblem } from "./refusal-problem.ts";
import { transportProblem } from "./transport-problem.ts";
import { untilAborted } from "./until-aborted.ts";

const MAX_ANSWER_BYTES = 65_536;

/** A gateway's answer to an invite: of the right form, and not yet to be believed. */
export interface EnrollmentAnswer {
  readonly response: EnrollmentResponse;
  /** The answering gateway's clock, from the `date` header. */
  readonly remoteNow: Date | undefined;
}

/** What a gateway may say of an invite it refuses; anything else it says is `invite_not_usable`. */
const refusalReasons = {
  expired: "invite_expired",
  used: "invite_used",
  revoked: "invite_revoked",
  suspended: "invite_suspended",
} as const;
const refusalSchema = z.looseObject({ reason: z.enum(["expired", "used", "revoked", "suspended"]) });

/** Whether nothing will ever come of an invite that was refused so. One of a suspended grant may be good again. */
export function isSpent(problem: Problem): boolean {
  return ["invite_not_usable", "invite_expired", "invite_used", "invite_revoked"].includes(problem.code);
}

/**
 * Redeems an invite's token for a certificate. The token is sent only once the server has proved to be the one the invite
 * names, by a chain that ends in the pinned root or is publicly trusted (trust decision 3); over plain HTTP only to this
 * machine, which `readInvite` sees to. Redirections are not followed, and nothing of the answer but its form is checked.
 *
 * @param csrPem PKCS #10
 * @throws Problem, of which none repeats the token
 */
export async function redeemInvite(invite: Invite, csrPem: string, timeoutMs: number): Promise<EnrollmentAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const url = new URL(invite.enrollUrl);
  let agent: Agent | undefined;
  try {
    const root = url.protocol === "https:" ? await findPinnedRoot(url, invite.caFingerprint, signal) : undefined;
    agent = new Agent({
      connections: 1,
      maxResponseSize: MAX_ANSWER_BYTES,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      connect: {
        ...(root === undefined ? {} : { ca: root }),
        rejectUnauthorized: true,
        maxCachedSessions: 0,
        timeout: timeoutMs,
      },
    });
    return await post(
      agent,
      url,
      JSON.stringify({ protocol: PROTOCOL_VERSION, token: invite.token, csr: csrPem }),
      signal,
    );
  } catch (error) {
    throw error instanceof Problem ? error : transportProblem(error);
  } finally {
    await agent?.destroy();
  }
}

async function post(agent: Agent, url: URL, body: string, signal: AbortSignal): Promise<EnrollmentAnswer> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  const sent = agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: "POST",
    headers,
    body,
    signal,
  });
  const answer = await untilAborted(sent, signal);
  const text = await answer.body.text();
  if (answer.statusCode === 410) throw unusable(text);
  if (answer.statusCode !== 200) {
    const refusal = {
      status: answer.statusCode,
      retryAfter: answer.headers["retry-after"],
      remoteNow: instantOf(answer.headers["date"]),
      text,
    };
    throw refusalProblem(refusal, "withheld");
  }
  return { response: readAnswer(text), remoteNow: instantOf(answer.headers["date"]) };
}

function unusable(text: string): Problem {
  try {
    return peerProblem(refusalReasons[refusalSchema.parse(JSON.parse(text)).reason]);
  } catch {
    return peerProblem("invite_not_usable");
  }
}

function readAnswer(text: string): EnrollmentResponse {
  try {
    return enrollmentResponseSchema.parse(JSON.parse(text));
  } catch {
    // The cause would quote the answer, and a hostile one may quote the token.
    throw peerProblem("peer_incompatible", { detail: "Its answer to the invite does not have the protocol's form." });
  }
}
