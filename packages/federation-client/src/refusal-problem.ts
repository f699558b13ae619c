import type { Problem } from "@mosaicstack/foundation";
import { federationProblem, problemResponseSchema } from "@mosaicstack/federation-protocol";
import { z } from "zod";
import { peerProblem } from "./problems.ts";
import { plainRemoteText } from "./remote-text.ts";

const MAX_DETAIL_CHARACTERS = 300;

/** The longest a peer may ask this gateway to wait, and what is waited where it does not say it in a form we read. */
const MAX_WAIT_SECONDS = 300;
const MIN_WAIT_SECONDS = 1;
/** RFC 9110 5.6.7; `Date` itself reads much else as a date, `-5` too. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Of `concurrency_limited`: how many requests of the grant may be under way at once. */
const concurrencySchema = z.looseObject({
  code: z.literal("concurrency_limited"),
  concurrent_requests: z.int().min(1),
});

/** An answer as it came: a refusal, or what was asked for. */
export interface PeerAnswer {
  readonly status: number;
  /** The header as it came. */
  readonly retryAfter: string | string[] | undefined;
  /** The peer's clock, from its `date` header. */
  readonly remoteNow: Date | undefined;
  readonly text: string;
}

/**
 * What a peer's refusal means here. A code of the protocol's table keeps its code; its remedy is ours and never the peer's,
 * whose words stand in the detail alone, and only as a quotation. Anything else is judged by its HTTP status.
 *
 * @param words `withheld` where the request held a secret, which a hostile peer could say back
 */
export function refusalProblem(refusal: PeerAnswer, words: "quoted" | "withheld"): Problem {
  const { status, text } = refusal;
  if (status === 429) return rateLimitedProblem(waitSeconds(refusal), concurrencyIn(text));
  const known = readProblem(status, text, words);
  if (known !== undefined) return known;
  if (status === 401 || status === 403) return peerProblem("peer_denied");
  if (status >= 500) return peerProblem("peer_failing", { detail: `The peer failed to answer (HTTP ${status}).` });
  if (status >= 300 && status < 400) {
    return peerProblem("peer_incompatible", { detail: "It redirects, and a redirection is never followed." });
  }
  return peerProblem("peer_incompatible", {
    detail: `It answered with HTTP ${status}, which this request cannot have.`,
  });
}

function readProblem(status: number, text: string, words: "quoted" | "withheld"): Problem | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = problemResponseSchema.safeParse(json);
  if (data === undefined || !isProtocolCode(data.code)) return undefined;
  const { status: ownStatus, title } = federationProblem.table[data.code];
  if (ownStatus !== status) return undefined;
  const said = words === "withheld" ? "" : plainRemoteText(data.detail, MAX_DETAIL_CHARACTERS);
  return federationProblem(
    data.code,
    said === "" || said === title ? {} : { detail: `${title} The peer says: "${said}"` },
  );
}

function isProtocolCode(code: string): code is keyof typeof federationProblem.table {
  return Object.hasOwn(federationProblem.table, code);
}

/**
 * A peer asks for fewer requests.
 *
 * @param seconds from now
 * @param concurrent how many requests at once it takes, where it said so
 */
export function rateLimitedProblem(seconds: number, concurrent?: number): Problem {
  return peerProblem("peer_rate_limited", {
    detail: `The peer asks for fewer requests: again in ${seconds} s.`,
    headers: { "retry-after": String(seconds) },
    extensions: { retry_after: seconds, ...(concurrent === undefined ? {} : { concurrent_requests: concurrent }) },
  });
}

/** What `retry-after` (RFC 9110 10.2.3) says, in seconds from now. A date is one of the peer's clock. */
function waitSeconds({ retryAfter, remoteNow }: PeerAnswer): number {
  if (typeof retryAfter !== "string") return MIN_WAIT_SECONDS;
  const said = HTTP_DATE.test(retryAfter)
    ? (Date.parse(retryAfter) - (remoteNow?.getTime() ?? Number.NaN)) / 1000
    : Number(/^\d+$/.test(retryAfter) ? retryAfter : Number.NaN);
  return Number.isNaN(said)
    ? MIN_WAIT_SECONDS
    : Math.min(Math.max(Math.ceil(said), MIN_WAIT_SECONDS), MAX_WAIT_SECONDS);
}

function concurrencyIn(text: string): number | undefined {
  try {
    return concurrencySchema.parse(JSON.parse(text)).concurrent_requests;
  } catch {
    return undefined;
  }
}
