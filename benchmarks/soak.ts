import { join } from "node:path";
import { startPrivatePostgresql, startPrivateValkey } from "../scripts/services/private-instances.ts";
import { makeDatabase, versionOf } from "./databases.ts";
import { median, percentile } from "./figures.ts";
import { type GatewayHome, launchedFrom, makeServedHome, startGateway } from "./gateway.ts";
import { openClient } from "./load.ts";
import { runOpenLoop } from "./open-loop.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, megabytes, table } from "./report.ts";
import { say } from "./say.ts";
import { fillHomes, LIMIT, PEER, seed } from "./stage.ts";
import { createUndo } from "./undo.ts";

/** A steady rate through two gateways for a long time; what `--json` prints. */
export interface SoakReport {
  readonly node: string;
  readonly engine: string;
  readonly launchedFrom: string;
  readonly tasks: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly asked: number;
  readonly failed: number;
  /** Each kind of failure, the most frequent first. */
  readonly failures: readonly { readonly reason: string; readonly times: number }[];
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly mostUnderWay: number;
  readonly memory: readonly MemoryFigures[];
  readonly aims: readonly Aim[];
}

interface MemoryFigures {
  readonly process: string;
  /** Resident bytes, one each {@link BenchOptions.roundMs} / 60. */
  readonly samples: readonly number[];
  /** Medians of the samples' fifths, in their order. */
  readonly fifths: readonly number[];
  /** The last fifth beside the second: the first is the warming up. */
  readonly growth: number;
}

const GROWTH = 1.1;
const SAMPLES = 60;
const MOST_CONNECTIONS = 128;

/**
 * Two gateways of the federated tier, a process each, on a PostgreSQL and a Valkey of their own: the first lists what the
 * second has, at a steady rate. On the server of `databaseUrl` where it is given, else on one that is started for it.
 */
export async function measureSoak(folder: string, options: BenchOptions): Promise<SoakReport> {
  const undo = createUndo();
  try {
    const server = options.databaseUrl ?? (await undo.own(startPrivatePostgresql())).url;
    const valkey = (await undo.own(startPrivateValkey())).url;
    const databases: string[] = [];
    const homeOf = async (name: string, number: number): Promise<GatewayHome> => {
      const database = await makeDatabase(server, name);
      undo.add(() => database.drop());
      databases.push(database.url);
      const queue = new URL(valkey);
      queue.pathname = `/${number}`;
      return await makeServedHome(join(folder, name), { database: database.url, valkey: queue.href });
    };
    const [work, home] = [await homeOf("work", 1), await homeOf("home", 2)];
    say(`seeding ${options.tasks} tasks and ${options.notes} notes`);
    const { homeKey } = await seed(work, home, { ...options, onPostgres: true });
    await fillHomes(databases[0], databases[1], options);
    const processes = {
      "serving gateway (work)": await undo.own(startGateway(work)),
      "querying gateway (home)": await undo.own(startGateway(home)),
    };
    const client = openClient(
      {
        url: `${home.url}/api/v1/tasks?limit=${LIMIT}&source=federated:${PEER}`,
        method: "GET",
        headers: { authorization: `Bearer ${homeKey}` },
      },
      MOST_CONNECTIONS,
    );
    undo.add(async () => client.close());
    const isRight = (text: string): boolean => text.slice(-2000).includes('"partial":false');
    if (!isRight(await client.ask())) throw new Error("the peer does not answer");

    const samples = Object.values(processes).map((): number[] => []);
    const sample = (): void => {
      for (const [index, running] of Object.values(processes).entries()) samples[index]?.push(running.residentBytes());
    };
    const { rate: perSecond, roundMs: durationMs } = options;
    say(`${perSecond} requests a second for ${durationMs / 1000} s`);
    const sampling = setInterval(sample, durationMs / SAMPLES);
    const met = await runOpenLoop(client, { perSecond, durationMs }, isRight);
    clearInterval(sampling);

    const failures = [...met.failures].map(([reason, times]) => ({ reason, times }));
    const failed = failures.reduce((sum, { times }) => sum + times, 0);
    const memory = Object.keys(processes).map((process, index) => memoryOf(process, samples[index] ?? []));
    return {
      node: process.version,
      engine: await versionOf(server),
      launchedFrom: launchedFrom(),
      tasks: options.tasks,
      perSecond,
      seconds: durationMs / 1000,
      asked: met.asked,
      failed,
      failures: failures.toSorted((one, other) => other.times - one.times).slice(0, 10),
      p50Ms: percentile(met.latenciesMs, 50),
      p95Ms: percentile(met.latenciesMs, 95),
      p99Ms: percentile(met.latenciesMs, 99),
      mostUnderWay: met.mostUnderWay,
      memory,
      aims: [
        { name: "errors", aim: "0", measured: String(failed), reached: failed === 0 },
        ...memory.map(({ process: name, growth }) => ({
          name: `memory of the ${name}, last fifth / second fifth`,
          aim: `<= ${GROWTH}`,
          measured: growth.toFixed(2),
          reached: growth <= GROWTH,
        })),
      ],
    };
  } finally {
    await undo.run();
  }
}

function memoryOf(process: string, samples: readonly number[]): MemoryFigures {
  const fifths = [0, 1, 2, 3, 4].map((fifth) =>
    median(samples.slice(Math.floor((fifth * samples.length) / 5), Math.floor(((fifth + 1) * samples.length) / 5))),
  );
  return { process, samples, fifths, growth: (fifths[4] ?? Number.NaN) / (fifths[1] ?? Number.NaN) };
}

/** What is printed for people. */
export function soakText(report: SoakReport): string {
  const { node, engine, perSecond, seconds, tasks, asked, failed, failures, p50Ms, p95Ms, p99Ms } = report;
  const times = [p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1));
  const fifths = report.memory.map(({ process, fifths: each, growth }) => [
    process,
    ...each.map(megabytes),
    growth.toFixed(2),
  ]);
  return [
    `Node ${node}, ${engine} and Valkey; gateways started from ${report.launchedFrom}.`,
    `${perSecond} lists of ${LIMIT} tasks a second, of ${tasks}, home -> work, for ${seconds} s; times from when each was due.\n`,
    table([
      ["asked", "failed", "p50 ms", "p95 ms", "p99 ms", "most under way"],
      [String(asked), String(failed), ...times, String(report.mostUnderWay)],
    ]),
    ...failures.map(({ reason, times: often }) => `  ${often} x ${reason}`),
    `\nResident memory, by fifths of the time\n${table([["", "1", "2", "3", "4", "5", "last / second"], ...fifths])}`,
    `\nAims\n${aimsTable(report.aims)}`,
    "",
  ].join("\n");
}
