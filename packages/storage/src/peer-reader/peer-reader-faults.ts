import type { Problem } from "@mosaicstack/foundation";
import { problem } from "../problems.ts";
import type { ReadStore } from "../store.ts";
import { PEER_READER } from "./bounds-statement.ts";
import { CREATE_PEER_READER, grantPeerReader } from "./peer-reader-role.ts";
import { WALL } from "./wall.ts";
import { readWallParts, type WallPart } from "./wall-parts.ts";

/** What is wrong with the second wall: a clause, and the SQL that mends it. */
export interface PeerReaderFault {
  readonly cause: string;
  /** Who runs what, in which database. */
  readonly remedy: string;
}

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

/** Whoever may change the database sets neither whose functions a look runs by, nor how it prints what it finds. */
const LOOK_PLAINLY = ["set search_path to pg_catalog", "set quote_all_identifiers to off"];

/**
 * Looks whether the second wall stands: the role, and all that {@link WALL} has, each part as the migrations make it and none beside it.
 *
 * @param query on one connection, which nobody uses afterwards, or in a transaction that is rolled back: its settings are changed
 * @param user the role a gateway runs as
 */
export async function peerReaderFault(query: ReadStore["query"], user: string): Promise<PeerReaderFault | undefined> {
  for (const setting of LOOK_PLAINLY) await query(setting, []);
  return (await peerReaderRoleFault(query, user)) ?? wallFault(await readWallParts(query));
}

/** The first part that isn't as it was made. */
function wallFault(found: readonly WallPart[]): PeerReaderFault | undefined {
  for (const { part, is, drop, mend } of found) {
    const made = WALL.get(part);
    if (made === is) continue;
    if (made === undefined) return { cause: `${part} is none that the migrations make`, remedy: ownerRuns(drop) };
    if (part.startsWith("column")) return { cause: `${part} is ${is}`, remedy: RESTORE };
    const cause = part.startsWith("row security") ? `${part} is ${is}` : `${part} is not as the migrations make it`;
    return { cause, remedy: mend.startsWith("alter") ? superuserRunsHere(mend) : ownerRuns(mend) };
  }
  const names = new Set(found.map(({ part }) => part));
  const gone = [...WALL.keys()].find((part) => !names.has(part));
  return gone === undefined ? undefined : { cause: `${gone} is gone`, remedy: ownerRuns("") };
}

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

const RESTORE = "Restore the database from a backup: whose row is whose may have been changed.";

function superuserRuns(sql: string): string {
  return `Run deploy/postgresql/create-roles.sh again, or have a superuser run: ${sql};`;
}

const AGAIN = "delete from drizzle.__peer_reader_migrations; then start the gateway, which makes the policies anew.";

function superuserRunsHere(first: string): string {
  return `As a superuser, run in this database: ${first}${AGAIN}`;
}

/** The migration set makes it anew, whatever is left of it. */
function ownerRuns(first: string): string {
  return `As the role that owns the tables, run in this database: ${first}${AGAIN}`;
}
