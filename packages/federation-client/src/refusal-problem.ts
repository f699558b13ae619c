import type { Problem } from "@mosaicstack/foundation";
import { federationProblem, problemResponseSchema } from "@mosaicstack/federation-protocol";
import { peerProblem } from "./problems.ts";
import { plainRemoteText } from "./remote-text.ts";

const MAX_DETAIL_CHARACTERS = 300;

/** An answer that is not the one asked for. */
export interface Refusal {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly text: string;
}

/**
 * What a peer's refusal means here. A code of the protocol's table keeps its code; its remedy is ours and never the peer's,
 * whose words stand in the detail alone, and only as a quotation. Anything else is judged by its HTTP status.
 *
 * @param words `withheld` where the request held a secret, which a hostile peer could say back
 */
export function refusalProblem({ status, retryAfter, text }: Refusal, words: "quoted" | "withheld"): Problem {
  if (status === 429) return peerProblem("peer_rate_limited", waiting(retryAfter));
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

/** The wait is passed on only where it is plain seconds, and at most a day. */
function waiting(retryAfter: string | undefined): { detail?: string; headers?: Record<string, string> } {
  const seconds = /^\d{1,5}$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
  if (seconds === undefined || seconds > 86_400) return {};
  return {
    detail: `The peer asks for fewer requests: again in ${seconds} s.`,
    headers: { "retry-after": String(seconds) },
  };
}
