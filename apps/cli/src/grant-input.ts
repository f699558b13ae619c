import type { Clock } from "@mosaicstack/foundation";
import { readTextInput } from "./files.ts";
import type { Gateway } from "./gateway.ts";
import type { Host } from "./host.ts";
import { readDate } from "./import/date-text.ts";
import { cliProblem } from "./problems.ts";
import { teamId } from "./references.ts";

/** The flags a scope is made of. */
export interface ScopeFlags {
  readonly resources?: string;
  readonly exclude?: string;
  readonly teams?: string;
  readonly personal?: true;
  readonly maxRows?: number;
  readonly scopeFile?: string;
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `--expires`: a span from now (`12h`, `90d`, `8w`), a day, or an instant. As ISO 8601. */
export function readExpiry(text: string | undefined, clock: Clock): string | undefined {
  if (text === undefined) return undefined;
  const span = /^(\d{1,5})([hdw])$/u.exec(text.trim());
  const unit = UNITS[span?.[2] ?? ""];
  const date = unit === undefined ? readDate(text) : new Date(clock.now().getTime() + Number(span?.[1]) * unit);
  if (date === undefined) {
    throw cliProblem("usage_invalid", {
      detail: `--expires ${JSON.stringify(text)} is neither a span nor a date.`,
      remedy: "Give a span (12h, 90d, 8w), a day (2026-12-03), or an instant (2026-12-03T17:00:00Z).",
    });
  }
  return date.toISOString();
}

/** Names between commas, blanks around them dropped. */
export function readNames(text: string): string[] {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** A grant's scope, from flags or from a file. The gateway judges it; here only what it can't see is looked at. */
export async function readScope(host: Host, gateway: Gateway, flags: ScopeFlags): Promise<unknown> {
  const { scopeFile, resources, exclude, teams, personal, maxRows } = flags;
  if (scopeFile !== undefined) {
    if ([resources, exclude, teams, personal, maxRows].some((each) => each !== undefined)) {
      throw cliProblem("usage_invalid", {
        detail: "--scope-file holds the whole scope; no other flag of the scope goes with it.",
      });
    }
    return parseScopeFile(scopeFile, await readTextInput(host, scopeFile));
  }
  if (resources === undefined) {
    throw cliProblem("usage_invalid", {
      detail: "Nothing says what may be read.",
      remedy: "Add --resources, such as --resources tasks,notes, or --scope-file.",
    });
  }
  const teamIds: string[] = [];
  for (const name of teams === undefined || teams === "all" ? [] : readNames(teams))
    teamIds.push(await teamId(gateway, name));
  return {
    resources: readNames(resources),
    ...(exclude === undefined ? {} : { excluded_resources: readNames(exclude) }),
    include_teams: teams === "all" ? "all" : teamIds,
    include_personal: personal === true,
    ...(maxRows === undefined ? {} : { max_rows_per_query: maxRows }),
  };
}

function parseScopeFile(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it can't be parsed";
    throw cliProblem("usage_invalid", { detail: `${path} is not JSON: ${reason}.`, remedy: "Correct the file." });
  }
}
