import { problemTable } from "@mosaicstack/foundation";

/** What storage refuses or fails with. The detail never holds a password, a parameter's value or a row. */
export const problem = problemTable({
  data_directory_locked: {
    status: 503,
    title: "Another process has this data directory open.",
    remedy: "Stop the other process, or give this one its own data directory.",
  },
  data_directory_unusable: {
    status: 503,
    title: "The data directory can't be used.",
    remedy: "Check that the path is a directory this user may write to, and that the disk isn't full.",
  },
  database_unreachable: {
    status: 503,
    title: "The database can't be reached.",
    remedy: "Check that PostgreSQL runs, and that the host, port, user and password are right.",
  },
  database_busy: {
    status: 503,
    title: "Every database connection is in use.",
    remedy: "Try again in a moment; if it lasts, raise database.poolSize or look for slow queries.",
  },
  database_full: {
    status: 503,
    title: "The database's disk is full.",
    remedy:
      "Free space where PostgreSQL keeps its data, or give it more, then try again: what was cut off is undone, and a migration goes on where it was.",
  },
  database_timeout: {
    status: 503,
    title: "The database took too long to answer.",
    remedy: "Try again; if it lasts, look for slow queries or locks in PostgreSQL.",
  },
  database_closed: {
    status: 503,
    title: "The database is closed.",
    remedy: "The gateway is stopping: try again once it has started anew.",
  },
  database_forbidden: {
    status: 503,
    title: "The database's user lacks a right it needs.",
    remedy: "Run deploy/postgresql/create-roles.sh again: it grants what the gateway's user needs.",
  },
  database_outdated: {
    status: 503,
    title: "The database lacks migrations, and this user may not apply them.",
    remedy:
      "Set database.migrationUser and POSTGRES_MIGRATION_PASSWORD to the role that owns the schema (deploy/postgresql/create-roles.sh makes one), or start a gateway that has them once.",
  },
  database_newer: {
    status: 503,
    title: "A newer version of this program has already changed the database.",
    remedy: "Run the newer version, or restore the backup made before the upgrade.",
  },
  migrations_busy: {
    status: 503,
    title: "Another process has been changing the database's schema for too long.",
    remedy: "Wait until it's done, or end it if it hangs, then start again.",
  },
  vector_unavailable: {
    status: 503,
    title: "The database can't provide the vector extension.",
    remedy: "Install pgvector on the database server, or have a superuser run: CREATE EXTENSION vector",
  },
  peer_reader_unavailable: {
    status: 503,
    title: "The database lacks the second wall around what peers may read.",
    remedy:
      "Run deploy/postgresql/create-roles.sh again, then start the gateway: it makes the role mosaic_peer_reader, and the start the policies.",
  },
  trigrams_unavailable: {
    status: 503,
    title: "The database can't provide the pg_trgm extension.",
    remedy:
      "Install PostgreSQL's contrib modules on the database server, or have the database's owner run: CREATE EXTENSION pg_trgm",
  },
  source_missing: {
    status: 404,
    title: "There is no gateway's data to migrate.",
    remedy: "Run the command where `mosaic start` runs, or name its configuration with --config.",
  },
  source_outdated: {
    status: 409,
    title: "The source's tables are of an older version.",
    remedy: "Start this version's gateway on the source once, stop it, and migrate then.",
  },
  source_in_use: {
    status: 409,
    title: "A gateway is using the source.",
    remedy: "Stop the gateway, then run the command again: what it wrote meanwhile would stay behind.",
  },
  target_in_use: {
    status: 409,
    title: "A gateway is using the target.",
    remedy: "Stop the gateway, then run the command again.",
  },
  target_is_source: {
    status: 409,
    title: "Source and target are the same database.",
    remedy: "Give the target a database of its own: CREATE DATABASE mosaic",
  },
  target_not_empty: {
    status: 409,
    title: "The target is not empty.",
    remedy: "Use an empty database, or add --allow-non-empty to leave what is there and add the rest.",
  },
  target_conflict: {
    status: 409,
    title: "The target has a row that is in the way.",
    remedy: "Migrate into an empty database: nothing that is in the target is overwritten.",
  },
  target_forbidden: {
    status: 403,
    title: "This user may not set up the target.",
    remedy: "Connect as the role that owns the target's schema; deploy/postgresql/create-roles.sh makes one.",
  },
  migration_running: {
    status: 409,
    title: "Another migration into this database is running.",
    remedy: "Wait until it's done. If it was cut off, the server notices within minutes; try again then.",
  },
  migration_differs: {
    status: 500,
    title: "The rows in the target are not those of the source.",
    remedy: "Look for a trigger or another program that changes rows in the target; then use a new, empty database.",
  },
  seal_key_differs: {
    status: 500,
    title: "The database has values sealed with another key than the one configured.",
    remedy:
      "Set MOSAIC_SEAL_KEY (or BETTER_AUTH_SECRET, where that isn't set) to what it was when they were sealed; after `mosaic seal rotate`, set MOSAIC_SEAL_KEY_FILE to the new key's file.",
  },
  seal_values_unopened: {
    status: 409,
    title: "Sealed values don't open with the key this gateway has.",
    remedy:
      "Set MOSAIC_SEAL_KEY (or BETTER_AUTH_SECRET, where that isn't set) to the key they were sealed with. Values that no key opens were tampered with or moved: delete their rows, then run the command again.",
  },
  unsealing_failed: {
    status: 500,
    title: "A sealed value can't be opened.",
    remedy:
      "Check that MOSAIC_SEAL_KEY (or BETTER_AUTH_SECRET, where that isn't set) is the one the value was sealed with.",
  },
});
