#!/usr/bin/env bash
# Makes what a Mosaic gateway needs on a PostgreSQL server: `create-roles.sh --help` says what, and how.
set -euo pipefail

usage() {
  cat <<'USAGE'
Makes the database of a Mosaic gateway, its extensions, and three roles:

  mosaic_owner        owns the schema and migrates it
  mosaic              what the gateway runs as: reads and writes rows, and can neither change the schema nor bypass row security
  mosaic_peer_reader  what it becomes while it reads for a peer: reads what row security lets it, and can't sign in. Gateways
                      that share the server share the role, and nothing else

Usage: CREATE_ROLES_OWNER_PASSWORD_FILE=… CREATE_ROLES_RUNTIME_PASSWORD_FILE=… create-roles.sh

Run it as a superuser, with psql 15 or newer. Again does no harm: it sets the passwords anew, takes over tables another
role made in the database's schema `public`, and grants what is missing.

Where the server is: libpq's variables (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGPASSFILE, PGSSLMODE, PGSSLROOTCERT …).
In the PostgreSQL image, as a script in /docker-entrypoint-initdb.d, it needs none of them.

  CREATE_ROLES_OWNER_PASSWORD[_FILE]     required: mosaic_owner's password, or a file that holds it
  CREATE_ROLES_RUNTIME_PASSWORD[_FILE]   required: mosaic's password, or a file that holds it
  CREATE_ROLES_DATABASE                  the database, made if it isn't there. Default: mosaic
  CREATE_ROLES_OWNER_ROLE                Default: mosaic_owner
  CREATE_ROLES_RUNTIME_ROLE              Default: mosaic
USAGE
}

refuse() {
  echo "create-roles.sh: $1" >&2
  exit 2
}

# Puts a secret in the environment from its variable or its file. It never becomes an argument, which others could see.
take_secret() {
  local name=$1 file_name="$1_FILE"
  if [[ -n ${!file_name:-} ]]; then
    [[ -z ${!name:-} ]] || refuse "Give $name or $file_name, not both."
    [[ -r ${!file_name} ]] || refuse "$file_name names no file that can be read."
    printf -v "$name" '%s' "$(<"${!file_name}")"
  fi
  [[ -n ${!name:-} ]] || refuse "$name (or $file_name) is missing. Help: create-roles.sh --help"
  export "${name?}"
}

case ${1:-} in
  "") ;;
  -h | --help)
    usage
    exit 0
    ;;
  *) refuse "It takes no arguments. Help: create-roles.sh --help" ;;
esac

command -v psql >/dev/null || refuse "psql isn't installed."
version=$(psql --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
[[ $version -ge 15 ]] || refuse "psql $version is too old: it takes psql 15 or newer, which reads the passwords itself."
take_secret CREATE_ROLES_OWNER_PASSWORD
take_secret CREATE_ROLES_RUNTIME_PASSWORD

owner_role=${CREATE_ROLES_OWNER_ROLE:-mosaic_owner}
runtime_role=${CREATE_ROLES_RUNTIME_ROLE:-mosaic}
database=${CREATE_ROLES_DATABASE:-mosaic}
[[ $owner_role != "$runtime_role" ]] || refuse "The two roles must be two."
[[ $owner_role != mosaic_peer_reader && $runtime_role != mosaic_peer_reader ]] ||
  refuse "mosaic_peer_reader is the role that reads for peers: it can be neither."

# The PostgreSQL image says whom it made the superuser.
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}"
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
[[ $PGUSER != "$runtime_role" && $PGUSER != "$owner_role" ]] ||
  refuse "Run it as a superuser other than $owner_role and $runtime_role: the roles it makes are none."

ask=(psql --no-psqlrc --quiet --tuples-only --no-align --dbname "${PGDATABASE:-postgres}")
superuser=$("${ask[@]}" --command "select rolsuper from pg_roles where rolname = current_user")
[[ $superuser == t ]] || refuse "$PGUSER isn't a superuser: extensions and ownership take one."

"${ask[@]}" --set ON_ERROR_STOP=1 --set VERBOSITY=terse \
  --set owner="$owner_role" --set runtime="$runtime_role" --set database="$database" >/dev/null <<'SQL'
\getenv owner_password CREATE_ROLES_OWNER_PASSWORD
\getenv runtime_password CREATE_ROLES_RUNTIME_PASSWORD

-- The statements that set passwords must not be kept by the server's log or statistics.
select set_config(name, value, false)
from (values ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'),
             ('log_min_error_statement', 'panic'), ('log_transaction_sample_rate', '0'),
             ('pg_stat_statements.track_utility', 'off')) as quiet (name, value);

select format('create role %I', role) from unnest(array[:'owner', :'runtime']) as role
where not exists (select from pg_roles where rolname = role) \gexec
alter role :"owner" with login nosuperuser nobypassrls nocreatedb nocreaterole noreplication
  password :'owner_password';
alter role :"runtime" with login noinherit nosuperuser nobypassrls nocreatedb nocreaterole noreplication
  password :'runtime_password';

-- Another database's script may be making it at this moment.
do $$ begin
  if not exists (select from pg_roles where rolname = 'mosaic_peer_reader') then create role mosaic_peer_reader; end if;
exception when duplicate_object or unique_violation then null;
end $$;
select 'alter role mosaic_peer_reader nologin noinherit nosuperuser nobypassrls nocreatedb nocreaterole noreplication'
from pg_roles where rolname = 'mosaic_peer_reader' and (rolcanlogin or rolinherit or rolsuper or rolbypassrls or rolcreatedb
  or rolcreaterole or rolreplication) \gexec
-- Whatever the runtime role might become, it would have the rights of: but the peers' reader it must become, without having
-- its rights before. From PostgreSQL 16 the grant says so; until then it's the runtime role's own NOINHERIT that does.
select :SERVER_VERSION_NUM >= 160000 as grants_say_inherit \gset
\if :grants_say_inherit
  \set as_wanted 'set_option and not inherit_option and not admin_option'
  \set how 'with inherit false, set true'
\else
  \set as_wanted 'not admin_option'
  \set how ''
\endif
select format('revoke %I from %I granted by %I', granted.rolname, holder.rolname, giver.rolname)
from pg_auth_members
join pg_roles as granted on granted.oid = roleid
join pg_roles as holder on holder.oid = member
join pg_roles as giver on giver.oid = grantor
where holder.rolname = 'mosaic_peer_reader'
  or holder.rolname = :'runtime' and not (granted.rolname = 'mosaic_peer_reader' and :as_wanted) \gexec
select format('grant mosaic_peer_reader to %I %s', :'runtime', :'how')
where not exists (
  select from pg_auth_members
  where roleid = 'mosaic_peer_reader'::regrole and member = (select oid from pg_roles where rolname = :'runtime')) \gexec

select format('create database %I owner %I', :'database', :'owner')
where not exists (select from pg_database where datname = :'database') \gexec
alter database :"database" owner to :"owner";
revoke all on database :"database" from public, :"runtime";
grant connect on database :"database" to :"runtime";

\connect :"database"
-- Extensions belong to the superuser: the owner may use them, and not change them.
create extension if not exists vector;
create extension if not exists pg_trgm;

begin;
create schema if not exists drizzle;

-- Tables that another role made, in a gateway's days with a single role, become the owner's.
with strangers as (
  select format('%I.%I', nspname, relname) as name, relkind
  from pg_class join pg_namespace on pg_namespace.oid = relnamespace
  where nspname in ('public', 'drizzle') and relkind in ('r', 'p', 'v', 'm', 'S')
    and relowner <> (select oid from pg_roles where rolname = :'owner')
    and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = pg_class.oid
                    and deptype in ('e', 'a', 'i') and (deptype = 'e' or relkind = 'S'))
)
select format('alter %s %s owner to %I', case relkind when 'v' then 'view' when 'm' then 'materialized view'
                                         when 'S' then 'sequence' else 'table' end, name, :'owner')
from strangers \gexec
select format('alter type %I.%I owner to %I', nspname, typname, :'owner')
from pg_type join pg_namespace on pg_namespace.oid = typnamespace
where nspname in ('public', 'drizzle') and typtype in ('e', 'd')
  and typowner <> (select oid from pg_roles where rolname = :'owner')
  and not exists (select from pg_depend where classid = 'pg_type'::regclass and objid = pg_type.oid and deptype = 'e')
\gexec
select format('alter routine %s owner to %I', pg_proc.oid::regprocedure, :'owner')
from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
where nspname = 'public' and proowner <> (select oid from pg_roles where rolname = :'owner')
  and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = pg_proc.oid and deptype = 'e')
\gexec
alter schema public owner to :"owner";
alter schema drizzle owner to :"owner";

revoke all on schema public, drizzle from public, :"runtime";
grant usage on schema public, drizzle to :"runtime";
revoke all on all tables in schema public, drizzle from public, :"runtime";
revoke all on all sequences in schema public, drizzle from public, :"runtime";
grant select, insert, update, delete on all tables in schema public to :"runtime";
grant usage, select on all sequences in schema public to :"runtime";
-- Which migrations the database has.
grant select on all tables in schema drizzle to :"runtime";

-- The same for what the owner makes later.
alter default privileges for role :"owner" in schema public
  grant select, insert, update, delete on tables to :"runtime";
alter default privileges for role :"owner" in schema public grant usage, select on sequences to :"runtime";
alter default privileges for role :"owner" in schema drizzle grant select on tables to :"runtime";
commit;
SQL

echo "create-roles.sh: database $database is ready; $owner_role migrates, $runtime_role runs." >&2
