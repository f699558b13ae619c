import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { Option } from "commander";
import {
  addAuditFilters,
  AUDIT_PATH,
  type AuditEntry,
  type AuditFlags,
  type AuditHead,
  auditQuery,
  auditTable,
  type AuditVerification,
  describeFinding,
  headText,
} from "../audit.ts";
import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { wholeNumber } from "../listing.ts";
import { cliProblem } from "../problems.ts";
import { linesOf } from "../stream-lines.ts";
import { formatFields } from "../table.ts";
import { terminalText } from "../terminal-text.ts";

interface ListFlags extends AuditFlags {
  readonly limit?: number;
  readonly cursor?: string;
}

interface ExportFlags extends AuditFlags {
  readonly format: "jsonl" | "csv";
  readonly output?: string;
}

interface AuditPage {
  readonly rows: readonly AuditEntry[];
  readonly next_cursor: string | null;
  readonly limit: number;
  readonly limit_clamped?: true;
  readonly head: AuditHead | null;
}

/** Every entry is looked at, or sent: millions take minutes. */
const LONG_MS = 3_600_000;

/** `mosaic federation audit` */
export const defineAudit: DefineWithin = (group, run) => {
  examples(
    group,
    ["mosaic federation audit list --grant home --since 7d", "what was read by a grant"],
    ["mosaic federation audit verify", "is the log as it was written"],
    ["mosaic federation audit export --format csv --output audit.csv", "for a spreadsheet"],
  );

  const list = addAuditFilters(
    group
      .command("list")
      .alias("ls")
      .description(
        "What was asked and answered, newest first: over your data, by you of your peers; for admins all served",
      ),
  )
    .option("--limit <entries>", "entries a page, at most 200", wholeNumber)
    .option("--cursor <cursor>", "go on where a page ended")
    .action(
      run(async (invocation, flags: ListFlags) => {
        const { host, output } = invocation;
        const gateway = await federationGateway(invocation);
        const query = { ...(await auditQuery(gateway, flags, host.clock)), limit: flags.limit, cursor: flags.cursor };
        const { body } = await gateway.call<AuditPage>("GET", AUDIT_PATH, { query });
        output.result(body, () => (body.rows.length === 0 ? "" : auditTable(body.rows, output.width)));
        if (body.rows.length === 0) output.note("No entries.");
        if (body.limit_clamped === true) {
          output.note(`A page has at most ${body.limit} entries; mosaic federation audit export has all.`);
        }
        if (body.next_cursor !== null) output.note(`More: the same with --cursor ${body.next_cursor}`);
        if (body.head !== null) output.note(`The log ends at ${headText(body.head)}`);
      }),
    );
  examples(
    list,
    ["mosaic federation audit list", "the newest"],
    ["mosaic federation audit list --grant home --outcome refused --since 24h", "what a grant's peer was refused"],
    ["mosaic federation audit list --request 019aaf2c-…", "one request; the other gateway has it under the same id"],
  );

  const verify = group
    .command("verify")
    .description("See that every entry is as it was written; the first that is not, and where (admins)")
    .option("--expect <head>", "a head noted earlier, <position>:<hash>: finds an older state that was put back")
    .action(
      run(async (invocation, { expect }: { expect?: string }) => {
        const { output } = invocation;
        const gateway = await federationGateway(invocation);
        const { body } = await gateway.call<AuditVerification>("GET", `${AUDIT_PATH}/verify`, {
          query: { expect },
          timeoutMs: LONG_MS,
        });
        output.result(body, () => verificationFields(body));
        if (body.dropped > 0) output.warn(`${body.dropped} requests are missing by the log's own word: it had no room`);
        if (!body.intact) {
          output.warn(
            "somebody who can write to the database has changed the log; keep a copy of it before anything else",
          );
          return "failure";
        }
        if (body.head !== null && body.head.position > 0) {
          output.note(
            `Note the head elsewhere. Next time: mosaic federation audit verify --expect ${headText(body.head)}`,
          );
        }
        return "ok";
      }),
    );
  examples(
    verify,
    ["mosaic federation audit verify", "ends with 1 where something was changed"],
    ["mosaic federation audit verify --expect 4711:5fd…", "also that nothing since was cut off and forgotten"],
  );

  const exporting = addAuditFilters(
    group.command("export").description("Every entry that the filters let through, oldest first, as JSON lines or CSV"),
  )
    .addOption(new Option("--format <format>", "jsonl or csv").choices(["jsonl", "csv"]).default("jsonl"))
    .option("--output <file>", "to a file, whole or not at all; default: standard output")
    .action(
      run(async (invocation, flags: ExportFlags) => {
        const { host, output } = invocation;
        const { format, output: file } = flags;
        if (output.json && (format === "csv" || file !== undefined)) {
          throw cliProblem("usage_invalid", {
            detail: "With --json the entries go to standard output, one a line.",
            remedy: "Leave out --json, or --format csv and --output.",
          });
        }
        const gateway = await federationGateway(invocation);
        const query = { ...(await auditQuery(gateway, flags, host.clock)), format };
        const write = file === undefined ? toOutput(invocation) : await toFile(resolve(host.directory, file));
        await gateway.call("GET", `${AUDIT_PATH}/export`, { query, timeoutMs: LONG_MS, take: write });
        if (file !== undefined) output.note(`Written to ${file}`);
      }),
    );
  examples(
    exporting,
    ["mosaic federation audit export --since 30d > audit.jsonl", "a month, one JSON document a line"],
    [
      "mosaic federation audit export --format csv --output audit.csv",
      "for a spreadsheet: no cell is taken for a formula",
    ],
  );
};

type Take = (body: NodeJS.ReadableStream) => Promise<void>;

/** To a file or pipe as it comes, to the byte; to a terminal what it may show. */
function toOutput({ host, output }: Parameters<typeof federationGateway>[0]): Take {
  return async (body) => {
    if (!output.json && host.stdout.isTTY !== true) return await pipeline(body, host.stdout, { end: false });
    let entries = 0;
    for await (const line of linesOf(body)) {
      if (output.json) output.line({ row: JSON.parse(line) as unknown });
      else host.stdout.write(`${terminalText(line)}\n`);
      entries += 1;
    }
    if (output.json) output.line({ end: { rows: entries } });
  };
}

/** Beside its place first: a file that is there is either the old one or the whole new one. Only its owner can read it. */
async function toFile(path: string): Promise<Take> {
  const unfinished = `${path}.unfinished`;
  return async (body) => {
    try {
      await pipeline(body, createWriteStream(unfinished, { mode: 0o600 }));
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!/^(?:ENOENT|EACCES|EISDIR|ENOSPC|EROFS|ENOTDIR|EPERM)$/u.test(code)) throw error;
      throw cliProblem("file_unwritable", { detail: `${path} can't be written (${code}).`, cause: error });
    }
  };
}

function verificationFields(body: AuditVerification): string {
  const { intact, entries, head, findings, finding_count: count } = body;
  const [first] = findings;
  return formatFields([
    ["intact", intact ? "yes" : "NO"],
    ["entries", String(entries)],
    ["ends at", head === null ? "nobody knows: the head is gone" : headText(head)],
    ...(first === undefined ? [] : [["first fault", describeFinding(first)] as const]),
    ...findings.slice(1, 20).map((finding) => ["", describeFinding(finding)] as const),
    ...(count > 20 ? [["", `… ${count} in all`] as const] : []),
  ]);
}
