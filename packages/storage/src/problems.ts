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
  database_timeout: {
    status: 503,
    title: "The database took too long to answer.",
    remedy: "Try again; if it lasts, look for slow queries or locks in PostgreSQL.",
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
  unsealing_failed: {
    status: 500,
    title: "A sealed value can't be opened.",
    remedy:
      "Check that MOSAIC_SEAL_KEY (or BETTER_AUTH_SECRET, where that isn't set) is the one the value was sealed with.",
  },
});
