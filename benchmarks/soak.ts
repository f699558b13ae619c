import { join } from "node:path";
import { EMPLOYEE_NAMES } from "@mosaicstack/harness";
import { startPrivatePostgresql, startPrivateValkey } from "../scripts/services/private-instances.ts";
import type { Running } from "./child-process.ts";
import { makeDatabase, versionOf } from "./databases.ts";
import { askInTurn, type EmployeeHome, faultOf, seedEmployees, type Tally } from "./employees.ts";
import { median, percentile } from "./figures.ts";
import { type GatewayHome, launchedFrom, makeServedHome, startGateway } from "./gateway.ts";
import { fillUp } from "./fill-up.ts";
import { type Client, openClient } from "./load.ts";
import { runOpenLoop } from "./open-loop.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, megabytes, table } from "./report.ts";
import { say } from "./say.ts";
import { LIMIT, PEER } from "./stage.ts";
import { createUndo } from "./undo.ts";

/** A steady rate of three employees, through their gateways at home and the one at work, for a long time; what `--json` prints. */
export interface SoakReport {
  readonly node: string;
  readonly engine: string;
  readonly launchedFrom: string;
  readonly tasks: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly asked: number;
  readonly failed: number;
  readonly employees: readonly Readonly<Tally>[];
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
/** To each home. */
const MOST_CONNECTIONS = 128;

/**
 * Gateways of the federated tier, a process each, on a PostgreSQL and a Valkey of their own: three employees' homes list
 * what each of them has at work, in turn, at a steady rate together. On the server of `databaseUrl` where it is given, else
 * on one that is started for it.
 */
export async function measureSoak(folder: string, options: BenchOptions): Promise<SoakReport> {
  const undo = createUndo();
  try {
    const server = options.databaseUrl ?? (await undo.own(startPrivatePostgresql())).url;
    const valkey = (await undo.own(startPrivateValkey())).url;
    const gatewayOf = async (name: string, number: number): Promise<GatewayHome & { readonly databaseAt: string }> => {
      const database = await makeDatabase(server, name);
      undo.add(() => database.drop());
      const queue = new URL(valkey);
      queue.pathname = `/${number}`;
      const services = { database: database.url, valkey: queue.href };
      return { ...(await makeServedHome(join(folder, name), services)), databaseAt: database.url };
    };
    const work = await gatewayOf("work", 1);
    const employees: EmployeeHome[] = [];
    for (const [index, name] of EMPLOYEE_NAMES.entries()) {
      employees.push({ name, home: await gatewayOf(`home_of_${name.toLowerCase()}`, index + 2) });
    }
    say(`seeding ${options.tasks} tasks and ${options.notes} notes of ${EMPLOYEE_NAMES.join(", ")}`);
    const seeded = await seedEmployees(work, employees, options);
    await fillUp(work.databaseAt, options);

    const processes: Record<string, Running> = { "serving gateway (work)": await undo.own(startGateway(work)) };
    const clients: Client[] = [];
    for (const { name, home, apiKey } of seeded) {
      processes[`querying gateway (home of ${name})`] = await undo.own(startGateway(home));
      const target = {
        url: `${home.url}/api/v1/tasks?limit=${LIMIT}&source=federated:${PEER}`,
        method: "GET",
        headers: { authorization: `Bearer ${apiKey}` },
      } as const;
      const client = openClient(target, MOST_CONNECTIONS);
      undo.add(async () => client.close());
      clients.push(client);
      const fault = faultOf(name, await client.ask());
      if (fault !== undefined) throw new Error(fault);
    }
    const tallies = EMPLOYEE_NAMES.map((name): Tally => ({ name, asked: 0, failed: 0 }));

    const samples = Object.values(processes).map((): number[] => []);
    const sample = (): void => {
      for (const [index, running] of Object.values(processes).entries()) samples[index]?.push(running.residentBytes());
    };
    const { rate: perSecond, roundMs: durationMs } = options;
    say(`${perSecond} requests a second for ${durationMs / 1000} s`);
    const sampling = setInterval(sample, durationMs / SAMPLES);
    const met = await runOpenLoop(askInTurn(clients, tallies), { perSecond, durationMs }, () => true);
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
      employees: tallies,
      failures: failures.toSorted((one, other) => other.times - one.times).slice(0, 10),
      p50Ms: percentile(met.latenciesMs, 50),
      p95Ms: percentile(met.latenciesMs, 95),
      p99Ms: percentile(met.latenciesMs, 99),
      mostUnderWay: met.mostUnderWay,
      memory,
      aims: [
        {
          name: "errors, and answers that are not the employee's own rows",
          aim: "0",
          measured: String(failed),
          reached: failed === 0,
        },
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
  const { node, engine, perSecond, seconds, tasks, asked, failed, employees, failures, p50Ms, p95Ms, p99Ms } = report;
  const times = [p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1));
  const fifths = report.memory.map(({ process, fifths: each, growth }) => [
    process,
    ...each.map(megabytes),
    growth.toFixed(2),
  ]);
  return [
    `Node ${node}, ${engine} and Valkey; gateways started from ${report.launchedFrom}.`,
    `${perSecond} lists of ${LIMIT} tasks a second, of ${tasks} at work, for ${seconds} s; times from when each was due.`,
    `Asked in turn: ${employees.map(({ name }) => name).join(", ")}, each at home; an answer is right that is a page of their own tasks.\n`,
    table([
      ["asked", "failed", "p50 ms", "p95 ms", "p99 ms", "most under way"],
      [String(asked), String(failed), ...times, String(report.mostUnderWay)],
    ]),
    `\n${table([["", "asked", "failed"], ...employees.map((each) => [each.name, String(each.asked), String(each.failed)])])}`,
    ...failures.map(({ reason, times: often }) => `  ${often} x ${reason}`),
    `\nResident memory, by fifths of the time\n${table([["", "1", "2", "3", "4", "5", "last / second"], ...fifths])}`,
    `\nAims\n${aimsTable(report.aims)}`,
    "",
  ].join("\n");
}
