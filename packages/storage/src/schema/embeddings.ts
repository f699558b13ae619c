import { sql } from "drizzle-orm";
import { index, pgTable, primaryKey, text, timestamp, uuid } from "drizzle-orm/pg-core";
import { vector } from "./vector.ts";

/** The dimensions that have an index; vectors of others are kept as well, and searched by reading them all. */
export const INDEXED_DIMENSIONS = [384, 768, 1024, 1536] as const;

/**
 * What a model made of a row's text, one a model. Only where pgvector is (tier federated): a migration set of its own
 * makes it (docs/adr/0005), so it isn't part of the schema every tier has.
 *
 * An index is used by a query that repeats its words: `where vector_dims(embedding) = 384
 * order by (embedding::vector(384)) <=> $1::vector(384) limit …`.
 */
export const embeddings = pgTable(
  "embeddings",
  {
    /** The resource's name, e.g. `notes`, and the id of the row in it. */
    resource: text().notNull(),
    rowId: uuid("row_id").notNull(),
    /** The row's own space, so that a search is cut to what its asker may see. */
    spaceId: uuid("space_id").notNull(),
    model: text().notNull(),
    embedding: vector().notNull(),
    updatedAt: timestamp("updated_at", { withTimezone: true, precision: 3 }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.resource, table.rowId, table.model] }),
    index("embeddings_space_id").on(table.spaceId),
    ...INDEXED_DIMENSIONS.map((dimensions) =>
      index(`embeddings_cosine_${dimensions}`)
        .using("hnsw", sql.raw(`(embedding::vector(${dimensions})) vector_cosine_ops`))
        .where(sql.raw(`vector_dims(embedding) = ${dimensions}`)),
    ),
  ],
);
