import type { SourceReport, SourceStatus, WordsOnlyCode } from "@mosaicstack/federation-protocol";
import { Problem } from "@mosaicstack/foundation";
import { type ExitName, exitNameOf } from "./exit-codes.ts";
import type { Output } from "./output.ts";

const WORDS_ONLY: WordsOnlyCode = "search_words_only";

/** What a source's failure would have been as the answer to a request of its own. */
const HTTP_STATUS: Readonly<Record<Exclude<SourceStatus, "ok" | "cached">, number>> = {
  denied: 403,
  gone: 404,
  revoked: 403,
  rate_limited: 429,
  incompatible: 502,
  offline: 503,
  timeout: 504,
};

function failuresOf(sources: readonly SourceReport[]): readonly SourceReport[] {
  return sources.filter(({ error, status }) => error !== undefined || (status !== "ok" && status !== "cached"));
}

/** Says which sources failed and why, one line each. */
export function reportSources(output: Output, sources: readonly SourceReport[]): void {
  for (const { source, status, error } of failuresOf(sources)) {
    const why = error === undefined ? "" : `: ${error.detail} ${error.remedy}`;
    output.warn(`${source} is missing (${status})${why}`);
  }
}

/** Says which sources searched by words alone where they search by meaning too, one line each. */
export function reportWordsOnly(output: Output, sources: readonly SourceReport[]): void {
  for (const { source, warning } of sources) {
    if (warning?.code === WORDS_ONLY) output.warn(`${source}: ${warning.detail} ${warning.remedy}`);
  }
}

/** Partial where a source failed and another did not. Where none is left, the failure of the one that was asked. */
export function exitOfSources(sources: readonly SourceReport[], partial: boolean): ExitName {
  const failures = failuresOf(sources);
  if (failures.length === 0) return partial ? "partial" : "ok";
  return failures.length < sources.length ? "partial" : exitNameOf(sourceProblem(sources));
}

/** The failure of the first source that failed, as the Problem it would be by itself. */
export function sourceProblem(sources: readonly SourceReport[]): Problem {
  const [failed] = failuresOf(sources);
  const status = failed?.status === "ok" || failed?.status === "cached" ? undefined : failed?.status;
  const { code = "source_failed", detail = "A source did not answer.", remedy = "Try again." } = failed?.error ?? {};
  return new Problem(
    code,
    { status: status === undefined ? 503 : HTTP_STATUS[status], title: detail, remedy },
    {
      detail: failed === undefined ? detail : `${failed.source} is missing (${failed.status}): ${detail}`,
      extensions: { sources },
    },
  );
}

/**
 * What to tell of a row that was not found while sources were missing: where none answered, why none did. Anything else
 * is thrown on as it is, after a line for each source that is missing.
 */
export function explainNotFound(output: Output, error: unknown): unknown {
  const sources = error instanceof Problem ? error.details["sources"] : undefined;
  if (!Array.isArray(sources)) return error;
  const reports = sources as readonly SourceReport[];
  const failures = failuresOf(reports);
  if (failures.length > 0 && failures.length === reports.length) return sourceProblem(reports);
  reportSources(output, reports);
  return error;
}
