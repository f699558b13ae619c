import type { PGlite } from "@electric-sql/pglite";

export interface HousekeepingOptions {
  /** How often to look. Default 15,000. */
  readonly everyMs?: number;
  /** How much must have been written since the last time. Default 4 MiB. */
  readonly afterBytes?: number;
}

const WRITTEN_SQL = `select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()`;

/**
 * What a served PostgreSQL does in processes of its own and PGlite, being one process, never does by itself: checkpoints,
 * without which the write-ahead log grows without end and the start after a kill takes as long as replaying it all; and
 * VACUUM and ANALYZE, without which deleted rows keep their space and the planner knows nothing of the tables.
 *
 * Everything else waits meanwhile: 0.1 to 0.5 s at each 4 MiB written, at most every 15 s.
 *
 * @returns stops it.
 */
export function keepHouse(
  client: PGlite,
  { everyMs = 15_000, afterBytes = 4 * 2 ** 20 }: HousekeepingOptions = {},
): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    cleanUp(client, afterBytes)
      // Nothing is lost, and the next round tries again. A full disk fails the next write, whose caller is told.
      .catch(() => undefined)
      .finally(() => (busy = false));
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function cleanUp(client: PGlite, afterBytes: number): Promise<void> {
  const { rows } = await client.query<{ bytes: number }>(WRITTEN_SQL);
  if ((rows[0]?.bytes ?? 0) < afterBytes) return;
  await client.query("vacuum (analyze)");
  await client.query("checkpoint");
}
