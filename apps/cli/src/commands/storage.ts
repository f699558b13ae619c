import { Option } from "commander";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { loadGatewayConfig, settingFlag } from "../gateway-config.ts";
import { createProgress } from "../import/progress.ts";
import type { Invocation } from "../invocation.ts";
import { cliProblem } from "../problems.ts";
import { type Ends, migrationQuestion, reportPlan, reportResults } from "../storage/migration-report.ts";
import { nextSteps, nextStepsText } from "../storage/next-steps.ts";
import {
  describeSource,
  openSource,
  refuseOtherDirection,
  TARGET_TIERS,
  type TargetTier,
} from "../storage/open-source.ts";
import { readTarget, type TargetFlags } from "../storage/target-options.ts";

interface MigrateFlags extends TargetFlags {
  readonly to: TargetTier;
  readonly dryRun?: true;
  readonly allowNonEmpty?: true;
  readonly config?: string;
  readonly set?: Record<string, string>;
}

async function migrate(invocation: Invocation, flags: MigrateFlags): Promise<void> {
  const { host, output, options } = invocation;
  const dryRun = flags.dryRun === true;
  const address = await readTarget(host, flags);
  const loaded = await loadGatewayConfig(host, { file: flags.config, settings: flags.set });
  for (const { path, message } of loaded.warnings) output.warn(`${path}: ${message}`);
  refuseOtherDirection(loaded, flags.to);
  if (address === undefined && !dryRun) {
    throw cliProblem("input_needed", {
      detail: "Nothing says where to migrate to.",
      remedy: "Add --target-url postgresql://user@host:5432/name, or set MOSAIC_TARGET_DATABASE_URL_FILE.",
    });
  }
  const ends: Ends = {
    from: describeSource(loaded),
    to: address === undefined ? undefined : { host: address.host, port: address.port, database: address.name },
  };
  const { migrateTier, openMigrationTarget, planMigration, refuseOccupied } = await import("@mosaicstack/storage");
  const open: { close(): Promise<void> }[] = [];
  try {
    const source = await openSource(loaded);
    open.push(source);
    const vector = flags.to === "federated";
    const target = address && (await openMigrationTarget({ ...address, vector, readOnly: dryRun }));
    if (target !== undefined) open.push(target);
    const plan = await planMigration(source, target);
    if (dryRun || target === undefined || address === undefined) {
      reportPlan(output, ends, plan);
      return;
    }
    const allowNonEmpty = flags.allowNonEmpty === true;
    // Before the question: nobody should answer it for nothing.
    if (!allowNonEmpty) refuseOccupied(plan);
    await invocation.confirm(migrationQuestion(ends, plan));
    const progress = await createProgress({ host, wanted: options.quiet !== true, total: plan.rows });
    const started = performance.now();
    const results = await migrateTier({
      source,
      target,
      allowNonEmpty,
      signal: host.signal,
      onProgress: ({ rows }) => progress.update(rows, rows),
    }).finally(() => progress.stop());
    const next = await nextSteps(loaded, flags.to, address);
    const tookMs = performance.now() - started;
    reportResults(output, ends, { results, skipped: plan.skipped, tookMs, next });
    output.note(nextStepsText(next));
  } finally {
    for (const each of open.toReversed()) await each.close();
  }
}

/** `mosaic storage` */
export const define: Define = (group, run) => {
  examples(group, [
    "mosaic storage migrate-tier --to federated --target-url postgresql://mosaic@db.example:5432/mosaic --dry-run",
    "what a move to PostgreSQL would copy",
  ]);
  const command = group
    .command("migrate-tier")
    .description("Copy a gateway's data to a PostgreSQL of a larger tier. The source stays as it is")
    .addOption(new Option("--to <tier>", "the tier the data is for").choices(TARGET_TIERS).makeOptionMandatory())
    .option("--target-url <url>", "PostgreSQL, without a password (MOSAIC_TARGET_DATABASE_URL may have one)")
    .option("--target-ca-file <file>", "the authority that signed PostgreSQL's certificate, PEM")
    .option("--dry-run", "count, say what would happen, and write nothing")
    .option("--allow-non-empty", "leave rows that are in the target, and add the rest")
    .option("--config <file>", "the source's configuration: this file instead of mosaic.config.json")
    .option("--set <setting=value>", "as for `mosaic start`, any number of times", settingFlag)
    .action(run(migrate));
  examples(
    command,
    [
      "mosaic storage migrate-tier --to federated --target-url postgresql://mosaic@db.example:5432/mosaic --dry-run",
      "rows a table, and what stays behind; writes nothing",
    ],
    [
      "MOSAIC_TARGET_DATABASE_URL_FILE=/run/secrets/database-url mosaic storage migrate-tier --to federated --yes",
      "without a terminal, the URL with its password in a file",
    ],
    [
      "mosaic storage migrate-tier --to standalone --target-url postgresql://mosaic@localhost/mosaic?host=/run/postgresql --dry-run",
      "to tier standalone, over a socket",
    ],
  );
};
