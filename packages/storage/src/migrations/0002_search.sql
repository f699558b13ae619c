-- Misspelt words are found by their trigrams. The extension comes with PostgreSQL and is trusted: the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
CREATE INDEX tasks_title_trigrams ON tasks USING gin (title gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX notes_title_trigrams ON notes USING gin (title gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX credentials_name_trigrams ON credentials USING gin (name gin_trgm_ops);
