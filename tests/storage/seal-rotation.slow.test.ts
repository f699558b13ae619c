import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dumpDatabase, openTestStore, testSnapshotFile } from "@mosaicstack/harness";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assertSealKey, createSealer, openForRotation, openPglite, rotateSeal, type Store } from "@mosaicstack/storage";
import { killWhileRotating } from "./rotating.ts";
import { openingWith, type SealedText, sealedRows } from "./sealed-rows.ts";

const OLD = "the old key of this gateway, more than 32 characters";
const NEW = "the new key of this gateway, more than 32 characters";
const from = createSealer({ secret: OLD });
const to = createSealer({ secret: NEW });
/** More than one batch. */
const ROWS = 700;

/** A digest of every row of every table, in whatever order they are read. */
async function dumped(store: Store, left: (row: string) => string = (row) => row): Promise<string> {
  const rows = [...(await dumpDatabase(store))]
    .flatMap(([name, all]) => all.map((row) => left(`${name} ${row}`)))
    .filter((row) => row !== "")
    .toSorted();
  return createHash("sha256").update(rows.join("\n")).digest("hex");
}

describe("rotateSeal on PGlite", () => {
  let store: Store;
  let texts: readonly SealedText[];
  beforeEach(async () => {
    store = await openTestStore();
    texts = await sealedRows(store, from, ROWS);
  });
  afterEach(() => store.close());

  test("seals every value with the new key, in its row and column, and forgets idempotency keys", async () => {
    // What is neither a sealed value nor an idempotency key.
    const left = (row: string): string =>
      row.startsWith("public.idempotency_keys") ? "" : row.replaceAll(/v1\.[\w.-]+/g, "sealed");
    const before = await dumped(store, left);
    const heard: number[] = [];
    const rotation = await rotateSeal({ store, from, to, onProgress: (values) => heard.push(values) });
    expect(rotation).toEqual({
      columns: [
        { table: "certificate_authorities", column: "sealed_key", values: 1, already: 0 },
        { table: "credentials", column: "sealed_secret", values: ROWS, already: 0 },
        { table: "federation_server_certificates", column: "sealed_key", values: 1, already: 0 },
        { table: "federation_audit_chain", column: "sealed_key", values: 1, already: 0 },
        { table: "federation_peers", column: "sealed_key", values: ROWS, already: 0 },
        { table: "federation_peers", column: "sealed_next_key", values: ROWS, already: 0 },
        { table: "federation_peers", column: "sealed_previous_key", values: 1, already: 0 },
      ],
      idempotencyKeys: 1,
    });
    expect(heard.at(-1)).toBe(texts.length);
    expect(heard.length).toBeGreaterThan(5);
    expect(await openingWith(store, to, texts)).toBe(texts.length);
    expect(await openingWith(store, from, texts)).toBe(0);
    await assertSealKey(store, to);
    await expect(assertSealKey(store, from)).rejects.toMatchObject({ code: "seal_key_differs" });
    expect(await store.query("select 1 as one from idempotency_keys", [])).toEqual([]);
    expect(await dumped(store, left)).toBe(before);
  });

  test("run once more, finds all of it done", async () => {
    await rotateSeal({ store, from, to });
    const { columns, idempotencyKeys } = await rotateSeal({ store, from, to });
    expect(columns.map(({ values, already }) => [values, already])).toEqual([
      [0, 1],
      [0, ROWS],
      [0, 1],
      [0, 1],
      [0, ROWS],
      [0, ROWS],
      [0, 1],
    ]);
    expect(idempotencyKeys).toBe(0);
  });

  test("only looking, it opens every value, counts, and writes nothing", async () => {
    const before = await dumped(store);
    const { columns, idempotencyKeys } = await rotateSeal({ store, from });
    expect(columns.reduce((sum, { values }) => sum + values, 0)).toBe(texts.length);
    expect(idempotencyKeys).toBe(1);
    expect(await dumped(store)).toBe(before);
  });

  test("a wrong old key is refused, with table, column, count and ids of what does not open; nothing is changed", async () => {
    const before = await dumped(store);
    const wrong = createSealer({ secret: "a key that nothing here was ever sealed with" });
    const error: unknown = await rotateSeal({ store, from: wrong, to }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "seal_values_unopened",
      details: {
        values: [
          { table: "certificate_authorities", column: "sealed_key", count: 1 },
          { table: "credentials", column: "sealed_secret", count: ROWS },
          { table: "federation_server_certificates", column: "sealed_key", count: 1 },
          { table: "federation_audit_chain", column: "sealed_key", count: 1 },
          { table: "federation_peers", column: "sealed_key", count: ROWS },
          { table: "federation_peers", column: "sealed_next_key", count: ROWS },
          { table: "federation_peers", column: "sealed_previous_key", count: 1 },
        ],
      },
    });
    expect(await dumped(store)).toBe(before);
  });

  test("one value that was moved to another row stops all of it, and is named", async () => {
    const [one, other] = texts.filter(({ binding }) => binding.column === "sealed_secret").map((each) => each.binding);
    await store.db.execute(
      `update credentials set sealed_secret = (select sealed_secret from credentials where id = '${one?.rowId}')
       where id = '${other?.rowId}'`,
    );
    const before = await dumped(store);
    const committing: string[] = [];
    const beforeCommit = async (): Promise<void> => void committing.push("asked");
    const error: unknown = await rotateSeal({ store, from, to, beforeCommit }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      details: { values: [{ table: "credentials", column: "sealed_secret", count: 1, ids: [other?.rowId] }] },
    });
    expect((error as Error).message).toContain(other?.rowId);
    expect(committing).toEqual([]);
    expect(await dumped(store)).toBe(before);
  });

  test("where the new key can't be kept, nothing is changed", async () => {
    const before = await dumped(store);
    const beforeCommit = async (): Promise<never> => await Promise.reject(new Error("the disk is full"));
    await expect(rotateSeal({ store, from, to, beforeCommit })).rejects.toThrow("the disk is full");
    expect(await dumped(store)).toBe(before);
  });

  test("stopped between two batches, nothing is changed", async () => {
    const before = await dumped(store);
    const stop = new AbortController();
    const rotation = rotateSeal({
      store,
      from,
      to,
      signal: stop.signal,
      onProgress: (values) => {
        if (values > 1_000) stop.abort();
      },
    });
    await expect(rotation).rejects.toThrow("aborted");
    expect(await dumped(store)).toBe(before);
  });
});

describe("in a data directory", () => {
  let directory: string;
  let texts: readonly SealedText[];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "mosaic-rotation-"));
    const store = await openPglite({ dataDirectory: directory, snapshot: await openAsBlob(await testSnapshotFile()) });
    texts = await sealedRows(store, from, ROWS);
    await store.close();
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test.each([
    ["in the middle" as const, from],
    ["before the commit" as const, from],
    ["after the commit" as const, to],
  ])("killed %s, every value is the one key's or every one the other's", { timeout: 90_000 }, async (place, holder) => {
    await killWhileRotating(place, { engine: "pglite", dataDirectory: directory }, { from: OLD, to: NEW });

    const store = await openForRotation({ engine: "pglite", dataDirectory: directory });
    try {
      expect(await openingWith(store, holder, texts)).toBe(texts.length);
      await assertSealKey(store, holder);
      // And another run ends it.
      await rotateSeal({ store, from, to });
      expect(await openingWith(store, to, texts)).toBe(texts.length);
    } finally {
      await store.close();
    }
  });

  test("a gateway that has it open is left alone", async () => {
    const gateway = await openPglite({ dataDirectory: directory });
    try {
      await expect(openForRotation({ engine: "pglite", dataDirectory: directory })).rejects.toMatchObject({
        code: "data_directory_locked",
      });
    } finally {
      await gateway.close();
    }
  });
});

test("where there is no database, none is made", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-rotation-"));
  try {
    await expect(openForRotation({ engine: "pglite", dataDirectory: directory })).rejects.toMatchObject({
      code: "source_missing",
    });
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
