import { newId } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import { everythingOf, findCandidates, readFound, searchable } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";

const [mallory, other] = [newId(), newId()];
const notes = searchable.filter(({ name }) => name === "notes");
let store: Store;
beforeAll(async () => {
  store = await openTestStore();
  const person = "insert into users (id, name, email) values ($1, $2, $2 || '@example.org')";
  for (const [id, name] of [
    [mallory, "mallory"],
    [other, "other"],
  ] as const)
    await store.query(person, [id, name]);
  // Others write of layoffs in each of so many rows, and of nothing else.
  for (let from = 1; from <= 21_000; from += 7_000) await addNotes(other, 7_000, "'layoffs'");
  await addNotes(mallory, 1, "'layoffs'");
  await addNotes(mallory, 1, "'picnic'");
  await addNotes(mallory, 30, "repeat('größe änderung ', 10000) || n");
  await store.db.execute("analyze");
}, 120_000);
afterAll(() => store.close());

async function addNotes(owner: string, count: number, body: string): Promise<void> {
  await store.query(
    `insert into notes (id, owner_id, title, body, created_at, updated_at)
     select gen_random_uuid(), $1, 'note', ${body}, now(), now() from generate_series(1, $2::int) n`,
    [owner, count],
  );
}

async function search(text: string): Promise<number> {
  const query = { text, resources: notes, visibility: everythingOf(mallory) };
  return (await readFound(store, query, await findCandidates(store, query), 100, "federated")).rows.length;
}

test("whether a word finds one's own row does not depend on how many rows of others have it", async () => {
  expect(await search("zzzz picnic")).toBe(1);
  expect(await search("zzzz layoffs")).toBe(1);
});

test("where more than 20,000 rows are visible, a word by itself finds the same whatever others write", async () => {
  await addNotes(other, 3, "'zebra crossing'");
  const found = async (text: string) =>
    await findCandidates(store, { text, resources: notes, visibility: everythingOf(other) });
  const [before, misspelt] = [await found("zebra"), await found("zebbra")];
  expect(before).toHaveLength(3);
  await addNotes(mallory, 5_000, "'zebra'");
  await store.db.execute("analyze");
  expect(await found("zebra")).toEqual(before);
  expect(await found("zebbra")).toEqual(misspelt);
}, 120_000);

test("long texts are made small once a row, and not once for each word of a query", async () => {
  const words = Array.from({ length: 15 }, (_, index) => `größe or w${index}`);
  const took = async (text: string): Promise<number> => {
    const times: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const startedAt = performance.now();
      expect(await search(text)).toBe(30);
      times.push(performance.now() - startedAt);
    }
    return Math.min(...times);
  };
  const one = await took("größe");
  expect(await took(words.join(" "))).toBeLessThan(6 * one);
}, 120_000);
