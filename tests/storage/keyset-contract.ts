import { newId } from "@mosaicstack/foundation";
import { everythingOf, listRows, type ResourceDefinition, registry } from "@mosaicstack/resources";
import type { ReadStore, Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";

/** As EXPLAIN (FORMAT JSON) gives a plan. */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Scan Direction"?: string;
  readonly Plans?: readonly PlanNode[];
}

// Few spaces with many rows, written in the order of their ids as real ones are: the planner then finds the primary key
// tempting, which reads every space's rows.
const SPACES = 3;
const ROWS_A_SPACE = 1300;
const TABLES = {
  tasks: "title",
  notes: "title",
  memories: "content",
  credentials: "name, kind, sealed_secret",
} as const;

/**
 * A page costs as many rows as it shows, however many the spaces hold: the engine walks an index and sorts nothing.
 *
 * @param options.analyzed whether the engine was shown the tables before. It must not matter.
 * @param options.asPeer behind the second wall, whose policies come with each scan. It must not matter either. Default: natively
 */
export function keysetContract(
  open: () => Promise<Store>,
  { analyzed, asPeer = false }: { readonly analyzed: boolean; readonly asPeer?: boolean },
): void {
  let store: Store;
  const spaces = Array.from({ length: SPACES }, () => newId());

  beforeAll(async () => {
    store = await open();
    await store.query(
      "insert into users (id, name, email) select id, id::text, id::text from unnest($1::uuid[]) as id",
      [spaces],
    );
    for (const [table, columns] of Object.entries(TABLES)) {
      await store.query(
        `insert into ${table} (id, owner_id, created_at, updated_at, ${columns})
         select lpad(to_hex(number * ${SPACES} + place), 32, '0')::uuid, owner, now(), now() - number * interval '1 minute',
           ${columns.replace(/\w+/g, "'x'")}
         from unnest($1::uuid[]) with ordinality as spaces (owner, place), generate_series(1, ${ROWS_A_SPACE}) as number
         order by number, place`,
        [spaces],
      );
      if (analyzed) await store.query(`analyze ${table}`, []);
    }
  });
  afterAll(() => store.close());

  async function planOf(read: ReadStore, sql: string, parameters: readonly unknown[]): Promise<PlanNode> {
    const [row] = await read
      .query<{ plan: readonly [{ readonly Plan: PlanNode }] }>(`explain (format json) ${sql}`, parameters)
      .then((rows) =>
        rows.map((found) => ({ plan: Object.values(found)[0] as readonly [{ readonly Plan: PlanNode }] })),
      );
    if (row === undefined) throw new Error("no plan");
    return row.plan[0].Plan;
  }

  /** The plan of the very statement that lists run. */
  async function planOfList(definition: ResourceDefinition, userId: string): Promise<PlanNode> {
    let plan: PlanNode | undefined;
    const list = async (read: ReadStore): Promise<void> => {
      const explaining = {
        async query<Row extends object>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
          plan = await planOf(read, sql, parameters);
          return read.query<Row>(sql, parameters);
        },
      };
      const page = await listRows(explaining, definition, everythingOf(userId), { limit: 50 }, "federated");
      expect([page.count, page.more]).toEqual([50, true]);
    };
    const bounds = { subjectUserId: userId, personal: true, teams: "all", resources: [definition.from.table] } as const;
    await (asPeer ? store.readAsPeer(bounds, list) : list(store));
    if (plan === undefined) throw new Error("no statement was run");
    return plan;
  }

  const stored = registry.filter(({ from }) => from.table in TABLES);
  test.each(stored.map((definition) => [definition.name, definition] as const))(
    "a list of %s walks the index of each space backward",
    async (_name, definition) => {
      const { table } = definition.from;
      for (const space of [spaces[0], spaces[2]]) {
        const plan = await planOfList(definition, space ?? "");
        const scans = nodes(plan).filter((node) => node["Relation Name"] === table);
        expect(scans.map((node) => [node["Index Name"], node["Scan Direction"]])).toEqual([
          [`${table}_space_id_id`, "Backward"],
        ]);
      }
    },
  );
}

function nodes(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)];
}
