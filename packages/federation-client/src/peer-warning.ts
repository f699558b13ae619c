import type { Source, SourceReport, SourceWarning, WordsOnlyCode } from "@mosaicstack/federation-protocol";
import type { PeerRow } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { NOT_WHERE_IT_SAYS } from "./renewal-store.ts";

/** Why a renewal fails, where the code says something else than "try again". */
const remedies: Readonly<Record<string, string>> = {
  grant_suspended: "Ask its administrator to resume the grant.",
  grant_unknown: "Ask its administrator for a new invite, and add it: the peer keeps its name.",
  certificate_superseded: "Ask its administrator for a new invite, and add it: the peer keeps its name.",
  clock_skew: "Set both clocks right (NTP).",
};

/** What a `degraded` peer's user, and their agents, are told of it: until when it is good, and what to do. */
export function peerWarning(
  row: Pick<PeerRow, "name" | "state" | "degradedAt" | "renewError" | "notAfter" | "endpoint">,
): SourceWarning | undefined {
  const { name, state, degradedAt, renewError, notAfter, endpoint } = row;
  if (state !== "degraded") return undefined;
  const since = degradedAt === null ? "" : ` since ${minute(degradedAt)}`;
  if (renewError === NOT_WHERE_IT_SAYS) {
    const { remedy } = peerProblem(NOT_WHERE_IT_SAYS).details;
    const detail = `The peer "${name}" says that it has moved to ${endpoint ?? "another address"}, and cannot be reached there${since}.`;
    return { code: NOT_WHERE_IT_SAYS, detail, remedy };
  }
  const why = renewError === null ? "" : ` (${renewError})`;
  const end = notAfter === null ? "" : `; it ends ${minute(notAfter)} UTC`;
  return {
    code: "peer_degraded",
    detail: `The certificate for the peer "${name}" can't be renewed${since}${why}${end}.`,
    remedy: remedies[renewError ?? ""] ?? `Try now: mosaic federation peer renew ${name}`,
  };
}

/** What is said of a peer that searched by words alone, where it searches by meaning too. */
export const searchedByWordsOnly: SourceWarning & { readonly code: WordsOnlyCode } = {
  code: "search_words_only",
  detail: "It searched by words alone: its embedding endpoint gave no vector in time, or its rows have none yet.",
  remedy: "Search for other words that mean the same. Its administrator can see to its embedding endpoint.",
};

/** Adds to each report what there is to say of its source. */
export function withWarnings(sources: readonly Source[], reports: readonly SourceReport[]): readonly SourceReport[] {
  const warnings = new Map(sources.flatMap(({ name, warning }) => (warning === undefined ? [] : [[name, warning]])));
  if (warnings.size === 0) return reports;
  return reports.map((report) => {
    const warning = warnings.get(report.source);
    return warning === undefined ? report : { ...report, warning };
  });
}

/** UTC, as people read it. */
function minute(at: Date): string {
  return at.toISOString().slice(0, 16).replace("T", " ");
}
