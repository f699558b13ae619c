-- The second wall (docs/adr/0007): what a peer's read may see, whatever its statement says. The role is there already: it belongs to
-- the server, not to this database. Each statement can be run again, over whatever is left of an earlier run.

-- Sets what this transaction may see, and is the one place of the rule: the subject's own space, and those teams that are theirs
-- and included. As the owner, because whom the rule is for may not read memberships past it.
CREATE OR REPLACE FUNCTION set_peer_bounds(subject uuid, personal boolean, every_team boolean, teams uuid[], resources text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM
    set_config('mosaic.peer_resources', resources::text, true),
    set_config('mosaic.peer_spaces', ARRAY(
      SELECT subject WHERE personal AND subject IS NOT NULL
      UNION ALL
      SELECT team_id FROM public.team_members WHERE user_id = subject AND (every_team OR team_id = ANY (teams))
    )::text, true);
END $$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION set_peer_bounds(uuid, boolean, boolean, uuid[], text[]) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION set_peer_bounds(uuid, boolean, boolean, uuid[], text[]) TO mosaic_peer_reader;
--> statement-breakpoint
-- The spaces within the bounds; null, which no row equals, where none were set. Inlined: a policy costs one look at a setting.
CREATE OR REPLACE FUNCTION peer_spaces() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('mosaic.peer_spaces', true), '')::uuid[];
--> statement-breakpoint
-- The same, for a resource's own rows: null unless the resource is within the bounds too.
CREATE OR REPLACE FUNCTION peer_spaces(resource text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN resource = ANY (nullif(current_setting('mosaic.peer_resources', true), '')::text[])
  THEN nullif(current_setting('mosaic.peer_spaces', true), '')::uuid[] END;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON tasks;
--> statement-breakpoint
-- Native use sees everything: a constant, which costs a statement none of its indexes.
CREATE POLICY native_use ON tasks USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON tasks;
--> statement-breakpoint
-- Written so that the planner expects every row to pass: in a table it has no figures of, it would take `= ANY` for a filter that
-- leaves hardly a row, and sort all of a space for each page.
CREATE POLICY peer_bounds ON tasks AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces('tasks')), space_id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON notes;
--> statement-breakpoint
CREATE POLICY native_use ON notes USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON notes;
--> statement-breakpoint
CREATE POLICY peer_bounds ON notes AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces('notes')), space_id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON memories;
--> statement-breakpoint
CREATE POLICY native_use ON memories USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON memories;
--> statement-breakpoint
CREATE POLICY peer_bounds ON memories AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces('memories')), space_id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE memories ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON credentials;
--> statement-breakpoint
CREATE POLICY native_use ON credentials USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON credentials;
--> statement-breakpoint
CREATE POLICY peer_bounds ON credentials AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces('credentials')), space_id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON teams;
--> statement-breakpoint
-- Names of teams come with the rows of every resource, so theirs are bounded by space alone.
CREATE POLICY native_use ON teams USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON teams;
--> statement-breakpoint
CREATE POLICY peer_bounds ON teams AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces()), id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
DROP POLICY IF EXISTS native_use ON team_members;
--> statement-breakpoint
CREATE POLICY native_use ON team_members USING (true) WITH CHECK (true);
--> statement-breakpoint
DROP POLICY IF EXISTS peer_bounds ON team_members;
--> statement-breakpoint
CREATE POLICY peer_bounds ON team_members AS RESTRICTIVE TO mosaic_peer_reader USING (array_position((SELECT peer_spaces()), team_id) IS NOT NULL);
--> statement-breakpoint
ALTER TABLE team_members ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
-- Columns by name: never a sealed secret, and of people what a row's author is called.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM mosaic_peer_reader;
--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, owner_id, team_id, space_id, key, properties, created_at, updated_at, title, description, status, due_at) ON tasks TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, owner_id, team_id, space_id, key, properties, created_at, updated_at, title, body) ON notes TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, owner_id, team_id, space_id, key, properties, created_at, updated_at, content) ON memories TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, owner_id, team_id, space_id, key, properties, created_at, updated_at, name, kind) ON credentials TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, name, created_at, updated_at) ON teams TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (team_id, user_id) ON team_members TO mosaic_peer_reader;
--> statement-breakpoint
GRANT SELECT (id, name) ON users TO mosaic_peer_reader;
