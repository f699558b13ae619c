import { sqlState } from "../database-faults.ts";
import type { ReadStore } from "../store.ts";
import { PEER_READER } from "./bounds-statement.ts";

/** Makes the role. For whoever runs a server whose migrating role may not. */
export const CREATE_PEER_READER = `create role ${PEER_READER} nologin noinherit nosuperuser nobypassrls nocreatedb nocreaterole noreplication`;

/** From PostgreSQL 16 a grant says itself whether the member has the role's rights at all times; before, the member does. */
const GRANTS_SAY_INHERIT = 160_000;

/** Lets a role become the peers' reader, and have none of its rights, nor the policies made for it, until then. */
export function grantPeerReader(user: string, serverVersion: number): string {
  const member = `"${user.replaceAll('"', '""')}"`;
  return serverVersion >= GRANTS_SAY_INHERIT
    ? `grant ${PEER_READER} to ${member} with inherit false, set true`
    : `grant ${PEER_READER} to ${member}; alter role ${member} noinherit`;
}

/**
 * Makes the role, and lets `user` become it, where they aren't so yet and whoever asks may: a server's superuser, or a role
 * with CREATEROLE. Otherwise nothing happens, and whoever looks next says what is missing.
 *
 * The role is the server's: several databases of one server may come to make it at once.
 *
 * @param user the role a gateway runs as
 */
export async function offerPeerReader(query: ReadStore["query"], user: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const [found] = await query<{ version: number; exists: boolean; usable: boolean }>(FOUND_SQL, [user]);
      if (found === undefined || found.usable) return;
      await query(found.exists ? grantPeerReader(user, found.version) : CREATE_PEER_READER, []);
    } catch (error) {
      const state = sqlState(error) ?? "";
      if (state === "42501") return;
      if (!OTHERS_DID.has(state) || attempt >= 5) throw error;
    }
  }
}

const FOUND_SQL = `
  select current_setting('server_version_num')::int4 as version, reader.oid is not null as exists,
    reader.oid is not null and (member.rolsuper or pg_has_role(member.oid, reader.oid,
      case when current_setting('server_version_num')::int4 >= ${GRANTS_SAY_INHERIT} then 'SET' else 'MEMBER' end)) as usable
  from pg_roles as member left join pg_roles as reader on reader.rolname = '${PEER_READER}'
  where member.rolname = $1`;

/** Another database made the role (42710, 23505) or changed the same row of the server's catalogue (XX000) meanwhile. */
const OTHERS_DID = new Set(["42710", "23505", "XX000"]);
