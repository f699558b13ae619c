/**
 * The second wall as its migrations make it, part by part, in the words of `readWallParts`: what a gateway's database has to be like, and
 * nothing more. Functions are here by the SHA-256 of their definition. A test makes the wall anew and compares, so that whoever changes
 * a migration is told what belongs here.
 */
export const WALL: ReadonlyMap<string, string> = new Map([
  ["column space_id of credentials", "always COALESCE(team_id, owner_id)"],
  ["column space_id of memories", "always COALESCE(team_id, owner_id)"],
  ["column space_id of notes", "always COALESCE(team_id, owner_id)"],
  ["column space_id of tasks", "always COALESCE(team_id, owner_id)"],
  [
    "function peer_spaces()",
    "security invoker of the tables' owner for the reader 9d772ad20f3589130c6904844b25d4c6eac06dd9d6bb65a31b7faccbfbf77711 of nothing",
  ],
  [
    "function peer_spaces(resource text)",
    "security invoker of the tables' owner for the reader 774acc4770bbd5b2d0238b0a18ca8d9ec3cef43b54cbe6c4b5b93840aa71ed47 of nothing",
  ],
  [
    "function set_peer_bounds(subject uuid, personal boolean, every_team boolean, teams uuid[], resources text[])",
    "security definer of the tables' owner for the reader fb69b40c4be7f92349b0c31a8d0f7b8ce2f6d8446d5f79333e9e8bc6dec22610 of nothing",
  ],
  [
    "policy native_use of credentials",
    "permissive for * to everybody using true with check true of public.credentials",
  ],
  ["policy native_use of memories", "permissive for * to everybody using true with check true of public.memories"],
  ["policy native_use of notes", "permissive for * to everybody using true with check true of public.notes"],
  ["policy native_use of tasks", "permissive for * to everybody using true with check true of public.tasks"],
  [
    "policy native_use of team_members",
    "permissive for * to everybody using true with check true of public.team_members",
  ],
  ["policy native_use of teams", "permissive for * to everybody using true with check true of public.teams"],
  [
    "policy peer_bounds of credentials",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces('credentials'::text) AS peer_spaces), space_id) IS NOT NULL) with check none of public.credentials, public.credentials.space_id, public.peer_spaces(pg_catalog.text)",
  ],
  [
    "policy peer_bounds of memories",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces('memories'::text) AS peer_spaces), space_id) IS NOT NULL) with check none of public.memories, public.memories.space_id, public.peer_spaces(pg_catalog.text)",
  ],
  [
    "policy peer_bounds of notes",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces('notes'::text) AS peer_spaces), space_id) IS NOT NULL) with check none of public.notes, public.notes.space_id, public.peer_spaces(pg_catalog.text)",
  ],
  [
    "policy peer_bounds of tasks",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces('tasks'::text) AS peer_spaces), space_id) IS NOT NULL) with check none of public.peer_spaces(pg_catalog.text), public.tasks, public.tasks.space_id",
  ],
  [
    "policy peer_bounds of team_members",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces() AS peer_spaces), team_id) IS NOT NULL) with check none of public.peer_spaces(), public.team_members, public.team_members.team_id",
  ],
  [
    "policy peer_bounds of teams",
    "restrictive for * to mosaic_peer_reader using (array_position(( SELECT peer_spaces() AS peer_spaces), id) IS NOT NULL) with check none of public.peer_spaces(), public.teams, public.teams.id",
  ],
  ["row security of credentials", "on"],
  ["row security of memories", "on"],
  ["row security of notes", "on"],
  ["row security of tasks", "on"],
  ["row security of team_members", "on"],
  ["row security of teams", "on"],
  [
    "access of mosaic_peer_reader to credentials",
    "created_at, id, key, kind, name, owner_id, properties, space_id, team_id, updated_at",
  ],
  [
    "access of mosaic_peer_reader to memories",
    "content, created_at, id, key, owner_id, properties, space_id, team_id, updated_at",
  ],
  [
    "access of mosaic_peer_reader to notes",
    "body, created_at, id, key, owner_id, properties, space_id, team_id, title, updated_at",
  ],
  [
    "access of mosaic_peer_reader to tasks",
    "created_at, description, due_at, id, key, owner_id, properties, space_id, status, team_id, title, updated_at",
  ],
  ["access of mosaic_peer_reader to team_members", "team_id, user_id"],
  ["access of mosaic_peer_reader to teams", "created_at, id, name, updated_at"],
  ["access of mosaic_peer_reader to users", "id, name"],
]);
