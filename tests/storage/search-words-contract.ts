import { newId } from "@mosaicstack/foundation";
import { everythingOf, findCandidates, searchable } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

type Resource = "tasks" | "notes" | "credentials";

const TITLE: Readonly<Record<Resource, string>> = { tasks: "title", notes: "title", credentials: "name" };
/** What a row of it must have beside its title. */
const REST: Readonly<Record<Resource, readonly [columns: string, values: string]>> = {
  tasks: ["", ""],
  notes: [", body", ", 'nothing'"],
  credentials: [", kind, sealed_secret", ", 'password', 'sealed'"],
};

// Forms of one stem, words alike, one in parts, and some that full text leaves out.
const WORDS =
  "cluster clusters clustering custer walnut walnuts wallnut kube-proxy proxy proxies v1.29 the with größe".split(" ");
const LEFT_OUT = ["the", "with"];

/** As PostgreSQL takes them apart, too: a word in parts is itself and its parts. */
function partsOf(word: string): readonly string[] {
  return word === "kube-proxy" ? ["kube-proxy", "kube", "proxy"] : [word];
}

const resource = fc.constantFrom<Resource>("tasks", "notes", "credentials");
const title = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));
const space = fc.nat({ max: 2 });

interface Row {
  readonly resource: Resource;
  readonly id: string;
  space: number;
  title: string;
}

/**
 * The words of titles are those of the titles there are, space by space; what was meant by a misspelt word is found among them, and
 * among those alone that the asker sees.
 *
 * @param open an empty database
 */
export function searchWordsContract(open: () => Promise<Store>): void {
  let store: Store;
  /** The first is a person's own space, the others are teams' that they are not in. */
  const spaces = [newId(), newId(), newId()] as const;
  const [me] = spaces;

  beforeAll(async () => {
    store = await open();
    await store.query("insert into users (id, name, email) values ($1, 'Reader', 'reader@example.org')", [me]);
    await store.query(
      "insert into teams (id, name, created_at, updated_at) select id, id::text, now(), now() from unnest($1::uuid[]) as id",
      [spaces.slice(1)],
    );
  });
  afterAll(() => store.close());

  /** In one statement. */
  async function add(rows: readonly Row[]): Promise<void> {
    for (const name of Object.keys(TITLE) as Resource[]) {
      const some = rows.filter((row) => row.resource === name);
      const [columns, values] = REST[name];
      await store.query(
        `insert into ${name} (id, owner_id, team_id, ${TITLE[name]}, created_at, updated_at${columns})
         select id, case when space = $2 then $2 end, case when space <> $2 then space end, title, now(), now()${values}
         from unnest($1::uuid[], $3::uuid[], $4::text[]) as made (id, space, title)`,
        [some.map(({ id }) => id), me, some.map((row) => spaces[row.space]), some.map((row) => row.title)],
      );
    }
  }

  async function clear(): Promise<void> {
    for (const name of Object.keys(TITLE)) await store.query(`delete from ${name}`, []);
  }

  const made = (row: Omit<Row, "id">): Row => ({ ...row, id: newId() });

  async function find(text: string, resources: readonly string[] = Object.keys(TITLE)): Promise<readonly string[]> {
    const found = await findCandidates(store, {
      text,
      resources: searchable.filter(({ name }) => resources.includes(name)),
      visibility: everythingOf(me),
    });
    return found.map(({ id, score }) => `${id} ${score}`);
  }

  describe("the words of titles", () => {
    async function kept(): Promise<readonly string[]> {
      const rows = await store.query<{ word: string }>(
        "select resource || ' ' || space_id || ' ' || word as word from search_words where word <> all ($1::text[])",
        [LEFT_OUT],
      );
      return rows.map(({ word }) => word).toSorted();
    }

    const step = fc.oneof(
      fc.record({ add: fc.array(fc.record({ resource, space, title }), { maxLength: 4 }) }),
      fc.record({ rename: fc.nat(), title }),
      fc.record({ move: fc.nat(), space }),
      fc.record({ remove: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }) }),
    );

    test("are exactly those of the titles there are, whatever is written, renamed, moved and deleted", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
          await clear();
          let rows: Row[] = [];
          for (const one of steps) {
            if ("add" in one) {
              const added = one.add.map(made);
              await add(added);
              rows.push(...added);
            } else if ("remove" in one) {
              const had = rows;
              const gone = new Set(one.remove.map((index) => had[index % Math.max(1, had.length)]?.id));
              for (const name of Object.keys(TITLE))
                await store.query(`delete from ${name} where id = any($1::uuid[])`, [[...gone].filter(Boolean)]);
              rows = rows.filter(({ id }) => !gone.has(id));
            } else {
              const row = rows[("rename" in one ? one.rename : one.move) % Math.max(1, rows.length)];
              if (row === undefined) continue;
              if ("rename" in one) row.title = one.title;
              else row.space = one.space;
              await store.query(
                `update ${row.resource} set ${TITLE[row.resource]} = $2,
                   owner_id = case when $3::uuid = $4 then $4 end, team_id = case when $3::uuid <> $4 then $3::uuid end
                 where id = $1`,
                [row.id, row.title, spaces[row.space], me],
              );
            }
          }
          const expected = rows.flatMap((row) =>
            row.title
              .split(" ")
              .flatMap(partsOf)
              .filter((word) => !LEFT_OUT.includes(word))
              .map((word) => `${row.resource} ${spaces[row.space]} ${word}`),
          );
          expect(await kept()).toEqual([...new Set(expected)].toSorted());
        }),
        { numRuns: 60 },
      );
    });

    test("stay where only something else of a row changes, and are not looked at then", async () => {
      await clear();
      const row = made({ resource: "tasks", space: 0, title: "walnut" });
      await add([row]);
      await store.query("delete from search_words", []);
      await store.query("update tasks set status = 'done', title = title where id = $1", [row.id]);
      expect(await kept()).toEqual([]);
    });
  });

  describe("a misspelt word", () => {
    const rowsOf = (titles: readonly string[]) =>
      titles.map((one) => made({ resource: "notes", space: 0, title: one }));

    test.each([
      ["letters that changed places", "clutser", "cluster"],
      ["in a short word", "prxoy", "proxy"],
      ["its first letter wrong", "vluster", "cluster"],
      ["a letter left out", "kuberntes", "kubernetes"],
      ["a letter too many", "wallnutt", "walnut"],
      ["two letters wrong in a long one", "authentikasion", "authentication"],
      ["its end wrong, where no stem is left", "autoscalign", "autoscaling"],
      ["its beginning alone", "kubern", "kubernetes"],
      ["in upper case", "GRÖSSE", "größe"],
    ])("is found: %s", async (_, misspelt, meant) => {
      await clear();
      const rows = rowsOf([`A ${meant} here`, "Something else", "Ordinary days"]);
      await add(rows);
      expect((await find(misspelt)).map((one) => one.split(" ")[0])).toEqual([rows[0]?.id]);
    });

    test("finds first the row that has the other words as well", async () => {
      await clear();
      const rows = rowsOf(["Walnut cluster", "Oak cluster", "Walnut table", "Beech"]);
      await add(rows);
      const found = await find("walnut clutser");
      expect(found.map((one) => rows.findIndex(({ id }) => one.startsWith(id)))[0]).toBe(0);
      expect(found).toHaveLength(3);
    });

    test("finds nothing by what a deleted title or a former one had", async () => {
      await clear();
      const rows = rowsOf(["Quetzalcoatlus", "Pterodactyl"]);
      await add(rows);
      expect(await find("quetzalcoatlsu")).toHaveLength(1);
      await store.query("delete from notes where id = $1", [rows[0]?.id]);
      await store.query("update notes set title = 'Bird' where id = $1", [rows[1]?.id]);
      expect(await find("quetzalcoatlsu")).toEqual([]);
      expect(await find("pterodactly")).toEqual([]);
    });

    test("what others write, or I in what is not searched, never changes what is found", async () => {
      const misspelt = fc.constantFrom(
        "clutser",
        "walntu table",
        "prxoy",
        "kube-prxoy walnut",
        "gröse",
        "custre wallnt",
      );
      const foreign = fc.oneof(
        fc.record({ resource, space: fc.integer({ min: 1, max: 2 }), title }),
        // Mine, but tasks and credentials are not asked for.
        fc.record({ resource: fc.constantFrom<Resource>("tasks", "credentials"), space: fc.constant(0), title }),
      );
      await fc.assert(
        fc.asyncProperty(
          fc.array(title, { maxLength: 5 }),
          fc.array(foreign, { minLength: 1, maxLength: 12 }),
          misspelt,
          async (mine, theirs, text) => {
            await clear();
            await add(rowsOf(mine));
            const alone = await find(text, ["notes"]);
            await add(theirs.map(made));
            expect(await find(text, ["notes"])).toEqual(alone);
          },
        ),
        { numRuns: 60 },
      );
    });

    test("is found beside thousands of others' words that are more alike", async () => {
      await clear();
      const rows = rowsOf(["Kustomize"]);
      await add(rows);
      const alike = Array.from({ length: 3_000 }, (_, index) => `kusotmize${index}`);
      await add(
        alike.map((one, index) => made({ resource: "notes", space: 1 + (index % 2), title: `Kusotmize ${one}` })),
      );
      expect((await find("Kusotmize")).map((one) => one.split(" ")[0])).toEqual([rows[0]?.id]);
    });
  });
}
