import { join } from "node:path";
import { verbPath } from "@mosaicstack/federation-protocol";
import { makeDatabase, versionOf } from "./databases.ts";
import { median, percentile } from "./figures.ts";
import { fillUp, THROUGH_REST } from "./fill-up.ts";
import { copyHome, type GatewayHome, makeHome, peerUrlOf, startGateway } from "./gateway.ts";
import { askOnce, type Round, runRound, type Target } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, table } from "./report.ts";
import { say } from "./say.ts";
import { addTasks, addTeams, enroll, grantTasks, setUp } from "./seed.ts";
import { LIMIT } from "./stage.ts";
import { createUndo } from "./undo.ts";

/** What recording each request costs the serving side; what `--json` prints. */
export interface AuditReport {
  readonly node: string;
  readonly engine: string;
  readonly connections: number;
  readonly rounds: number;
  readonly lines: readonly {
    readonly name: string;
    readonly requestsPerSecond: number;
    readonly p50Ms: number;
    readonly p95Ms: number;
  }[];
  /** Of the pairs' ratios, the median: throughput with the audit beside that without. */
  readonly throughput: number;
  /** The least and the largest of the pairs' ratios. */
  readonly between: readonly [number, number];
  readonly aims: readonly Aim[];
}

const COST = 0.05;
const WITH = "every request recorded";
const WITHOUT = "none recorded";

/**
 * Two processes of the same gateway, one of which has a queue that forgets (silent-audit-queue.ts), answer lists in turn. On
 * PostgreSQL they have the same database, on PGlite the second has a copy of it.
 */
export async function measureAudit(folder: string, options: BenchOptions): Promise<AuditReport> {
  const { databaseUrl, rounds, roundMs, tasks } = options;
  const connections = options.connections[0] ?? 10;
  const undo = createUndo();
  try {
    const database = databaseUrl === undefined ? undefined : await makeDatabase(databaseUrl, "audit");
    if (database !== undefined) undo.add(() => database.drop());
    const home = await makeHome(join(folder, "recording"), "federated", database?.url);
    say(`seeding ${tasks} tasks`);
    const peer = await seed(home, tasks);
    if (database !== undefined) await fillUp(database.url, { tasks });
    const recording: GatewayHome = { ...home, composed: "with audit" };
    const silent: GatewayHome = { ...(await copyHome(home, join(folder, "silent"))), composed: "without audit" };
    const targets: Target[] = [];
    for (const each of [silent, recording]) {
      await undo.own(startGateway(each));
      const target: Target = {
        url: `${peerUrlOf(each)}${verbPath("list")}`,
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ resource: "tasks", limit: LIMIT, filters: {} }),
        tls: { ca: peer.rootPem, cert: peer.cert, key: peer.key },
      };
      await askOnce(target);
      targets.push(target);
    }
    const [off, on] = targets;
    if (off === undefined || on === undefined) throw new Error("two gateways were started");
    const pairs: { off: Round; on: Round }[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      // Each goes first as often as the other.
      const first = round % 2 === 0 ? await runRound(on, connections, roundMs) : undefined;
      const ofOff = await runRound(off, connections, roundMs);
      pairs.push({ off: ofOff, on: first ?? (await runRound(on, connections, roundMs)) });
    }
    const ratios = pairs.map((pair) => pair.on.requestsPerSecond / pair.off.requestsPerSecond);
    const throughput = median(ratios);
    return {
      node: process.version,
      engine: databaseUrl === undefined ? "PGlite" : await versionOf(databaseUrl),
      connections,
      rounds,
      lines: [
        lineOf(
          WITHOUT,
          pairs.map((pair) => pair.off),
        ),
        lineOf(
          WITH,
          pairs.map((pair) => pair.on),
        ),
      ],
      throughput,
      between: [Math.min(...ratios), Math.max(...ratios)],
      aims: [
        {
          name: "what the audit costs of the throughput",
          aim: `<= ${COST * 100} %`,
          measured: `${((1 - throughput) * 100).toFixed(1)} %`,
          reached: 1 - throughput <= COST,
        },
      ],
    };
  } finally {
    await undo.run();
  }
}

async function seed(home: GatewayHome, tasks: number) {
  const gateway = await startGateway(home);
  try {
    const account = await setUp(home.url, gateway.printed);
    await addTeams(account);
    await addTasks(account, {
      count: Math.min(tasks, home.databaseUrl === undefined ? tasks : THROUGH_REST),
      inTeams: true,
      phaseMs: 0,
    });
    return await enroll(await grantTasks(account, "benchmark"));
  } finally {
    await gateway.stop();
  }
}

function lineOf(name: string, rounds: readonly Round[]): AuditReport["lines"][number] {
  const over = (percent: number): number => median(rounds.map(({ latenciesMs }) => percentile(latenciesMs, percent)));
  const requestsPerSecond = median(rounds.map((round) => round.requestsPerSecond));
  return { name, requestsPerSecond, p50Ms: over(50), p95Ms: over(95) };
}

/** What is printed for people. */
export function auditText({
  node,
  engine,
  connections,
  rounds,
  lines,
  throughput,
  between,
  aims,
}: AuditReport): string {
  const rows = lines.map(({ name, requestsPerSecond, p50Ms, p95Ms }) => [
    name,
    requestsPerSecond.toFixed(0),
    p50Ms.toFixed(2),
    p95Ms.toFixed(2),
  ]);
  const [least, largest] = between.map((ratio) => ratio.toFixed(2));
  return [
    `Node ${node}, ${engine}; lists of ${LIMIT} tasks by the serving side, ${connections} connections, ${rounds} rounds in turn.\n`,
    table([["", "requests/s", "p50 ms", "p95 ms"], ...rows]),
    `\nthroughput with / without: ${throughput.toFixed(3)} (pairs between ${least} and ${largest})`,
    `\nAims\n${aimsTable(aims)}`,
    "",
  ].join("\n");
}
