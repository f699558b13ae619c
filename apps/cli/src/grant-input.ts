import type { Clock } from "@mosaicstack/foundation";
import { readTextInput } from "./files.ts";
import type { Gateway } from "./gateway.ts";
import type { GrantScope } from "./grants.ts";
import type { Host } from "./host.ts";
import { readDate } from "./import/date-text.ts";
import { cliProblem } from "./problems.ts";
import { teamId } from "./references.ts";

/** The flags a scope is made of. */
export interface ScopeFlags {
  readonly preset?: PresetName;
  readonly resources?: string;
  readonly exclude?: string;
  readonly teams?: string;
  /** False with --no-personal. */
  readonly personal?: boolean;
  readonly maxRows?: number;
  readonly scopeFile?: string;
}

/** A scope as it is sent; what is left out is the gateway's default. */
type ScopeInput = Partial<GrantScope>;

/**
 * Scopes that are wanted often. None has credentials in it: who wants even their names read says so with --resources.
 * What a preset says, other flags change.
 */
export const presets = {
  "tasks-only": {
    what: "all of the subject's tasks",
    scope: { resources: ["tasks"], include_teams: "all", include_personal: true },
  },
  "team-tasks": {
    what: "tasks of the subject's teams, and nothing personal",
    scope: { resources: ["tasks"], include_teams: "all", include_personal: false },
  },
  "team-work": {
    what: "tasks and notes of the subject's teams, and nothing personal",
    scope: { resources: ["tasks", "notes", "teams"], include_teams: "all", include_personal: false },
  },
  "read-everything": {
    what: "tasks, notes, memory and teams, personal ones too",
    scope: { resources: ["tasks", "notes", "memory", "teams"], include_teams: "all", include_personal: true },
  },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly scope: ScopeInput }>>;

export type PresetName = keyof typeof presets;

/** The names of {@link presets}, in their order. */
export const PRESET_NAMES = Object.keys(presets) as readonly PresetName[];

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

/** A new grant's scope, from flags or from a file. The gateway judges it; here only what it can't see is looked at. */
export async function readScope(host: Host, gateway: Gateway, flags: ScopeFlags): Promise<unknown> {
  refuseContradictions(flags);
  if (flags.scopeFile !== undefined) return parseScopeFile(flags.scopeFile, await readTextInput(host, flags.scopeFile));
  if (flags.resources === undefined && flags.preset === undefined) {
    throw cliProblem("usage_invalid", {
      detail: "Nothing says what may be read.",
      remedy: "Add --resources, such as --resources tasks,notes, a --preset, or --scope-file.",
    });
  }
  return await withFlags(gateway, { include_teams: [], include_personal: false }, flags);
}

/** A grant's scope as flags change it; what they don't name stays. Undefined: they change nothing. */
export async function changeScope(
  host: Host,
  gateway: Gateway,
  before: GrantScope,
  flags: ScopeFlags,
): Promise<unknown> {
  refuseContradictions(flags);
  if (flags.scopeFile !== undefined) return parseScopeFile(flags.scopeFile, await readTextInput(host, flags.scopeFile));
  return namesScope(flags) ? await withFlags(gateway, before, flags) : undefined;
}

function namesScope({ preset, resources, exclude, teams, personal, maxRows }: ScopeFlags): boolean {
  return [preset, resources, exclude, teams, personal, maxRows].some((each) => each !== undefined);
}

function refuseContradictions(flags: ScopeFlags): void {
  if (flags.scopeFile !== undefined && namesScope(flags)) {
    throw cliProblem("usage_invalid", {
      detail: "--scope-file holds the whole scope; no other flag of the scope goes with it.",
    });
  }
  if (flags.preset !== undefined && flags.resources !== undefined) {
    throw cliProblem("usage_invalid", {
      detail: "--preset and --resources both say what may be read.",
      remedy: "Give one of the two; --exclude leaves something out of a preset.",
    });
  }
}

async function withFlags(gateway: Gateway, before: ScopeInput, flags: ScopeFlags): Promise<ScopeInput> {
  const { preset, resources, exclude, teams, personal, maxRows } = flags;
  const teamIds: string[] = [];
  for (const name of teams === undefined || teams === "all" ? [] : readNames(teams))
    teamIds.push(await teamId(gateway, name));
  return {
    ...before,
    // A preset is a whole scope: what an earlier one left out is not left out of it.
    ...(preset === undefined ? {} : { excluded_resources: [], ...presets[preset].scope }),
    ...(resources === undefined ? {} : { resources: readNames(resources) }),
    ...(exclude === undefined ? {} : { excluded_resources: readNames(exclude) }),
    ...(teams === undefined ? {} : { include_teams: teams === "all" ? ("all" as const) : teamIds }),
    ...(personal === undefined ? {} : { include_personal: personal }),
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
