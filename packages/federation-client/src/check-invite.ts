import { type Clock, Problem } from "@mosaicstack/foundation";
import { type Invite, readInvite } from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import { clockSkewProblem, instantOf } from "./clock-skew.ts";
import { findPinnedRoot } from "./pinned-root.ts";
import { peerProblem } from "./problems.ts";
import { transportProblem } from "./transport-problem.ts";
import { untilAborted } from "./until-aborted.ts";

const TIMEOUT_MS = 10_000;
/** What the certificates of both sides bear. */
const MAX_SKEW_MS = 5 * 60_000;

/** An invite whose gateway was reached, and is the one it names. Whether the invite can be redeemed is not known by that. */
export interface CheckedInvite {
  /** Where it would be redeemed. */
  readonly enrollUrl: string;
  /** SHA-256 of the CA's root certificate, hex. */
  readonly caFingerprint: string;
  /** What vouches for the server: the pinned root, a public CA, or that it is on this machine (plain HTTP). */
  readonly trustedBy: "pinned-root" | "public-ca" | "loopback";
  /** The gateway's clock less ours, in whole seconds; null: it gave no time. */
  readonly clockSkewSeconds: number | null;
}

/** @throws Problem `invite_malformed` */
export function inviteOf(text: string): Invite {
  const reading = readInvite(text);
  if (reading.kind === "invite") return reading.invite;
  throw peerProblem("invite_malformed", { detail: `This is not an invite: ${reading.reason}.` });
}

/**
 * Reaches an invite's gateway and checks its certificate and its clock, as redeeming the invite would. The token is not sent.
 *
 * @throws Problem `invite_malformed`, `ca_pin_mismatch`, `clock_skew`, and what a connection may fail with
 */
export async function checkInvite(inviteUrl: string, clock: Clock): Promise<CheckedInvite> {
  const { enrollUrl, caFingerprint } = inviteOf(inviteUrl);
  const url = new URL(enrollUrl);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let agent: Agent | undefined;
  try {
    const isSecure = url.protocol === "https:";
    const root = isSecure ? await findPinnedRoot(url, caFingerprint, signal) : undefined;
    const ca = root === undefined ? {} : { ca: root };
    const connect = { ...ca, rejectUnauthorized: true, maxCachedSessions: 0, timeout: TIMEOUT_MS };
    agent = new Agent({ connections: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connect });
    const sent = agent.request({ origin: url.origin, path: url.pathname, method: "HEAD", signal });
    // Whatever it answers: that it does, and when it thinks it is, is what is asked.
    const { headers, body } = await untilAborted(sent, signal);
    await body.dump();
    const remoteNow = instantOf(headers["date"]);
    const skewMs = remoteNow === undefined ? null : remoteNow.getTime() - clock.now().getTime();
    if (skewMs !== null && Math.abs(skewMs) > MAX_SKEW_MS) throw clockSkewProblem(skewMs);
    return {
      enrollUrl,
      caFingerprint,
      trustedBy: !isSecure ? "loopback" : root === undefined ? "public-ca" : "pinned-root",
      clockSkewSeconds: skewMs === null ? null : Math.round(skewMs / 1000),
    };
  } catch (error) {
    throw error instanceof Problem ? error : transportProblem(error);
  } finally {
    await agent?.destroy();
  }
}
