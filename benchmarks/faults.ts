import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type FaultName, faultModes } from "@mosaicstack/harness";
import { makeDatabase, versionOf } from "./databases.ts";
import { median, percentile } from "./figures.ts";
import { fillUp, THROUGH_REST } from "./fill-up.ts";
import { launchedFrom, makeHome, startGateway, startScript } from "./gateway.ts";
import { askOnce, openClient, runRound, type Target } from "./load.ts";
import { runOpenLoop } from "./open-loop.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, table } from "./report.ts";
import { say } from "./say.ts";
import type { PeerOrder, PeersInput, PeersReady } from "./scripted-peers-process.ts";
import { addPeer, addTasks, setUp } from "./seed.ts";
import { LIMIT, PEER } from "./stage.ts";
import { createUndo } from "./undo.ts";

/** What a faulty peer costs reads that do not ask it; what `--json` prints. */
export interface FaultsReport {
  readonly node: string;
  readonly engine: string;
  readonly launchedFrom: string;
  readonly connections: number;
  readonly blendedPerSecond: number;
  readonly rounds: number;
  readonly lines: readonly FaultFigures[];
  readonly aims: readonly Aim[];
}

interface FaultFigures {
  readonly name: FaultName | typeof NOISE;
  /** How most of the blended lists reported the peer meanwhile. */
  readonly reported: string;
  /** The slowest of them. */
  readonly blendedMaxMs: number;
  /** Of local lists; medians over the rounds. */
  readonly healthyP95Ms: number;
  readonly faultyP95Ms: number;
  /** Of the pairs' ratios, the median. */
  readonly ratio: number;
}

const COST = 0.05;
const ROWS = 200;
/** The same healthy peer once more: how far two equal rounds are apart on this machine. */
const NOISE = "none: the noise";
const RECOVERY_MS = 20_000;
/** So that the round begins with the fault in full swing, also where it is the deadline that ends a request. */
const SETTLE_MS = 500;

/**
 * Local lists in a closed loop, while blended lists of the same gateway ask a peer at a steady rate: one round with the peer
 * healthy, one with it failing, in turn, for each way to fail.
 */
export async function measureFaults(folder: string, options: BenchOptions): Promise<FaultsReport> {
  const { databaseUrl, rounds, roundMs, rate: blendedPerSecond, tasks } = options;
  const connections = options.connections[0] ?? 4;
  const undo = createUndo();
  try {
    const database = databaseUrl === undefined ? undefined : await makeDatabase(databaseUrl, "faults");
    if (database !== undefined) undo.add(() => database.drop());
    const input: PeersInput = { delaysMs: [0], rows: ROWS };
    const scripted = await undo.own(
      startScript("scripted-peers-process.ts", JSON.stringify(input), join(folder, "peers")),
    );
    const { control, peers } = JSON.parse(scripted.printed) as PeersReady;
    const home = await makeHome(join(folder, "home"), "federated", database?.url);
    const gateway = await undo.own(startGateway(home));
    const account = await setUp(home.url, gateway.printed);
    say(`seeding ${tasks} tasks`);
    await addTasks(account, {
      count: database === undefined ? tasks : Math.min(tasks, THROUGH_REST),
      inTeams: false,
      phaseMs: 0,
    });
    await addPeer(account, peers[0]?.invites[0] ?? "", PEER);
    if (database !== undefined) await fillUp(database.url, { tasks });

    const targetOf = (source: string): Target => ({
      url: `${home.url}/api/v1/tasks?limit=${LIMIT}&source=${source}`,
      method: "GET",
      headers: { authorization: `Bearer ${account.apiKey}` },
    });
    const order = async (fault: FaultName | null): Promise<void> => {
      await fetch(control, { method: "POST", body: JSON.stringify({ peer: 0, fault } satisfies PeerOrder) });
    };
    const round = async () => {
      const over = new AbortController();
      const client = openClient(targetOf("all"), 256);
      const reports = new Map<string, number>();
      const blended = runOpenLoop(
        client,
        { perSecond: blendedPerSecond, durationMs: 3_600_000, signal: over.signal },
        (text) => {
          const report = reportIn(text);
          reports.set(report, (reports.get(report) ?? 0) + 1);
          return true;
        },
      );
      try {
        await wait(SETTLE_MS);
        const { latenciesMs } = await runRound(targetOf("local"), connections, roundMs);
        over.abort();
        const met = await blended;
        for (const [failure] of met.failures) throw new Error(`a blended list failed: ${failure}`);
        return { p95Ms: percentile(latenciesMs, 95), reports, blendedMaxMs: percentile(met.latenciesMs, 100) };
      } finally {
        over.abort();
        client.close();
      }
    };
    const recovered = async (): Promise<void> => {
      await order(null);
      for (const until = Date.now() + RECOVERY_MS; reportIn(await askOnce(targetOf("all"))) !== "ok"; await wait(50)) {
        if (Date.now() > until) throw new Error("the peer does not work again");
      }
    };

    await recovered();
    await round();
    const modes = [undefined, ...faultModes];
    const pairs = modes.map((): { healthy: Rounded; faulty: Rounded }[] => []);
    for (let turn = 1; turn <= rounds; turn += 1) {
      for (const [index, mode] of modes.entries()) {
        say(`round ${turn} of ${rounds}: ${mode?.name ?? NOISE}`);
        const healthy = await round();
        if (mode !== undefined) await order(mode.name);
        pairs[index]?.push({ healthy, faulty: await round() });
        await recovered();
      }
    }
    const lines = modes.map((mode, index) => figuresOf(mode?.name ?? NOISE, pairs[index] ?? []));
    return {
      node: process.version,
      engine: databaseUrl === undefined ? "PGlite" : await versionOf(databaseUrl),
      launchedFrom: databaseUrl === undefined ? launchedFrom() : "the sources, through tsx",
      connections,
      blendedPerSecond,
      rounds,
      lines,
      aims: lines
        .filter(({ name }) => name !== NOISE)
        .map(({ name, ratio }) => ({
          name: `p95 of local lists, ${name}`,
          aim: `<= ${1 + COST} x a healthy peer's`,
          measured: ratio.toFixed(3),
          reached: ratio <= 1 + COST,
        })),
    };
  } finally {
    await undo.run();
  }
}

interface Rounded {
  readonly p95Ms: number;
  /** How often blended lists reported the peer each way. */
  readonly reports: ReadonlyMap<string, number>;
  readonly blendedMaxMs: number;
}

/** How a blended list reports its peer: `ok`, or status and code. */
function reportIn(text: string): string {
  const { sources } = JSON.parse(text) as {
    sources: readonly { source: string; status: string; error?: { code: string } }[];
  };
  const peer = sources.find(({ source }) => source !== "local");
  return peer?.error === undefined ? (peer?.status ?? "not asked") : `${peer.status} ${peer.error.code}`;
}

function figuresOf(name: FaultFigures["name"], pairs: readonly { healthy: Rounded; faulty: Rounded }[]): FaultFigures {
  const reports = new Map<string, number>();
  for (const { faulty } of pairs) {
    for (const [report, times] of faulty.reports) reports.set(report, (reports.get(report) ?? 0) + times);
  }
  const [most] = [...reports].toSorted(([, one], [, other]) => other - one);
  return {
    name,
    reported: most?.[0] ?? "",
    blendedMaxMs: Math.max(...pairs.map(({ faulty }) => faulty.blendedMaxMs)),
    healthyP95Ms: median(pairs.map(({ healthy }) => healthy.p95Ms)),
    faultyP95Ms: median(pairs.map(({ faulty }) => faulty.p95Ms)),
    ratio: median(pairs.map(({ healthy, faulty }) => faulty.p95Ms / healthy.p95Ms)),
  };
}

/** What is printed for people. */
export function faultsText(report: FaultsReport): string {
  const { node, engine, connections, blendedPerSecond, rounds, lines, aims } = report;
  const rows = lines.map(({ name, reported, blendedMaxMs, healthyP95Ms, faultyP95Ms, ratio }) => [
    name,
    reported,
    blendedMaxMs.toFixed(0),
    healthyP95Ms.toFixed(2),
    faultyP95Ms.toFixed(2),
    ratio.toFixed(3),
  ]);
  return [
    `Node ${node}, ${engine}; gateway started from ${report.launchedFrom}.`,
    `Local lists of ${LIMIT} tasks over ${connections} connections, and ${blendedPerSecond} blended ones a second beside them; ${rounds} pairs of rounds.\n`,
    table([["", "peer reported as", "blended max ms", "local p95 ms, healthy", "failing", "ratio"], ...rows]),
    `\nAims\n${aimsTable(aims)}`,
    "",
  ].join("\n");
}
