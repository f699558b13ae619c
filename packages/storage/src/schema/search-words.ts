import { pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";

/**
 * The words of titles, by what a search may see: a resource's rows in a space. What a misspelt word was meant to be is looked for
 * here. Triggers keep it (migration 0002): every word of a title that there is, and none that no row of its space has any more.
 */
export const searchWords = pgTable(
  "search_words",
  {
    /** The resource's table, e.g. `notes`. */
    resource: text().notNull(),
    spaceId: uuid("space_id").notNull(),
    /** In lower case, as it is written: of its forms each is a word. */
    word: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.resource, table.spaceId, table.word] })],
);
