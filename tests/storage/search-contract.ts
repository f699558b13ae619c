import { newId } from "@mosaicstack/foundation";
import { everythingOf, findCandidates, readFound, searchable, type SearchableResource } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";

/** As EXPLAIN (FORMAT JSON) gives a plan. */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly Plans?: readonly PlanNode[];
}

const ROWS = 30_000;
/** A word of every row, and one of a single row. */
const COMMON = "ubiquitous";
const RARE = "quetzalcoatlus";

const nodes = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

/**
 * A search reads an index, and not every row: whatever is asked, of a table that has many.
 *
 * @param open an empty database
 */
export function searchContract(open: () => Promise<Store>): void {
  let store: Store;
  const user = newId();
  const rareId = newId();
  const notes = searchable.filter(({ name }) => name === "notes");

  beforeAll(async () => {
    store = await open();
    await store.query("insert into users (id, name, email) values ($1, 'Reader', 'reader@example.org')", [user]);
    for (let from = 1; from <= ROWS; from += 5_000) {
      await store.query(
        `insert into notes (id, owner_id, title, body, created_at, updated_at)
         select lpad(to_hex(n), 32, '0')::uuid, $1, 'Row ' || md5(n::text), '${COMMON} ' || md5((n / 40)::text), now(), now()
         from generate_series($2::int, $3::int) as n`,
        [user, from, from + 4_999],
      );
    }
    await store.query(
      "insert into notes (id, owner_id, title, body, created_at, updated_at) values ($1, $2, $3, $4, now(), now())",
      [rareId, user, `A ${RARE} flies`, `${COMMON} wings`],
    );
    await store.query("vacuum analyze notes", []);
  });
  afterAll(() => store.close());

  /** The plans of the very statements a search runs, and what it found. */
  async function plansOf(text: string, resources: readonly SearchableResource[] = notes) {
    const plans: PlanNode[] = [];
    const explaining = {
      async query<Row extends object>(sql: string, parameters: readonly unknown[]): Promise<Row[]> {
        if (!sql.includes("explain (")) {
          const [row] = await store.query<Record<string, readonly [{ readonly Plan: PlanNode }]>>(
            `explain (format json) ${sql}`,
            parameters,
          );
          const plan = Object.values(row ?? {})[0]?.[0].Plan;
          if (plan !== undefined) plans.push(plan);
        }
        return store.query<Row>(sql, parameters);
      },
    };
    const query = { text, resources, visibility: everythingOf(user) };
    const found = await findCandidates(explaining, query);
    await readFound(explaining, query, found, 20, "federated");
    const scans = plans
      .flatMap(nodes)
      .filter((node) => node["Relation Name"] === "notes" || node["Index Name"] !== undefined);
    return { found, scans };
  }

  test.each([
    ["a rare word", RARE, "notes_search_document"],
    ["a word that every row has", COMMON, "notes_pkey"],
    ["a rare word beside a common one", `${COMMON} ${RARE}`, "notes_search_document"],
    ["words that no row has together", `${RARE} ${COMMON} nowhere`, "notes_search_document"],
    ["a misspelt title", "quetzalcoatlsu", "search_words_keys"],
  ])("for %s reads an index and not the table", async (_, text, index) => {
    const { scans } = await plansOf(text);
    const indexes = scans.flatMap((node) => node["Index Name"] ?? []);
    expect(indexes.some((name) => name === index || (index === "notes_pkey" && name === "notes_space_id_id"))).toBe(
      true,
    );
    expect(scans.filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === "notes")).toEqual([]);
  });

  test.each([
    ["its word", RARE],
    ["its misspelt word", "quetzalcoatlsu"],
    ["its word among words that say little", `${COMMON} ${RARE} nowhere`],
  ])("finds one row among %s", async (_, text) => {
    const { found } = await plansOf(text);
    expect(found[0]).toMatchObject({ resource: "notes", id: rareId });
  });

  test("ranks no more than the newest 200 rows of a word that every row has", async () => {
    const { found } = await plansOf(COMMON);
    const newest = await store.query<{ id: string }>("select id::text from notes order by id desc limit 200", []);
    expect(found.map(({ id }) => id).toSorted()).toEqual(newest.map(({ id }) => id).toSorted());
  });

  test("plans a word by how common it is, however often another was asked", async () => {
    for (let time = 0; time < 8; time += 1) await plansOf(RARE);
    const began = performance.now();
    const { scans } = await plansOf(COMMON);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(scans.flatMap((node) => node["Index Name"] ?? [])).not.toContain("notes_search_document");
  });
}
