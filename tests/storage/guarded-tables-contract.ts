import { type ResourceDefinition, registry } from "@mosaicstack/resources";
import { GUARDED_TABLES, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/**
 * Whatever may be read through the registry stands behind the second wall: its table is on the list that each start is held to, and
 * has its policies in this database.
 *
 * @param open a federated gateway's store
 */
export function guardedTablesContract(open: () => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());

  /** What keeps each definition's table from being guarded. */
  async function gaps(definitions: readonly ResourceDefinition[]): Promise<readonly string[]> {
    const rows = await store.query<{ name: string; policies: string[] }>(
      `select relname as name, coalesce(array_agg(polname::text order by polname) filter (where relrowsecurity and polname is not null), '{}') as policies
       from pg_class left join pg_policy on polrelid = pg_class.oid
       where relnamespace = 'public'::regnamespace and relkind = 'r' group by relname`,
      [],
    );
    const policies = new Map(rows.map(({ name, policies: names }) => [name, names.join()]));
    return definitions.flatMap(({ from: { table } }) => [
      ...(GUARDED_TABLES.includes(table) ? [] : [`${table} is not on the list`]),
      ...(policies.get(table) === "native_use,peer_bounds" ? [] : [`${table} has no policies`]),
    ]);
  }

  describe("every resource's table", () => {
    test("is guarded by the second wall, on the list and in the database", async () => {
      expect(registry.length).toBeGreaterThanOrEqual(5);
      expect(await gaps(registry)).toEqual([]);
    });

    test("and a planted resource over another table is caught", async () => {
      const planted = { ...registry[0]!, name: "planted", from: { table: "sessions", space: "user_id" } };
      expect(await gaps([...registry, planted])).toEqual(["sessions is not on the list", "sessions has no policies"]);
    });

    test("as are memberships, which the bounds of teams are made of", () => {
      const read = new Set([...registry.map(({ from }) => from.table), "team_members"]);
      expect([...GUARDED_TABLES].toSorted()).toEqual([...read].toSorted());
    });
  });
}
