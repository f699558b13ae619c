import { getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import * as schema from "../schema/index.ts";
import type { ReadStore } from "../store.ts";
import { PEER_READER } from "./bounds-statement.ts";

/** The tables whose rows peers read, each behind policies. */
export const GUARDED_TABLES: readonly string[] = ["tasks", "notes", "memories", "credentials", "teams", "team_members"];

/** All of ours: none is an extension's, whatever the catalogue says. */
const TABLES: readonly string[] = Object.values(schema).flatMap((each) =>
  is(each, PgTable) ? [getTableName(each)] : [],
);

/** The functions the wall is made of. Another of the same name would be found in their place. */
const FUNCTIONS: readonly string[] = ["set_peer_bounds", "peer_spaces"];

/** Something the second wall is made of, as the database tells it now. */
export interface WallPart {
  /** E.g. `policy peer_bounds of tasks`. */
  readonly part: string;
  /** What it is, in words that all versions of PostgreSQL share. */
  readonly is: string;
  /** SQL that takes it away, where it should not be there at all. */
  readonly drop: string;
  /** SQL to run before the migrations make it anew. Empty: they make it over. */
  readonly mend: string;
}

/**
 * Reads all that decides what the peers' role sees: who owns the guarded tables, their row security, every policy on them with what
 * it calls, what makes a row's space, the wall's functions, whole, those that peers' statements would take in the place of the
 * server's own, and every column the role may read, of whatever table. Whoever asks may be any role.
 */
export async function readWallParts(query: ReadStore["query"]): Promise<readonly WallPart[]> {
  const parts = await query<WallPart>(PARTS_SQL, [GUARDED_TABLES, FUNCTIONS, TABLES]);
  // Row security first, which says who owns the tables: an owner has every right, and would be told of each.
  const rank = ({ part }: WallPart): string => `${part.startsWith("row security") ? 0 : 1} ${part}`;
  return parts.toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1));
}

/**
 * Every object that an expression or a body is bound to, with its schema, wherever the search path leads; what the server pins, its
 * own functions, is not among them.
 */
const boundTo = (catalogue: string, object: string): string => `coalesce((
  select string_agg(distinct named.identity collate "C", ', ' order by named.identity collate "C")
  from pg_depend cross join pg_identify_object(refclassid, refobjid, refobjsubid) as named
  where classid = '${catalogue}'::regclass and objid = ${object} and deptype in ('n', 'a')
    and refclassid in ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)), 'nothing')`;

/** An extension didn't bring it. */
const isOurs = (catalogue: string, object: string): string =>
  `not exists (select from pg_depend where classid = '${catalogue}'::regclass and objid = ${object} and deptype = 'e')`;

/** Without `public.`, which is printed or not by the search path. */
const textOf = (expression: string): string =>
  `coalesce(replace(pg_get_expr(${expression}, polrelid), 'public.', ''), 'none')`;

/** What an extension brought, such as a view of statistics that everybody may read, holds nothing of ours. */
const PARTS_SQL = `
  with reader as (select oid from pg_roles where rolname = '${PEER_READER}'), relations as (
    select pg_class.oid, relname as name, relowner, relrowsecurity, relname = any($1::text[]) as guarded
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
      and (relname = any($3::text[]) or ${isOurs("pg_class", "pg_class.oid")})
  ), changeable as (
    select relations.oid from relations cross join reader
    where has_table_privilege(reader.oid, relations.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
      or has_any_column_privilege(reader.oid, relations.oid, 'INSERT, UPDATE, REFERENCES')
  ), readable as (
    select relations.oid, string_agg(quote_ident(attname), ', ' order by attname collate "C") as columns
    from relations cross join reader join pg_attribute on attrelid = relations.oid
    where attnum > 0 and not attisdropped and has_column_privilege(reader.oid, relations.oid, attnum, 'SELECT')
    group by relations.oid
  ), owner as (select relowner as oid, quote_ident(pg_get_userbyid(relowner)) as name from relations where name = 'users')
  select format('row security of %I', name) as part, '' as drop,
    case when relowner = (select oid from reader) then format('alter table %I owner to %s; ', name, (select name from owner)) else '' end as mend,
    case when not relrowsecurity then 'off'
         when relowner = (select oid from reader) then 'not for its owner, who is the reader' else 'on' end as is
  from relations where guarded
  union all
  select format('column space_id of %I', name), '', '',
    concat_ws(' ', case attgenerated when 's' then 'always' else 'not always' end, pg_get_expr(adbin, adrelid))
  from relations join pg_attribute on attrelid = relations.oid and attname = 'space_id'
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where guarded
  union all
  select format('policy %I of %I', polname, name), format('drop policy %I on %I; ', polname, name), format('drop policy %I on %I; ', polname, name),
    concat_ws(' ', case when polpermissive then 'permissive' else 'restrictive' end, 'for', polcmd, 'to',
      (select string_agg(coalesce(quote_ident(rolname), 'everybody'), ', ' order by rolname collate "C")
       from unnest(polroles) as role left join pg_roles on pg_roles.oid = role),
      'using', ${textOf("polqual")}, 'with check', ${textOf("polwithcheck")}, 'of', ${boundTo("pg_policy", "pg_policy.oid")})
  from pg_policy join relations on relations.oid = polrelid where guarded
  union all
  select format('function %I(%s)', proname, arguments), format('drop function public.%I(%s); ', proname, arguments),
    case when proowner = owner.oid then ''
         else format('alter function public.%I(%s) owner to %s; ', proname, arguments, owner.name) end,
    concat_ws(' ', case when prosecdef then 'security definer' else 'security invoker' end,
      case when proowner = owner.oid then 'of the tables'' owner'
           else 'of another owner' end,
      case when has_function_privilege(reader.oid, pg_proc.oid, 'EXECUTE') then 'for the reader' else 'not for the reader' end,
      case when prokind = 'a' then 'aggregate'
           else encode(sha256(convert_to(pg_get_functiondef(pg_proc.oid), 'UTF8')), 'hex') end, 'of', ${boundTo("pg_proc", "pg_proc.oid")})
  from pg_proc cross join reader cross join owner cross join pg_get_function_identity_arguments(pg_proc.oid) as arguments
  where pronamespace = 'public'::regnamespace and (proname = any($2::text[]) or ${isOurs("pg_proc", "pg_proc.oid")}
    and exists (select from pg_proc as own where own.pronamespace = 'pg_catalog'::regnamespace and own.proname = pg_proc.proname))
  union all
  select format('operator %s', oid::regoperator), format('drop operator %s; ', oid::regoperator), format('drop operator %s; ', oid::regoperator), 'ours'
  from pg_operator where oprnamespace = 'public'::regnamespace and ${isOurs("pg_operator", "pg_operator.oid")}
  union all
  select format('access of ${PEER_READER} to %I', name), format('revoke all on %I from public, ${PEER_READER}; ', name),
    format('revoke all on %I from public, ${PEER_READER}; ', name),
    concat_ws(', and ', readable.columns, case when changeable.oid is not null then 'may change it' end)
  from relations left join readable using (oid) left join changeable using (oid)
  where readable.oid is not null or changeable.oid is not null`;
