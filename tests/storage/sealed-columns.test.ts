import { openTestStore } from "@mosaicstack/harness";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { assertSealKey, countSealedOtherwise, createSealer, sealedColumns, type Store } from "@mosaicstack/storage";
import { sealedRows } from "./sealed-rows.ts";

const ours = createSealer({ secret: "the key of this gateway, more than 32 characters" });
const another = createSealer({ secret: "the key of another gateway, longer than 32 characters" });

let store: Store;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

/** Nothing sealed, and nobody. */
beforeEach(async () => {
  for (const { table } of sealedColumns) await store.db.execute(`delete from ${table}`);
  await store.db.execute("delete from users");
});

describe("assertSealKey", () => {
  test("takes any key where nothing is sealed", async () => {
    await assertSealKey(store, ours);
  });

  test("takes the key everything is sealed with", async () => {
    await sealedRows(store, ours, 2);
    await assertSealKey(store, ours);
    expect(await countSealedOtherwise(store, ours.keyId)).toEqual([]);
  });

  test("refuses another key, names what it can't open and both variables, and shows no value", async () => {
    await sealedRows(store, another, 2);
    const error: unknown = await assertSealKey(store, ours).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "seal_key_differs", status: 500 });
    const text = JSON.stringify((error as { details: object }).details);
    expect(text).toContain(
      "certificate authorities, credentials, server certificates' keys, audit chains' keys, peers' keys",
    );
    for (const name of ["MOSAIC_SEAL_KEY", "BETTER_AUTH_SECRET", "mosaic seal rotate"]) expect(text).toContain(name);
    expect(text).not.toContain("v1.");
    expect((await countSealedOtherwise(store, ours.keyId)).map(({ several, count }) => [several, count])).toEqual([
      ["certificate authorities", 1],
      ["credentials", 2],
      ["server certificates' keys", 1],
      ["audit chains' keys", 1],
      ["peers' keys", 2],
      ["peers' next keys", 2],
      ["peers' previous keys", 1],
    ]);
  });

  test.each(sealedColumns.map(({ table, column }) => [table, column]))("looks at %s.%s", async (table, column) => {
    await sealedRows(store, ours, 2);
    await store.db.execute(`update ${table} set ${column} = 'v1.AAAAAAAA.x.y' where ${column} is not null`);
    await expect(assertSealKey(store, ours)).rejects.toMatchObject({ code: "seal_key_differs" });
  });
});
