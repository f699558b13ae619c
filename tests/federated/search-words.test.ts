import { newId } from "@mosaicstack/foundation";
import { openPostgres } from "@mosaicstack/storage";
import pg from "pg";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { searchWordsContract } from "../storage/search-words-contract.ts";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

describe("words of titles on PostgreSQL", () => {
  let database: FreshDatabase | undefined;
  afterAll(() => database?.drop());

  searchWordsContract(async () => {
    database = await freshDatabase();
    return openPostgres(database.address);
  });
});

describe("words of titles that several write at once", () => {
  const user = newId();
  let database: FreshDatabase;
  let clients: readonly pg.Client[] = [];
  beforeEach(async () => {
    database = await freshDatabase();
    await (await openPostgres(database.address)).close();
    await database.run(`insert into users (id, name, email) values ('${user}', 'Ada', 'ada@example.org')`);
    clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        return client;
      }),
    );
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await database.drop();
  });

  const add = (client: pg.Client, titles: readonly string[]) =>
    client.query(
      `insert into tasks (id, owner_id, title, created_at, updated_at)
       select id, $1, title, now(), now() from unnest($2::uuid[], $3::text[]) as made (id, title)`,
      [user, titles.map(() => newId()), titles],
    );
  const words = async () =>
    (await database.run<{ word: string }>("select word from search_words order by 1")).map(({ word }) => word);

  test("a word whose last title goes while another is written with it stays", async () => {
    const [one, other] = clients as [pg.Client, pg.Client];
    await add(one, ["walnut"]);
    await one.query("begin");
    await add(one, ["walnut table"]);
    // It sees no other title with the word, and waits.
    const deletion = other.query("delete from tasks where title = 'walnut'");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await one.query("commit");
    await deletion;
    expect(await words()).toEqual(["table", "walnut"]);
  });

  test("a word that is written while its last title goes is there", async () => {
    const [one, other] = clients as [pg.Client, pg.Client];
    await add(one, ["walnut"]);
    await one.query("begin");
    await one.query("delete from tasks");
    const addition = add(other, ["walnut"]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await one.query("commit");
    await addition;
    expect(await words()).toEqual(["walnut"]);
  });

  test("imports of the same words in any order do not stop each other", async () => {
    const titles = Array.from({ length: 200 }, (_, index) => `word${index} walnut${index} oak${index}`);
    for (let round = 0; round < 5; round += 1) {
      const orders = [titles, titles.toReversed(), titles.toSorted((a, b) => (a.slice(-1) < b.slice(-1) ? -1 : 1))];
      await Promise.all(clients.map((client, index) => add(client, orders[index % 3] ?? titles)));
      expect(await words()).toHaveLength(600);
      await database.run("delete from tasks");
      expect(await words()).toEqual([]);
    }
  });
});
