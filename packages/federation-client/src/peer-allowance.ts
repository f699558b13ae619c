import { Problem } from "@mosaicstack/foundation";
import { closedProblem, MAX_SOCKETS, type PeerConnection } from "./peer-connection.ts";
import { peerProblem } from "./problems.ts";
import { rateLimitedProblem } from "./refusal-problem.ts";
import { createTurns, type Turns } from "./turns.ts";

/**
 * What one peer lets this gateway ask, as far as it has said: not before a moment, and not more than so many at once. Whatever
 * certificate or address it is asked with. Of this process: what another replica was told, this one is told when it asks.
 */
export interface PeerAllowance {
  /** When asking again is allowed, in milliseconds of the clock that never goes back. */
  notBefore: number;
  readonly turns: Turns;
}

export function createPeerAllowance(): PeerAllowance {
  return { notBefore: 0, turns: createTurns(MAX_SOCKETS) };
}

/**
 * A connection that keeps to what its peer allows. Within its deadline a request waits for its turn, in place of being sent to be
 * refused; after a 429, and until the peer wants to be asked again, it fails with `peer_rate_limited` without being sent.
 * Renewals are not held back: the peer counts those by themselves. Nor does `capabilities` wait: it is the first use of a new
 * certificate, which a burst of reads must not put off.
 */
export function withinAllowance(connection: PeerConnection, allowance: PeerAllowance): PeerConnection {
  let waiting = 0;
  let whenNoneWaits: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  async function takeTurn(signal: AbortSignal): Promise<() => void> {
    waiting += 1;
    try {
      return await allowance.turns.take(signal);
    } catch (cause) {
      throw peerProblem("peer_timeout", { cause });
    } finally {
      waiting -= 1;
      // Once the request that had waited has begun, so that the connection knows of it.
      if (waiting === 0 && whenNoneWaits !== undefined) setImmediate(whenNoneWaits);
    }
  }

  async function closeOnceNoneWaits(): Promise<void> {
    if (waiting > 0) await new Promise<void>((resolve) => (whenNoneWaits = resolve));
    await connection.close();
  }

  return {
    ...connection,
    async call(verb, ...asked) {
      if (closed !== undefined) throw closedProblem();
      assertAllowed(allowance);
      const giveBack = verb === "capabilities" ? undefined : await takeTurn(asked[1]);
      try {
        // Somebody else may have been refused meanwhile.
        assertAllowed(allowance);
        const response = await connection.call(verb, ...asked);
        if ("concurrent_requests" in response) keepTo(allowance, response.concurrent_requests);
        return response;
      } catch (error) {
        if (error instanceof Problem && error.code === "peer_rate_limited") heed(allowance, error);
        throw error;
      } finally {
        giveBack?.();
      }
    },
    close() {
      closed ??= closeOnceNoneWaits();
      return closed;
    },
  };
}

function assertAllowed({ notBefore }: PeerAllowance): void {
  const leftMs = notBefore - performance.now();
  if (leftMs > 0) throw rateLimitedProblem(Math.ceil(leftMs / 1000));
}

function heed(allowance: PeerAllowance, { details }: Problem): void {
  const { retry_after: seconds, concurrent_requests: concurrent } = details;
  if (typeof seconds === "number") {
    allowance.notBefore = Math.max(allowance.notBefore, performance.now() + seconds * 1000);
  }
  keepTo(allowance, concurrent);
}

function keepTo({ turns }: PeerAllowance, concurrent: unknown): void {
  if (typeof concurrent === "number") turns.resize(Math.min(concurrent, MAX_SOCKETS));
}
