import type { Clock } from "@mosaicstack/foundation";
import { type Command, Option } from "commander";
import type { Gateway, Query } from "./gateway.ts";
import { grantId } from "./grants.ts";
import { readDate } from "./import/date-text.ts";
import { cliProblem } from "./problems.ts";
import { userId } from "./references.ts";
import { shown } from "./rows.ts";
import { type Column, formatTable } from "./table.ts";

/** Where the audit is in the REST API. */
export const AUDIT_PATH = "/api/v1/federation/audit";

/** An entry of the audit, as the gateway answers it: the members a list shows. Its texts are shown through `formatTable`. */
export interface AuditEntry {
  readonly at: string;
  readonly side: "serving" | "querying";
  readonly event: string;
  readonly outcome: string;
  readonly grant_id: string | null;
  readonly grant_name: string | null;
  readonly peer_id: string | null;
  readonly peer_name: string | null;
  readonly subject_user_id: string | null;
  readonly subject_name: string | null;
  readonly serial: string | null;
  readonly verb: string | null;
  readonly resource: string | null;
  readonly rows: number | null;
  readonly bytes: number | null;
  readonly took_ms: number | null;
  readonly request_id: string | null;
}

/** Where the chain of entries ends. */
export interface AuditHead {
  readonly position: number;
  readonly hash: string;
}

/** A head as `verify --expect` takes it. */
export function headText({ position, hash }: AuditHead): string {
  return `${position}:${hash}`;
}

/** The flags that say which entries. */
export interface AuditFlags {
  readonly side?: "serving" | "querying";
  readonly grant?: string;
  readonly peer?: string;
  readonly user?: string;
  readonly outcome?: string;
  readonly event?: string;
  readonly since?: string;
  readonly until?: string;
  readonly request?: string;
}

export function addAuditFilters(command: Command): Command {
  return command
    .addOption(new Option("--side <side>", "what was served here, or asked of others").choices(["serving", "querying"]))
    .option("--grant <grant>", "of this grant, by id or name")
    .option("--peer <name>", "of this peer of yours, by its name; of one that was removed by its id")
    .option("--user <user>", "about or by this user: id; for admins also name or e-mail")
    .option("--outcome <code>", "ok, the code of a refusal, or refused: all but ok")
    .option("--event <event>", "request, enrollment, renewal, grant.revoked …")
    .option("--since <when>", "from then on: 2h, 7d, 2026-12-03, 2026-12-03T17:00:00Z")
    .option("--until <when>", "before then")
    .option("--request <id>", "with this request id; both gateways keep one request under the same");
}

/** The filters as the gateway takes them. @throws Problem of a name nobody has */
export async function auditQuery(gateway: Gateway, flags: AuditFlags, clock: Clock): Promise<Query> {
  const { side, grant, peer, user, outcome, event, since, until, request } = flags;
  return {
    side,
    grant: grant === undefined ? undefined : await grantId(gateway, grant),
    peer,
    user: user === undefined ? undefined : await userId(gateway, user),
    outcome,
    event,
    since: readPast("--since", since, clock),
    until: readPast("--until", until, clock),
    request_id: request?.toLowerCase(),
  };
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A span before now (`30m`, `2h`, `7d`, `8w`), a day, or an instant. As ISO 8601. */
export function readPast(flag: string, text: string | undefined, clock: Clock): string | undefined {
  if (text === undefined) return undefined;
  const span = /^(\d{1,5})([mhdw])$/u.exec(text.trim());
  const unit = UNITS[span?.[2] ?? ""];
  const date = unit === undefined ? readDate(text) : new Date(clock.now().getTime() - Number(span?.[1]) * unit);
  if (date === undefined) {
    throw cliProblem("usage_invalid", {
      detail: `${flag} ${JSON.stringify(text)} is neither a span nor a date.`,
      remedy: "Give a span before now (30m, 2h, 7d), a day (2026-12-03), or an instant (2026-12-03T17:00:00Z).",
    });
  }
  return date.toISOString();
}

const COLUMNS: readonly Column[] = [
  { heading: "AT" },
  { heading: "SIDE" },
  { heading: "GRANT OR PEER", flexible: true },
  { heading: "USER", flexible: true },
  { heading: "WHAT" },
  { heading: "OUTCOME" },
  { heading: "ROWS" },
  { heading: "BYTES" },
  { heading: "MS" },
];

/** Entries, one a line, to the second. */
export function auditTable(entries: readonly AuditEntry[], width: number | undefined): string {
  return formatTable(
    COLUMNS,
    entries.map((entry) => {
      const whose =
        entry.side === "serving" ? (entry.grant_name ?? entry.grant_id) : (entry.peer_name ?? entry.peer_id);
      return [
        entry.at.replace("T", " ").replace(/\.\d{3}Z$/u, ""),
        entry.side,
        shown(whose),
        shown(entry.subject_name ?? entry.subject_user_id),
        entry.event === "request"
          ? [entry.verb, entry.resource].filter((part) => part !== null).join(" ")
          : entry.event,
        entry.outcome,
        shown(entry.rows),
        shown(entry.bytes),
        entry.took_ms === null ? "" : entry.took_ms.toFixed(1),
      ];
    }),
    width,
  );
}

/** What a verification found. */
export interface AuditVerification {
  readonly intact: boolean;
  readonly entries: number;
  readonly head: AuditHead | null;
  readonly findings: readonly {
    readonly kind: string;
    readonly position: number;
    readonly until?: number;
    readonly id?: string;
  }[];
  readonly finding_count: number;
  readonly unchained: number;
  readonly dropped: number;
}

const FINDINGS: Readonly<Record<string, string>> = {
  changed: "is not as it was written, or not what was written there",
  missing: "is missing",
  twice: "is there twice",
  before_first: "was put before the first",
  beyond_head: "was put behind the end",
  head_missing: "is the last; where the chain ends was removed",
  head_changed: "is said to be the last, and is not what the gateway wrote",
  head_mended: "notes that the end had been changed before it was written: entries before it may be missing",
  not_as_expected: "is not the one that was expected: an older state was put back, or the head was noted wrongly",
};

/** A finding as a sentence. */
export function describeFinding({ kind, position, until, id }: AuditVerification["findings"][number]): string {
  const which = until === undefined ? `entry ${position}` : `entries ${position} to ${until}`;
  const what = FINDINGS[kind] ?? kind;
  return `${which}${id === undefined ? "" : ` (${id})`} ${until === undefined ? what : what.replace(/^is /u, "are ")}`;
}
