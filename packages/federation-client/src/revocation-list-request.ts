import { rootCertificates } from "node:tls";
import { MAX_REVOCATION_LIST_BYTES } from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import { instantOf } from "./clock-skew.ts";
import { untilAborted } from "./until-aborted.ts";

const TIMEOUT_MS = 5_000;

/** What stands at a CRL's address. Nothing of it is to be believed before its signature is checked. */
export interface FetchedList {
  readonly der: Uint8Array;
  /** The clock of whoever answered. */
  readonly remoteNow: Date | undefined;
}

/**
 * Fetches a CRL within five seconds and four megabytes; redirections are not followed. Over TLS, a public CA is trusted as well
 * as the pinned root: what is fetched is signed itself.
 *
 * @throws Error for whatever reason
 */
export async function fetchRevocationList(url: string, rootPem: string): Promise<FetchedList> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { origin, pathname, search } = new URL(url);
  const agent = new Agent({
    connections: 1,
    maxResponseSize: MAX_REVOCATION_LIST_BYTES,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: {
      ca: [rootPem, ...rootCertificates],
      rejectUnauthorized: true,
      maxCachedSessions: 0,
      timeout: TIMEOUT_MS,
    },
  });
  try {
    const headers = { accept: "application/pkix-crl" };
    const sent = agent.request({ origin, path: pathname + search, method: "GET", headers, signal });
    const answer = await untilAborted(sent, signal);
    if (answer.statusCode !== 200) throw new Error(`the CRL's address answered with HTTP ${answer.statusCode}`);
    const der = await untilAborted(answer.body.bytes(), signal);
    return { der, remoteNow: instantOf(answer.headers["date"]) };
  } finally {
    await agent.destroy();
  }
}
