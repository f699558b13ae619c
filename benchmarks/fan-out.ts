import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { verbPath } from "@mosaicstack/federation-protocol";
import { makeDatabase, versionOf } from "./databases.ts";
import { median, percentile } from "./figures.ts";
import { fillUp, THROUGH_REST } from "./fill-up.ts";
import { launchedFrom, makeHome, startGateway, startScript } from "./gateway.ts";
import { type Client, openClient, type Target } from "./load.ts";
import type { BenchOptions } from "./options.ts";
import { type Aim, aimsTable, table } from "./report.ts";
import { say } from "./say.ts";
import type { PeersInput, PeersReady } from "./scripted-peers-process.ts";
import { addPeer, addTasks, enroll, setUp } from "./seed.ts";
import { LIMIT } from "./stage.ts";
import { createUndo } from "./undo.ts";

/** A list blended of ten peers, against the slowest of them; what `--json` prints. */
export interface FanOutReport {
  readonly node: string;
  readonly engine: string;
  readonly launchedFrom: string;
  readonly delaysMs: readonly number[];
  readonly requests: number;
  readonly lines: readonly { readonly name: string; readonly p50Ms: number; readonly p95Ms: number }[];
  /** The median of each blended list's difference to the slowest peer's answer right before it. */
  readonly aboveSlowestMs: number;
  readonly aims: readonly Aim[];
}

const DELAYS_MS = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
const ABOVE_MS = 15;
const WARM_UP = 20;
const SLOWEST = "the slowest peer, asked directly";
const TOGETHER = "all ten, asked directly side by side";
const ONE = "home: the slowest alone";
const ALL = "home: source=all";

/** Ten peers that answer after a fixed time each, in one process; the same list of all and of the slowest, in turn. */
export async function measureFanOut(folder: string, options: BenchOptions): Promise<FanOutReport> {
  const { databaseUrl, requests, tasks } = options;
  const undo = createUndo();
  try {
    const database = databaseUrl === undefined ? undefined : await makeDatabase(databaseUrl, "fan_out");
    if (database !== undefined) undo.add(() => database.drop());
    const input: PeersInput = { delaysMs: DELAYS_MS, rows: LIMIT };
    const scripted = await undo.own(
      startScript("scripted-peers-process.ts", JSON.stringify(input), join(folder, "peers")),
    );
    const { peers } = JSON.parse(scripted.printed) as PeersReady;
    const home = await makeHome(join(folder, "home"), "federated", database?.url);
    const gateway = await undo.own(startGateway(home));
    const account = await setUp(home.url, gateway.printed);
    say(`seeding ${tasks} tasks`);
    await addTasks(account, {
      count: database === undefined ? tasks : Math.min(tasks, THROUGH_REST),
      inTeams: false,
      phaseMs: 0,
    });
    if (database !== undefined) await fillUp(database.url, { tasks });

    const open = (target: Target): Client => {
      const client = openClient(target, 1);
      undo.add(async () => client.close());
      return client;
    };
    const direct: Client[] = [];
    for (const [index, { invites }] of peers.entries()) {
      await addPeer(account, invites[0], nameOf(index));
      const { endpoint, rootPem, cert, key } = await enroll(invites[1]);
      direct.push(
        open({
          url: `${endpoint}${verbPath("list")}`,
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ resource: "tasks", limit: LIMIT }),
          tls: { ca: rootPem, cert, key },
        }),
      );
    }
    const through = (source: string): Client =>
      open({
        url: `${home.url}/api/v1/tasks?limit=${LIMIT}&source=${source}`,
        method: "GET",
        headers: { authorization: `Bearer ${account.apiKey}` },
      });
    const slowest = direct.at(-1);
    if (slowest === undefined) throw new Error("there are ten peers");
    const [one, all] = [through(`federated:${nameOf(peers.length - 1)}`), through("all")];
    const kinds: readonly { readonly name: string; readonly ask: () => Promise<unknown> }[] = [
      { name: SLOWEST, ask: () => slowest.ask() },
      { name: TOGETHER, ask: () => Promise.all(direct.map((client) => client.ask())) },
      { name: ONE, ask: () => one.ask() },
      { name: ALL, ask: () => all.ask() },
    ];
    requireWhole(await all.ask(), peers.length);
    const times = kinds.map((): number[] => []);
    for (let turn = -WARM_UP; turn < requests; turn += 1) {
      if (turn % 50 === 0) say(`list ${turn} of ${requests}`);
      for (const [index, { ask }] of kinds.entries()) {
        const startedAt = performance.now();
        await ask();
        if (turn >= 0) times[index]?.push(performance.now() - startedAt);
      }
    }
    const of = (wanted: string): readonly number[] => times[kinds.findIndex(({ name }) => name === wanted)] ?? [];
    const aboveSlowestMs = median(of(ALL).map((took, turn) => took - (of(SLOWEST)[turn] ?? Number.NaN)));
    return {
      node: process.version,
      engine: databaseUrl === undefined ? "PGlite" : await versionOf(databaseUrl),
      launchedFrom: databaseUrl === undefined ? launchedFrom() : "the sources, through tsx",
      delaysMs: DELAYS_MS,
      requests,
      lines: kinds.map(({ name }) => {
        const sorted = of(name).toSorted((left, right) => left - right);
        return { name, p50Ms: percentile(sorted, 50), p95Ms: percentile(sorted, 95) };
      }),
      aboveSlowestMs,
      aims: [
        {
          name: "ten peers blended, above the slowest",
          aim: `<= ${ABOVE_MS} ms`,
          measured: `${aboveSlowestMs.toFixed(1)} ms`,
          reached: aboveSlowestMs <= ABOVE_MS,
        },
      ],
    };
  } finally {
    await undo.run();
  }
}

const nameOf = (index: number): string => `peer-${index}`;

/** A benchmark of half an answer measures nothing. */
function requireWhole(text: string, peers: number): void {
  const { partial, sources } = JSON.parse(text) as { partial: boolean; sources: readonly unknown[] };
  if (partial || sources.length !== peers + 1) throw new Error(`not all have answered: ${text.slice(-1000)}`);
}

/** What is printed for people. */
export function fanOutText(report: FanOutReport): string {
  const { node, engine, delaysMs, requests, lines, aboveSlowestMs, aims } = report;
  const rows = lines.map(({ name, p50Ms, p95Ms }) => [name, p50Ms.toFixed(1), p95Ms.toFixed(1)]);
  return [
    `Node ${node}, ${engine}; gateway started from ${report.launchedFrom}.`,
    `Ten peers that answer after ${delaysMs[0]} to ${delaysMs.at(-1)} ms, ${LIMIT} rows each; ${requests} of each kind, in turn.\n`,
    table([["", "p50 ms", "p95 ms"], ...rows]),
    `\nblended, above the slowest peer: ${aboveSlowestMs.toFixed(1)} ms (median of the differences)`,
    `\nAims\n${aimsTable(aims)}`,
    "",
  ].join("\n");
}
