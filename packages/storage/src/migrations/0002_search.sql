-- Misspelt words are found by their trigrams. The extension comes with PostgreSQL and is trusted: the database's owner may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
-- A word's trigrams, each with whose it is: so that looking for some in a space reads nothing of another, however many there are. To
-- start other processes takes longer than to look, so the index is never read by several.
CREATE FUNCTION search_word_key(resource text, space_id uuid, trigram text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(resource || ' ' || space_id::text || ' ' || trigram, 0);
--> statement-breakpoint
CREATE FUNCTION search_word_keys(resource text, space_id uuid, word text) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL RESTRICTED
RETURN ARRAY(SELECT search_word_key(resource, space_id, trigram) FROM unnest(show_trgm(word)) AS trigram);
--> statement-breakpoint
-- Without a pending list, which every search would read to its end: few titles have a word that their space has not.
CREATE INDEX search_words_keys ON search_words USING gin (search_word_keys(resource, space_id, word)) WITH (fastupdate = off);
--> statement-breakpoint
-- The words of a title that may have been meant by a misspelt one. Their forms are kept: an error at the end leaves no stem.
CREATE FUNCTION search_words_of(title text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT word FROM unnest(tsvector_to_array(to_tsvector('simple', title))) AS word WHERE length(word) BETWEEN 3 AND 64);
--> statement-breakpoint
-- The words of a title, each with whose it is: whether a space has another title with a word is read from one short list.
CREATE FUNCTION search_title_keys(resource text, space_id uuid, title text) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(SELECT search_word_key(resource, space_id, word) FROM unnest(search_words_of(title)) AS word);
--> statement-breakpoint
CREATE INDEX tasks_title_words ON tasks USING gin (search_title_keys('tasks', space_id, title));
--> statement-breakpoint
CREATE INDEX notes_title_words ON notes USING gin (search_title_keys('notes', space_id, title));
--> statement-breakpoint
CREATE INDEX credentials_title_words ON credentials USING gin (search_title_keys('credentials', space_id, name));
--> statement-breakpoint
-- Whoever takes words away holds this against those who add some to the same space: else a word that is there while a title is
-- written could be gone when it is committed. Of few keys, since locks take room: a transaction may write to any number of spaces.
CREATE FUNCTION search_words_lock(resource text, space_id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(resource || ' ' || space_id::text, 0) & 63)::integer;
--> statement-breakpoint
CREATE FUNCTION search_words_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(2003792484, key)
  FROM (SELECT DISTINCT public.search_words_lock(TG_TABLE_NAME, space_id) AS key FROM added ORDER BY key) AS locks;
  -- As search_words_of has them: a call for each title would take longer than the rest. In one order, since whoever adds a word waits for
  -- another who is adding it. No table is read, for which a plan from when it was small would be one for ever.
  IF TG_TABLE_NAME = 'credentials' THEN
    INSERT INTO public.search_words (resource, space_id, word)
    SELECT DISTINCT TG_TABLE_NAME, space_id, word FROM added, unnest(tsvector_to_array(to_tsvector('simple', name))) AS word
    WHERE length(word) BETWEEN 3 AND 64 ORDER BY space_id, word
    ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO public.search_words (resource, space_id, word)
    SELECT DISTINCT TG_TABLE_NAME, space_id, word FROM added, unnest(tsvector_to_array(to_tsvector('simple', title))) AS word
    WHERE length(word) BETWEEN 3 AND 64 ORDER BY space_id, word
    ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- Of these words, those that the newest titles of the space lack: a common word is in one of them, and its list would be long.
CREATE FUNCTION search_words_lacking(resource text, space_id uuid, words text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  title text := CASE resource WHEN 'credentials' THEN 'name' ELSE 'title' END;
  lacking text[];
BEGIN
  EXECUTE format(
    $sql$SELECT ARRAY(
      SELECT unnest($2) EXCEPT
      SELECT unnest(tsvector_to_array(to_tsvector('simple', title)))
      FROM (SELECT %2$I AS title FROM public.%1$I AS r WHERE r.space_id = $1 ORDER BY id DESC LIMIT 50) AS newest)$sql$,
    resource, title)
  INTO lacking USING space_id, words;
  RETURN lacking;
END $$;
--> statement-breakpoint
-- Of these words, takes away those that no title of the space has any more. By the index of titles' words and nothing else: a planner
-- that takes a word for a common one would rather look at row after row until it finds it.
CREATE FUNCTION search_words_drop(resource text, space_id uuid, words text[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off AS $$
DECLARE
  title text := CASE resource WHEN 'credentials' THEN 'name' ELSE 'title' END;
  gone text[] := '{}';
  word text;
  is_there boolean;
BEGIN
  FOREACH word IN ARRAY words LOOP
    EXECUTE format(
      'SELECT EXISTS (SELECT FROM public.%1$I WHERE public.search_title_keys(%1$L, space_id, %2$I) @> $1)', resource, title)
    INTO is_there USING ARRAY[public.search_word_key(resource, space_id, word)];
    IF NOT is_there THEN
      gone := gone || word;
    END IF;
  END LOOP;
  DELETE FROM public.search_words AS known
  WHERE known.resource = search_words_drop.resource AND known.space_id = search_words_drop.space_id AND known.word = ANY (gone);
END $$;
--> statement-breakpoint
CREATE FUNCTION search_words_remove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(2003792484, key)
  FROM (SELECT DISTINCT public.search_words_lock(TG_TABLE_NAME, space_id) AS key FROM removed ORDER BY key) AS locks;
  IF TG_TABLE_NAME = 'credentials' THEN
    PERFORM public.search_words_drop(
      TG_TABLE_NAME, space_id, public.search_words_lacking(TG_TABLE_NAME, space_id, array_agg(DISTINCT word)))
    FROM removed, unnest(public.search_words_of(name)) AS word GROUP BY space_id;
  ELSE
    PERFORM public.search_words_drop(
      TG_TABLE_NAME, space_id, public.search_words_lacking(TG_TABLE_NAME, space_id, array_agg(DISTINCT word)))
    FROM removed, unnest(public.search_words_of(title)) AS word GROUP BY space_id;
  END IF;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE FUNCTION search_words_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before text;
  since text;
BEGIN
  IF TG_TABLE_NAME = 'credentials' THEN
    before := OLD.name;
    since := NEW.name;
  ELSE
    before := OLD.title;
    since := NEW.title;
  END IF;
  PERFORM pg_advisory_xact_lock(2003792484, key)
  FROM (
    SELECT DISTINCT public.search_words_lock(TG_TABLE_NAME, space_id) AS key FROM unnest(ARRAY[OLD.space_id, NEW.space_id]) AS space_id
    ORDER BY key
  ) AS locks;
  INSERT INTO public.search_words (resource, space_id, word)
  SELECT TG_TABLE_NAME, NEW.space_id, word FROM unnest(public.search_words_of(since)) AS word ORDER BY word
  ON CONFLICT DO NOTHING;
  PERFORM public.search_words_drop(
    TG_TABLE_NAME, OLD.space_id, public.search_words_lacking(TG_TABLE_NAME, OLD.space_id, public.search_words_of(before)));
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER tasks_search_words_add AFTER INSERT ON tasks
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_words_add();
--> statement-breakpoint
CREATE TRIGGER tasks_search_words_change AFTER UPDATE ON tasks
  FOR EACH ROW WHEN (OLD.title IS DISTINCT FROM NEW.title OR OLD.space_id IS DISTINCT FROM NEW.space_id) EXECUTE FUNCTION search_words_change();
--> statement-breakpoint
CREATE TRIGGER tasks_search_words_remove AFTER DELETE ON tasks
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION search_words_remove();
--> statement-breakpoint
CREATE TRIGGER notes_search_words_add AFTER INSERT ON notes
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_words_add();
--> statement-breakpoint
CREATE TRIGGER notes_search_words_change AFTER UPDATE ON notes
  FOR EACH ROW WHEN (OLD.title IS DISTINCT FROM NEW.title OR OLD.space_id IS DISTINCT FROM NEW.space_id) EXECUTE FUNCTION search_words_change();
--> statement-breakpoint
CREATE TRIGGER notes_search_words_remove AFTER DELETE ON notes
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION search_words_remove();
--> statement-breakpoint
CREATE TRIGGER credentials_search_words_add AFTER INSERT ON credentials
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION search_words_add();
--> statement-breakpoint
CREATE TRIGGER credentials_search_words_change AFTER UPDATE ON credentials
  FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.space_id IS DISTINCT FROM NEW.space_id) EXECUTE FUNCTION search_words_change();
--> statement-breakpoint
CREATE TRIGGER credentials_search_words_remove AFTER DELETE ON credentials
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION search_words_remove();
