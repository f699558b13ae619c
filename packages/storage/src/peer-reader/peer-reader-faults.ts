import type { Problem } from "@mosaicstack/foundation";
import { problem } from "../problems.ts";
import type { ReadStore } from "../store.ts";
import { PEER_READER } from "./bounds-statement.ts";
import { CREATE_PEER_READER, grantPeerReader } from "./peer-reader-role.ts";

/** What is wrong with the second wall: a clause, and the SQL that mends it. */
export interface PeerReaderFault {
  readonly cause: string;
  /** Who runs what, in which database. */
  readonly remedy: string;
}

/** The tables whose rows peers read, each behind a policy. */
const GUARDED: readonly string[] = ["tasks", "notes", "memories", "credentials", "teams", "team_members"];

/**
 * Looks at the role alone, which has to be there before the policies that are made for it. Whoever asks may be any role.
 *
 * @param user the role a gateway runs as
 * @param becomes whether that role has to be able to become the reader already. Default: yes
 */
export async function peerReaderRoleFault(
  query: ReadStore["query"],
  user: string,
  { becomes = true }: { readonly becomes?: boolean } = {},
): Promise<PeerReaderFault | undefined> {
  const [row] = await query<RoleRow>(ROLE_SQL, [user]);
  if (row === undefined) throw new Error("the server told nothing of its version");
  const grant = grantPeerReader(user, row.version);
  if (!row.exists) {
    return { cause: `there is no role ${PEER_READER}`, remedy: superuserRuns(`${CREATE_PEER_READER}; ${grant}`) };
  }
  if (row.mighty) {
    return {
      cause: `the role ${PEER_READER} is a superuser, bypasses row security or may sign in`,
      remedy: superuserRuns(`alter role ${PEER_READER} nosuperuser nobypassrls nologin`),
    };
  }
  if (row.member_of !== null) {
    return {
      cause: `the role ${PEER_READER} has the rights of ${row.member_of}`,
      remedy: superuserRuns(`revoke ${row.member_of} from ${PEER_READER}`),
    };
  }
  if (!becomes || (row.may && !row.inherits)) return undefined;
  return {
    cause: row.may
      ? `the gateway's role has the rights of ${PEER_READER}, and so the bounds of peers, at all times`
      : `the gateway's role may not become ${PEER_READER}`,
    remedy: superuserRuns(grant),
  };
}

interface RoleRow {
  readonly version: number;
  readonly exists: boolean;
  readonly mighty: boolean;
  readonly member_of: string | null;
  readonly may: boolean;
  readonly inherits: boolean;
}

const ROLE_SQL = `
  select server.version, reader.oid is not null as exists,
    coalesce(reader.rolsuper or reader.rolbypassrls or reader.rolcanlogin, false) as mighty,
    (select string_agg(quote_ident(granted.rolname), ', ') from pg_auth_members
       join pg_roles as granted on granted.oid = roleid where member = reader.oid) as member_of,
    coalesce(runs.rolsuper or pg_has_role(runs.oid, reader.oid,
      case when server.version >= 160000 then 'SET' else 'MEMBER' end), false) as may,
    coalesce(not runs.rolsuper and pg_has_role(runs.oid, reader.oid, 'USAGE'), false) as inherits
  from (select current_setting('server_version_num')::int4 as version) as server
    left join pg_roles as reader on reader.rolname = '${PEER_READER}'
    left join pg_roles as runs on runs.rolname = $1::text`;

/**
 * Looks whether the second wall stands: the role, and for each table peers read row security with the policy that bounds them;
 * and that the role may read nothing but those tables' columns, the sealed secret apart.
 *
 * @param user the role a gateway runs as
 */
export async function peerReaderFault(query: ReadStore["query"], user: string): Promise<PeerReaderFault | undefined> {
  const role = await peerReaderRoleFault(query, user);
  if (role !== undefined) return role;
  const [row] = await query<{ open: string | null; excess: string | null }>(TABLES_SQL, [GUARDED]);
  if (row === undefined) throw new Error("the server told nothing of its tables");
  if (row.open !== null) return { cause: `no policy bounds what peers read of ${row.open}`, remedy: ownerRuns("") };
  if (row.excess !== null) {
    const revoke = `revoke all on ${row.excess} from public, ${PEER_READER}; `;
    return { cause: `${PEER_READER} may read more than it should of ${row.excess}`, remedy: ownerRuns(revoke) };
  }
  return undefined;
}

const TABLES_SQL = `
  with guarded as (select unnest($1::text[]) as name), ours as (
    select pg_class.oid, relname as name, relrowsecurity from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  )
  select
    (select string_agg(guarded.name, ', ' order by guarded.name) from guarded left join ours using (name)
     where ours.relrowsecurity is not true or not exists (
       select from pg_policy where polrelid = ours.oid and not polpermissive and polcmd in ('*', 'r')
         and polroles @> array['${PEER_READER}'::regrole::oid]
         and pg_get_expr(polqual, polrelid) like '%peer_spaces(%')) as open,
    (select string_agg(distinct quote_ident(ours.name), ', ') from ours join pg_attribute on attrelid = ours.oid
     where attnum > 0 and not attisdropped
       and has_column_privilege('${PEER_READER}', ours.oid, attnum, 'SELECT')
       and not (ours.name in (select name from guarded) and attname <> 'sealed_secret')
       and not (ours.name = 'users' and attname in ('id', 'name'))) as excess`;

/** @param address where the database is served; absent where it's embedded */
export function peerReaderProblem(
  { cause, remedy }: PeerReaderFault,
  address?: { readonly host: string; readonly port: number },
): Problem {
  return problem("peer_reader_unavailable", {
    detail: `The second wall around what peers may read doesn't stand: ${cause}.`,
    remedy,
    extensions: { service: "postgresql", ...(address && { host: address.host, port: address.port }), cause },
  });
}

function superuserRuns(sql: string): string {
  return `Run deploy/postgresql/create-roles.sh again, or have a superuser run: ${sql};`;
}

/** The migration set makes it anew, whatever is left of it. */
function ownerRuns(first: string): string {
  return `As the role that owns the tables, run in this database: ${first}delete from drizzle.__peer_reader_migrations; then start the gateway, which makes the policies anew.`;
}
