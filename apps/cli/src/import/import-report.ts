import type { ExitName } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output.ts";
import { terminalLine } from "../terminal-text.ts";
import type { ImportEnd, ImportSummary } from "./run-import.ts";

/** How many lines of each kind are shown; --json has them all. */
const MAX_SHOWN = 20;
const MAX_PLACES = 3;

/**
 * Says how an import went: counts on standard output, rows that failed and warnings on standard error.
 * @throws what stopped it before its end
 */
export function reportImport(
  { output }: Invocation,
  { what, dryRun }: { readonly what: string; readonly dryRun: boolean },
  { summary, stopped }: ImportEnd,
): ExitName {
  output.result({ ...summary, dry_run: dryRun, complete: stopped === undefined }, () =>
    countsLine(what, dryRun, summary),
  );
  if (!output.json) {
    const warnings = grouped(summary.warnings);
    for (const warning of warnings.slice(0, MAX_SHOWN)) output.warn(warning);
    rest(output, warnings.length, "warnings");
    for (const { place, detail, remedy } of summary.failures.slice(0, MAX_SHOWN)) {
      output.warn(terminalLine(`${place} failed: ${detail} ${remedy}`));
    }
    rest(output, summary.failures.length, "failed rows");
  }
  if (stopped !== undefined) throw stopped;
  if (dryRun) output.note("Nothing was changed (--dry-run).");
  else if (summary.failed > 0) output.note("Correct what failed and import the file again: what is in stays as it is.");
  else if (what !== "people") output.note(`See them with: mosaic ${what.replace(/s$/u, "")} list`);
  else output.note("They have no passwords yet: mosaic user edit <user> --password");
  return summary.failed > 0 ? "partial" : "ok";
}

/** The same warning of many rows on one line, with the first few places: an empty column is one thing to know, not five hundred. */
function grouped(warnings: ImportSummary["warnings"]): string[] {
  const places = new Map<string, string[]>();
  for (const { place, detail } of warnings) {
    const known = places.get(detail);
    if (known === undefined) places.set(detail, [place]);
    else known.push(place);
  }
  return [...places].map(([detail, at]) => {
    const first = at.slice(0, MAX_PLACES).join(", ");
    return at.length <= MAX_PLACES ? `${first}: ${detail}` : `${first} and ${at.length - MAX_PLACES} more: ${detail}`;
  });
}

function rest(output: Output, count: number, what: string): void {
  if (count > MAX_SHOWN) output.warn(`${count - MAX_SHOWN} more ${what}; --json lists them all.`);
}

function countsLine(what: string, dryRun: boolean, { created, updated, unchanged, failed }: ImportSummary): string {
  const would = dryRun ? " would be" : "";
  return `${what}${would}: ${created} created, ${updated} updated, ${unchanged} unchanged, ${failed} failed`;
}
