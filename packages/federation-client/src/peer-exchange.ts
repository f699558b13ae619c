import { performance } from "node:perf_hooks";
import { newId, Problem } from "@mosaicstack/foundation";
import type { Verb } from "@mosaicstack/federation-protocol";

/** One request to a peer, and how it came out: what the audit is told. */
export interface PeerExchange {
  /** Sent with the request, so that the peer records it under the same id. */
  readonly requestId: string;
  readonly verb: Verb | "renew";
  /** The question; undefined for a renewal. For its hash alone. */
  readonly request: object | undefined;
  /** `ok`, the code of the refusal or failure, or `cancelled`: nobody waited for the answer any more. */
  readonly outcome: string;
  readonly rows: number;
  /** Of the answer's body, whatever it was. */
  readonly bytes: number;
  readonly tookMs: number;
}

/** An exchange under way: what is known when its answer comes. */
export interface ExchangeProgress {
  readonly requestId: string;
  rows: number;
  bytes: number;
  /** Where the answer is a refusal that is not thrown. */
  refused: Problem | undefined;
}

/** Asks, and tells `record` how it came out, whatever comes of it. `record` neither waits nor throws. */
export async function recordExchange<Answer>(
  { verb, request }: Pick<PeerExchange, "verb" | "request">,
  signal: AbortSignal,
  record: (exchange: PeerExchange) => void,
  ask: (progress: ExchangeProgress) => Promise<Answer>,
): Promise<Answer> {
  const startedAt = performance.now();
  const progress: ExchangeProgress = { requestId: newId(), rows: 0, bytes: 0, refused: undefined };
  const end = (outcome: string): void => {
    const { requestId, rows, bytes } = progress;
    const counted = outcome === "ok" ? rows : 0;
    record({ requestId, verb, request, outcome, rows: counted, bytes, tookMs: performance.now() - startedAt });
  };
  try {
    const answer = await ask(progress);
    end(progress.refused?.code ?? "ok");
    return answer;
  } catch (error) {
    end(isCancelled(signal) ? "cancelled" : error instanceof Problem ? error.code : "internal");
    throw error;
  }
}

/** Whether somebody gave a request up, rather than a deadline: that tells nothing of the peer. */
export function isCancelled({ aborted, reason }: AbortSignal): boolean {
  return aborted && !(reason instanceof Problem || (reason instanceof DOMException && reason.name === "TimeoutError"));
}
