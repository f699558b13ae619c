import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

/** What one run may measure; the word after `npm run bench --`. Without one: `load`. */
export const MEASUREMENTS = [
  "load",
  "trust",
  "oracle",
  "faults",
  "fan-out",
  "soak",
  "audit",
  "walls",
  "search",
] as const;
export type Measurement = (typeof MEASUREMENTS)[number];

/** What one run of the benchmark does. Numbers that a measurement has no use for are there all the same. */
export interface BenchOptions {
  readonly measurement: Measurement;
  /** Figures as one JSON document on standard output; progress goes to standard error either way. */
  readonly json: boolean;
  /** How long one round of load lasts; of `soak`, all of it. */
  readonly roundMs: number;
  /** Pairs of rounds (floor, candidate) for each candidate and number of connections. */
  readonly rounds: number;
  /** Starts from nothing, and starts with data, for each kind of gateway. */
  readonly boots: number;
  /** Connections of the load generator, one after the other. */
  readonly connections: readonly number[];
  /** Tasks in the serving gateway's database. */
  readonly tasks: number;
  /** Notes in it, beside the tasks. */
  readonly notes: number;
  /** Tasks that `mosaic storage migrate-tier` copies; on PostgreSQL only, which it copies to. */
  readonly migratedTasks: number;
  /** A PostgreSQL server on which databases may be made and dropped. Absent: PGlite. */
  readonly databaseUrl: string | undefined;
  /** On a PostgreSQL that is started for this run: it was asked for, and none is named. */
  readonly ownPostgres: boolean;
  /** Gateways are started from the sources even where there is a bundle, which may be older. */
  readonly fromSources: boolean;
  /** Of each kind: with `oracle` and `walls`, and blended lists with `fan-out`. */
  readonly requests: number;
  /** A second: with `soak`, and of blended lists with `faults`. */
  readonly rate: number;
  readonly enrollments: number;
  readonly revocations: number;
  readonly search: {
    /** Folder with the notes that are searched for known items; absent: only how long searches take is measured. */
    readonly proposals: string | undefined;
    /** Of how many notes one is searched for. */
    readonly each: number;
    /** Rows of text whose search is timed; 0: none are. */
    readonly rows: number;
    /** Timed, of each kind. */
    readonly searches: number;
  };
}

export const USAGE = `npm run bench -- [what] [options]

What is measured:
  load       lists against the floor, boots, memory, migrate-tier; the default
  trust      certificates and revocation, on a PostgreSQL, Valkey and step-ca of its own
  faults     what a faulty peer costs local reads, in eight ways
  fan-out    a list blended of ten peers, against the slowest of them
  soak       300 requests a second of three employees, each through a gateway of their own, for ten minutes, on PostgreSQL
             and Valkey; status 1 where an answer is missing or another's
  audit      what recording each request costs the serving side
  walls      what the second wall costs a read
  search     how good and how quick search is
  oracle     whether refusals, and searches in vain, can be told apart by their time

  --quick                     short rounds and few of them: whether it works, not how fast it is
  --json                      the figures as JSON on standard output
  --sources                   gateways from the sources, also where npm run build has made a bundle
  --rounds <n>                pairs of rounds a candidate (default 5)
  --seconds <n>               length of a round (default 2); of soak, all of it (default 600)
  --connections <n,n>         default 1,10; with faults and audit the first number that is given (default 4 and 10)
  --boots <n>                 starts of each kind of gateway (default 5)
  --tasks <n>                 tasks in the serving gateway (default 100000 on PostgreSQL, else 4000)
  --notes <n>                 notes in it (default as many as tasks)
  --migrated-tasks <n>        tasks that migrate-tier copies, with PostgreSQL (default 50000)
  --postgres                  on PostgreSQL in place of PGlite: that of MOSAIC_TEST_DATABASE_URL, else one of its own
  --database-url-file <file>  on the PostgreSQL whose URL is in the file
  --requests <n>              of each kind, with oracle, walls, fan-out and search (default 1000, 2000, 200, 100)
  --rate <n>                  requests a second, with soak (default 300); blended lists a second, with faults (default 5)
  --enrollments <n>           with trust (default 200)
  --revocations <n>           with trust (default 100)
  --rows <n>                  rows of text that search is timed over, 0 for none (default 1000000)
  --each <n>                  search is judged by one note in n of the folder KEP_DATA (default 4)
`;

function positive(text: string | undefined, fallback: number, name: string): number {
  const value = text === undefined ? fallback : Number(text);
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0`);
  return value;
}

const REQUESTS: Partial<Readonly<Record<Measurement, { readonly usual: number; readonly quick: number }>>> = {
  oracle: { usual: 1000, quick: 400 },
  walls: { usual: 2000, quick: 300 },
  "fan-out": { usual: 200, quick: 20 },
  search: { usual: 100, quick: 10 },
};

/** @throws Error that names the measurements there are */
function measurementOf(
  words: readonly string[],
  flags: { readonly oracle?: boolean; readonly trust?: boolean },
): Measurement {
  const named = [...words, ...(flags.oracle === true ? ["oracle"] : []), ...(flags.trust === true ? ["trust"] : [])];
  const [word = "load"] = named;
  const found = MEASUREMENTS.find((measurement) => measurement === word);
  if (named.length > 1 || found === undefined) throw new Error(`measures one of: ${MEASUREMENTS.join(", ")}`);
  return found;
}

/** @throws Error that says which option is wrong */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): BenchOptions | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      quick: { type: "boolean" },
      json: { type: "boolean" },
      sources: { type: "boolean" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      connections: { type: "string" },
      boots: { type: "string" },
      tasks: { type: "string" },
      notes: { type: "string" },
      "migrated-tasks": { type: "string" },
      postgres: { type: "boolean" },
      "database-url-file": { type: "string" },
      oracle: { type: "boolean" },
      trust: { type: "boolean" },
      requests: { type: "string" },
      rate: { type: "string" },
      enrollments: { type: "string" },
      revocations: { type: "string" },
      rows: { type: "string" },
      each: { type: "string" },
    },
  });
  if (values.help === true) return "help";
  const measurement = measurementOf(positionals, values);
  const quick = values.quick === true;
  const file = values["database-url-file"];
  const given = values.postgres === true ? environment["MOSAIC_TEST_DATABASE_URL"] : undefined;
  const databaseUrl = file === undefined ? given : readFileSync(file, "utf8").trim();
  const ownPostgres = values.postgres === true && databaseUrl === undefined;
  const isSoak = measurement === "soak";
  const usualSeconds = isSoak ? 600 : 2;
  const usualConnections = measurement === "faults" ? "4" : measurement === "audit" || quick ? "10" : "1,10";
  const isLarge = measurement !== "oracle" && (databaseUrl !== undefined || ownPostgres || isSoak);
  const usualTasks = quick ? 600 : isLarge ? 100_000 : 4000;
  const tasks = positive(values.tasks, usualTasks, "tasks");
  const usualRequests = REQUESTS[measurement] ?? { usual: 1000, quick: 100 };
  const requests = positive(values.requests, quick ? usualRequests.quick : usualRequests.usual, "requests");
  return {
    measurement,
    json: values.json === true,
    roundMs: positive(values.seconds, quick ? (isSoak ? 20 : 0.4) : usualSeconds, "seconds") * 1000,
    rounds: positive(values.rounds, quick ? 1 : 5, "rounds"),
    boots: positive(values.boots, quick ? 1 : 5, "boots"),
    connections: (values.connections ?? usualConnections).split(",").map((text) => positive(text, 0, "connections")),
    tasks,
    notes: positive(values.notes, tasks, "notes"),
    migratedTasks: positive(values["migrated-tasks"], quick ? 5_000 : 50_000, "migrated-tasks"),
    databaseUrl,
    ownPostgres,
    fromSources: values.sources === true,
    requests,
    rate: positive(values.rate, isSoak ? (quick ? 50 : 300) : 5, "rate"),
    enrollments: positive(values.enrollments, quick ? 20 : 200, "enrollments"),
    revocations: positive(values.revocations, quick ? 10 : 100, "revocations"),
    search: {
      proposals: environment["KEP_DATA"],
      each: positive(values.each, quick ? 40 : 4, "each"),
      rows: values.rows === "0" ? 0 : positive(values.rows, quick ? 20_000 : 1_000_000, "rows"),
      searches: requests,
    },
  };
}
