import { newId } from "@mosaicstack/foundation";
import { constraintViolation, embeddings, INDEXED_DIMENSIONS, type Store } from "@mosaicstack/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** What every engine keeps of vectors, opened with `vector: true` and without it. Each call gives a fresh database. */
export function vectorContract(open: (options: { readonly vector: boolean }) => Promise<Store>): void {
  describe("with vectors", () => {
    let store: Store;
    beforeAll(async () => {
      store = await open({ vector: true });
    });
    afterAll(() => store.close());

    /** One row of a model's; `spaceId` sets a test's rows apart. */
    const row = (spaceId: string, embedding: readonly number[], model = "of the test") => ({
      resource: "notes",
      rowId: newId(),
      spaceId,
      model,
      embedding,
      updatedAt: new Date("2026-02-03T04:05:06.789Z"),
    });

    test("three numbers come back as they were, by drizzle and by SQL", async () => {
      const written = row(newId(), [1, -2.5, 0.125]);
      await store.db.insert(embeddings).values(written);
      expect(await store.db.select().from(embeddings)).toEqual([written]);
      expect(
        await store.query("select embedding::vector(3)::text as v from embeddings where row_id = $1", [written.rowId]),
      ).toEqual([{ v: "[1,-2.5,0.125]" }]);
    });

    test("the nearest by cosine come first", async () => {
      const spaceId = newId();
      const rows = { east: row(spaceId, [9, 0, 0]), northEast: row(spaceId, [1, 1, 0]), up: row(spaceId, [0, 0, 1]) };
      await store.db.insert(embeddings).values(Object.values(rows));
      const found = await store.query(
        `select row_id from embeddings where space_id = $1 and vector_dims(embedding) = 3
         order by embedding <=> $2::vector limit 2`,
        [spaceId, "[1,0.2,0]"],
      );
      expect(found).toEqual([{ row_id: rows.east.rowId }, { row_id: rows.northEast.rowId }]);
    });

    test("models of different dimensions share the table, one vector a row and model", async () => {
      const spaceId = newId();
      const one = row(spaceId, [1, 2, 3], "small");
      await store.db.insert(embeddings).values([one, { ...one, embedding: Array(3072).fill(0.5), model: "large" }]);
      const dimensions = await store.query(
        "select model, vector_dims(embedding) as dimensions from embeddings where space_id = $1 order by model",
        [spaceId],
      );
      expect(dimensions).toEqual([
        { model: "large", dimensions: 3072 },
        { model: "small", dimensions: 3 },
      ]);
      const again: unknown = await store.db
        .insert(embeddings)
        .values(one)
        .execute()
        .catch((error: unknown) => error);
      expect(constraintViolation(again)).toEqual({ kind: "unique", name: "embeddings_resource_row_id_model_pk" });
    });

    test.each(INDEXED_DIMENSIONS)("%i dimensions are searched along an index", async (dimensions) => {
      const spaceId = newId();
      const unit = (at: number) => Array.from({ length: dimensions }, (_, index) => (index === at ? 1 : 0));
      const rows = [0, 1, 2].map((at) => row(spaceId, unit(at)));
      await store.db.insert(embeddings).values(rows);
      const search = `select row_id from embeddings where vector_dims(embedding) = ${dimensions}
        order by (embedding::vector(${dimensions})) <=> '[${unit(1).join(",")}]'::vector(${dimensions}) limit 1`;
      const [plan, nearest] = await store.transaction(async (db) => {
        // Of three rows the planner would rather read them all; what is asked is whether it can do otherwise.
        await db.execute("set local enable_seqscan to off");
        await db.execute("set local enable_sort to off");
        return [await db.execute(`explain ${search}`), await db.execute(search)] as const;
      });
      expect(JSON.stringify(plan)).toContain(`Index Scan using embeddings_cosine_${dimensions}`);
      expect(nearest).toMatchObject({ rows: [{ row_id: rows[1]?.rowId }] });
    });
  });

  test("without vectors there's neither the type nor the table", async () => {
    const store = await open({ vector: false });
    expect(
      await store.query(
        `select to_regtype('vector')::text as type, to_regclass('embeddings')::text as "table",
           to_regclass('drizzle.__vector_migrations')::text as journal`,
        [],
      ),
    ).toEqual([{ type: null, table: null, journal: null }]);
    await store.close();
  });
}
