import { performance } from "node:perf_hooks";
import { everythingOf, findCandidates, readFound, searchable } from "@mosaicstack/resources";
import { openPostgres, type PeerBounds, type ReadStore, type Store } from "@mosaicstack/storage";
import { startPrivatePostgresql } from "../scripts/services/private-instances.ts";
import { addressOf, makeDatabase } from "./databases.ts";
import { percentile } from "./figures.ts";
import { fillWithText, type TextRows, vocabulary } from "./text-rows.ts";

/** How long searches of one kind take, asked one after the other. */
export interface LatencyFigures {
  readonly kind: string;
  readonly searches: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** All kinds together, each as often as another; those of misspelt titles apart. */
export const SPELT_RIGHT = "all that are spelt right";
export const MISSPELT = "a misspelt title";
const BY_A_PEER = ", by a peer";
/** What the aims are of. */
export const JUDGED: readonly string[] = [SPELT_RIGHT, MISSPELT].flatMap((kind) => [kind, kind + BY_A_PEER]);

const ROWS_WANTED = 20;
/** Statements of the fill may take longer than a gateway's may. */
const FILL_TIMEOUT_MS = 3_600_000;

type Sample = TextRows["sample"][number];

const pick = (text: string, from: number, to: number): string => text.split(" ").slice(from, to).join(" ");
/** The second and third letter of a word change places. */
const misspell = (word: string): string => word.replace(/^(.)(.)(.)/u, "$1$3$2");

function kinds(): Readonly<Record<string, (sample: Sample, index: number) => string>> {
  const words = vocabulary();
  return {
    "three words of a title": ({ title }) => pick(title, 0, 3),
    "four words of a text": ({ body }) => pick(body, 3, 7),
    "twelve words of a text": ({ body }) => pick(body, 0, 12),
    "one word of a title": ({ title }) => pick(title, 2, 3),
    "one of the commonest words": (_, index) => words[index % 10] ?? "",
    [MISSPELT]: ({ title }) => `${pick(title, 0, 2)} ${misspell(pick(title, 2, 3))}`,
  };
}

/**
 * Searches so many rows of text as a user who sees half of them, on a PostgreSQL of its own with its ordinary settings:
 * candidates and rows, as a gateway reads them, without HTTP. And as a peer with all of that user's rights, behind both walls.
 *
 * @param searches of each kind
 */
export async function measureSearchLatency(rows: number, searches: number): Promise<readonly LatencyFigures[]> {
  const server = await startPrivatePostgresql();
  try {
    const database = await makeDatabase(server.url, "search");
    const text = await withStore(database.url, FILL_TIMEOUT_MS, (store) => fillWithText(store, rows, searches * 2));
    return await withStore(database.url, 30_000, (store) => timeSearches(store, text, searches));
  } finally {
    await server.stop();
  }
}

async function withStore<Result>(url: string, statementTimeoutMs: number, work: (store: Store) => Promise<Result>) {
  const store = await openPostgres({ ...addressOf(url), statementTimeoutMs, vector: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The kinds in turn, so that whatever else the machine does meets all. The first half of the sample warms up. */
export async function timeSearches(store: Store, text: TextRows, searches: number): Promise<readonly LatencyFigures[]> {
  const times = new Map<string, number[]>();
  const visibility = everythingOf(text.userId);
  const resources = searchable.map(({ from }) => from.table);
  const bounds: PeerBounds = { subjectUserId: text.userId, personal: true, teams: "all", resources };
  for (const [index, sample] of text.sample.entries()) {
    const time = async (kind: string, search: () => Promise<unknown>): Promise<void> => {
      const began = performance.now();
      await search();
      if (index < text.sample.length - searches) return;
      times.set(kind, [...(times.get(kind) ?? []), performance.now() - began]);
    };
    for (const [kind, queryOf] of Object.entries(kinds())) {
      const query = { text: queryOf(sample, index), resources: searchable, visibility };
      await time(kind, async () => readFound(store, query, await findCandidates(store, query), ROWS_WANTED, "native"));
      await time(kind + BY_A_PEER, () =>
        store.readAsPeer(bounds, async (read) => {
          const before: ReadStore = { query: (sql, parameters) => read.findCandidates(sql, parameters) };
          await readFound(read, query, await findCandidates(before, query), ROWS_WANTED, "federated");
        }),
      );
    }
  }
  const figures = (kind: string, all: readonly number[]): LatencyFigures => {
    const sorted = all.toSorted((one, other) => one - other);
    return { kind, searches: all.length, p50Ms: percentile(sorted, 50), p95Ms: percentile(sorted, 95) };
  };
  const own = [...times].filter(([kind]) => !kind.endsWith(BY_A_PEER));
  const together = ["", BY_A_PEER].map((whose) => {
    const right = own.filter(([kind]) => kind !== MISSPELT).flatMap(([kind]) => times.get(kind + whose) ?? []);
    return figures(SPELT_RIGHT + whose, right);
  });
  const misspelt = MISSPELT + BY_A_PEER;
  return [...own.map(([kind, all]) => figures(kind, all)), figures(misspelt, times.get(misspelt) ?? []), ...together];
}
