import { customType } from "drizzle-orm/pg-core";

/** PostgreSQL's list of a text's words (tsvector), for full-text search. Made by the database, and not read in code. */
export const tsvector = customType<{ data: string }>({ dataType: () => "tsvector" });
