import { newId, systemClock } from "@mosaicstack/foundation";
import { createWriter, everythingOf, listRows, resourceNamed } from "@mosaicstack/resources";
import { createSealer, openPostgres, schema, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FreshDatabase, freshDatabase } from "./fresh-database.ts";

let database: FreshDatabase;
let store: Store;
beforeAll(async () => {
  database = await freshDatabase();
  store = await openPostgres(database.address);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

test("of imports that create the same row at once, one creates it and the others find it", async () => {
  const sealer = createSealer({ secret: "a secret of a test, longer than thirty-two characters" });
  const writer = createWriter({ store, sealer, clock: systemClock });
  const tasks = resourceNamed("tasks");
  const ownerId = newId();
  await store.db.insert(schema.users).values({ id: ownerId, name: "Ada", email: "ada@example.org" });
  for (let round = 0; round < 10; round += 1) {
    const row = { ownerId, teamId: null, key: `KEY-${round}`, input: { title: "the same" } };
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => writer.upsert(tasks, row, "apply")));
    expect(outcomes.toSorted((a, b) => a.localeCompare(b))).toEqual([
      "created",
      ...Array.from({ length: 7 }, () => "unchanged"),
    ]);
  }
  const page = await listRows(store, tasks, everythingOf(ownerId), { limit: 50 }, "native");
  expect(page.count).toBe(10);
});
