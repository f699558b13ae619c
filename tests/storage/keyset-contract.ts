import { LAST_ID, newId } from "@mosaicstack/foundation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "@mosaicstack/storage";

/** As EXPLAIN (FORMAT JSON) gives a plan. */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Scan Direction"?: string;
  readonly "Parent Relationship"?: string;
  readonly Plans?: readonly PlanNode[];
}

const SPACES = 8;
const ROWS_A_SPACE = 500;
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
 */
export function keysetContract(open: () => Promise<Store>, { analyzed }: { readonly analyzed: boolean }): void {
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
         select md5(owner::text || number || $2)::uuid, owner, now(), now() - number * interval '1 minute',
           ${columns.replace(/\w+/g, "'x'")}
         from unnest($1::uuid[]) as owner, generate_series(1, ${ROWS_A_SPACE}) as number`,
        [spaces, table],
      );
      if (analyzed) await store.query(`analyze ${table}`, []);
    }
  });
  afterAll(() => store.close());

  async function planOf(sql: string, parameters: readonly unknown[]): Promise<PlanNode> {
    const [row] = await store
      .query<{ plan: readonly [{ readonly Plan: PlanNode }] }>(`explain (format json) ${sql}`, parameters)
      .then((rows) =>
        rows.map((found) => ({ plan: Object.values(found)[0] as readonly [{ readonly Plan: PlanNode }] })),
      );
    if (row === undefined) throw new Error("no plan");
    return row.plan[0].Plan;
  }

  const orders = {
    id: { order: "id desc", after: "id < $2", index: "id", parameters: [LAST_ID] },
    updated_at: {
      order: "updated_at desc, id desc",
      after: "(updated_at, id) < ($2::timestamptz, $3::uuid)",
      index: "updated_at_id",
      parameters: [new Date(8_000_000_000_000), LAST_ID],
    },
  } as const;

  describe.each(Object.keys(TABLES))("a page of %s", (table) => {
    describe.each(Object.entries(orders))("newest by %s", (_, { order, after, index, parameters }) => {
      const page = (space: string) =>
        `select id from ${table} where space_id = ${space} and ${after} order by ${order} limit 50`;

      test("of one space walks the index backward, without a sort", async () => {
        const plan = await planOf(page("$1"), [spaces[3], ...parameters]);
        expect(nodes(plan).map((node) => node["Node Type"])).not.toContain("Sort");
        expectBackwardScan(plan, `${table}_space_id_${index}`);
      });

      test("of several spaces does so in each", async () => {
        const blended = `select page.id from unnest($1::uuid[]) as space (id)
          cross join lateral (${page("space.id")}) as page order by page.id desc limit 50`;
        const plan = await planOf(blended, [spaces, ...parameters]);
        const perSpace = nodes(plan).find(
          (node) =>
            node["Node Type"] === "Limit" && node["Parent Relationship"] !== undefined && isBelowJoin(plan, node),
        );
        if (perSpace === undefined) throw new Error(`no limit per space in ${JSON.stringify(plan)}`);
        expect(nodes(perSpace).map((node) => node["Node Type"])).not.toContain("Sort");
        expectBackwardScan(perSpace, `${table}_space_id_${index}`);
      });
    });
  });
}

function nodes(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodes)];
}

function isBelowJoin(plan: PlanNode, wanted: PlanNode): boolean {
  return nodes(plan).some((node) => node["Node Type"] === "Nested Loop" && nodes(node).includes(wanted));
}

function expectBackwardScan(plan: PlanNode, index: string): void {
  const scans = nodes(plan).filter((node) => node["Index Name"] !== undefined);
  expect(scans.map((node) => [node["Index Name"], node["Scan Direction"]])).toEqual([[index, "Backward"]]);
}
