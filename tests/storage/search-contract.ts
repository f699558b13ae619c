import { newId } from "@mosaicstack/foundation";
import { everythingOf, findCandidates, readFound, searchable, type SearchableResource } from "@mosaicstack/resources";
import type { ReadStore, Store } from "@mosaicstack/storage";
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

const OF_THE_NEWCOMER = [
  ["Apple harvest", "From the orchard to the cellar"],
  ["Pears and plums", `A ${COMMON} harvest`],
  ["Apples", "They keep until spring"],
] as const;

const nodes = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

/**
 * A search reads an index, and not every row: whatever is asked, of a table that has many.
 *
 * @param open an empty database
 */
export function searchContract(open: () => Promise<Store>): void {
  let store: Store;
  const user = newId();
  /** Sees few rows, 200, in which the words of others are and are not. */
  const newcomer = newId();
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
    await store.query("insert into users (id, name, email) values ($1, 'New', 'new@example.org')", [newcomer]);
    for (const [title, body] of OF_THE_NEWCOMER) {
      await store.query(
        "insert into notes (id, owner_id, title, body, created_at, updated_at) values ($1, $2, $3, $4, now(), now())",
        [newId(), newcomer, title, body],
      );
    }
    // As many as are looked at, so that for a rare word its index would be sooner done.
    await store.query(
      `insert into notes (id, owner_id, title, body, created_at, updated_at)
       select gen_random_uuid(), $1, 'Ledger', 'Page ' || n, now(), now() from generate_series(1, 197) as n`,
      [newcomer],
    );
    await store.query("vacuum analyze notes", []);
  });
  afterAll(() => store.close());

  /** The plans of the very statements a search runs, and what it found. */
  async function plansOf(text: string, resources: readonly SearchableResource[] = notes, asker = user) {
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
    const query = { text, resources, visibility: everythingOf(asker) };
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
    const newest = await store.query<{ id: string }>(
      "select id::text from notes where owner_id = $1 order by id desc limit 200",
      [user],
    );
    expect(found.map(({ id }) => id).toSorted()).toEqual(newest.map(({ id }) => id).toSorted());
  });

  test.each([
    ["a rare word of others", RARE],
    ["a word nobody has", "quixotic"],
    ["words of few own rows and of all others'", `${COMMON} harvest`],
    ["a misspelt title", "harvset"],
    ["more words than an index is asked for", `${COMMON} ${RARE} nowhere harvest apples orchard`],
  ])("for %s looks at no index of words where few rows are visible: others' rows cost no time", async (_, text) => {
    const { scans } = await plansOf(text, notes, newcomer);
    expect(scans.length).toBeGreaterThan(0);
    expect(scans.flatMap((node) => node["Index Name"] ?? [])).not.toContain("notes_search_document");
    expect(scans.filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === "notes")).toEqual([]);
  });

  test.each([
    "harvest",
    "harvest apples",
    "apples nowhere",
    "nowhere",
    "harvset",
    "aples harvset",
    `${COMMON} harvest`,
    `${COMMON} ${RARE} nowhere harvest apples orchard`,
    '"apple harvest"',
    "harvest -pears",
    "pears or plums",
    "the",
  ])("for %j finds the same among few rows as by the index of words", async (text) => {
    const query = { text, resources: notes, visibility: everythingOf(newcomer) };
    let wereCounted = false;
    const byIndex: ReadStore = {
      query: async (sql, parameters) => {
        const never = sql.replace(/count\(\*\) <= \d+/u, "count(*) < 0");
        wereCounted ||= never !== sql;
        return await store.query(never, parameters);
      },
    };
    const found = await findCandidates(store, query);
    expect(found).toEqual(await findCandidates(byIndex, query));
    expect(wereCounted).toBe(true);
  });

  test("finds among few rows those that have the word, and none of others", async () => {
    expect((await plansOf("harvest", notes, newcomer)).found).toHaveLength(2);
    expect((await plansOf(COMMON, notes, newcomer)).found).toHaveLength(1);
    expect((await plansOf(RARE, notes, newcomer)).found).toEqual([]);
  });

  test("plans a word by how common it is, however often another was asked", async () => {
    for (let time = 0; time < 8; time += 1) await plansOf(RARE);
    const began = performance.now();
    const { scans } = await plansOf(COMMON);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(scans.flatMap((node) => node["Index Name"] ?? [])).not.toContain("notes_search_document");
  });
}
