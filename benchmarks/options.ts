import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

/** What one run of the benchmark does. */
export interface BenchOptions {
  /** Figures as one JSON document on standard output; progress goes to standard error either way. */
  readonly json: boolean;
  /** How long one round of load lasts. */
  readonly roundMs: number;
  /** Pairs of rounds (floor, candidate) for each candidate and number of connections. */
  readonly rounds: number;
  /** Starts from nothing, and starts with data, for each kind of gateway. */
  readonly boots: number;
  /** Connections of the load generator, one after the other. */
  readonly connections: readonly number[];
  /** Tasks in the serving gateway's database. */
  readonly tasks: number;
  /** Tasks that `mosaic storage migrate-tier` copies; on PostgreSQL only, which it copies to. */
  readonly migratedTasks: number;
  /** A PostgreSQL server on which databases may be made and dropped. Absent: PGlite. */
  readonly databaseUrl: string | undefined;
  /** Certificates and their revocation on step-ca, PostgreSQL and Valkey, and nothing else. Absent: everything else. */
  readonly trust: { readonly enrollments: number; readonly revocations: number } | undefined;
}

export const USAGE = `npm run bench -- [options]

  --quick                     short rounds and few of them: whether it works, not how fast it is
  --json                      the figures as JSON on standard output
  --rounds <n>                pairs of rounds a candidate (default 5)
  --seconds <n>               length of a round (default 2)
  --connections <n,n>         default 1,10
  --boots <n>                 starts of each kind of gateway (default 5)
  --tasks <n>                 tasks in the serving gateway (default 4000)
  --migrated-tasks <n>        tasks that migrate-tier copies, with PostgreSQL (default 50000)
  --postgres                  on the PostgreSQL of MOSAIC_TEST_DATABASE_URL in place of PGlite
  --database-url-file <file>  on the PostgreSQL whose URL is in the file
  --trust                     certificates and revocation alone, on a PostgreSQL, Valkey and step-ca of its own
  --enrollments <n>           with --trust (default 200)
  --revocations <n>           with --trust (default 100)
`;

function positive(text: string | undefined, fallback: number, name: string): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0`);
  return value;
}

/** @throws Error that says which option is wrong */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", short: "h" },
      quick: { type: "boolean" },
      json: { type: "boolean" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      connections: { type: "string" },
      boots: { type: "string" },
      tasks: { type: "string" },
      "migrated-tasks": { type: "string" },
      postgres: { type: "boolean" },
      "database-url-file": { type: "string" },
      trust: { type: "boolean" },
      enrollments: { type: "string" },
      revocations: { type: "string" },
    },
  });
  if (values.help === true) return "help";
  const quick = values.quick === true;
  const file = values["database-url-file"];
  const given = values.postgres === true ? environment["MOSAIC_TEST_DATABASE_URL"] : undefined;
  const databaseUrl = file === undefined ? given : readFileSync(file, "utf8").trim();
  if (values.postgres === true && (databaseUrl ?? "") === "") {
    throw new Error("--postgres needs MOSAIC_TEST_DATABASE_URL: npm run services -- start");
  }
  return {
    json: values.json === true,
    roundMs: positive(values.seconds, quick ? 0.4 : 2, "seconds") * 1000,
    rounds: positive(values.rounds, quick ? 1 : 5, "rounds"),
    boots: positive(values.boots, quick ? 1 : 5, "boots"),
    connections: (values.connections ?? (quick ? "10" : "1,10"))
      .split(",")
      .map((text) => positive(text, 0, "connections")),
    tasks: positive(values.tasks, quick ? 600 : 4000, "tasks"),
    migratedTasks: positive(values["migrated-tasks"], quick ? 5_000 : 50_000, "migrated-tasks"),
    databaseUrl,
    trust:
      values.trust === true
        ? {
            enrollments: positive(values.enrollments, quick ? 20 : 200, "enrollments"),
            revocations: positive(values.revocations, quick ? 10 : 100, "revocations"),
          }
        : undefined,
  };
}
