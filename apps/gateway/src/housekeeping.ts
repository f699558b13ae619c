import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { lt } from "drizzle-orm";
import type { FastifyBaseLogger } from "fastify";

const HOUR_MS = 3_600_000;

/** How long a creation may be retried with its Idempotency-Key. */
const IDEMPOTENCY_MS = 24 * HOUR_MS;

/** Deletes what time has made useless: sessions that ended, setup codes, Idempotency-Keys after a day. */
export async function keepHouse(store: Store, now: Date): Promise<void> {
  const { sessions, verifications, idempotencyKeys } = schema;
  await store.db.delete(sessions).where(lt(sessions.expiresAt, now));
  await store.db.delete(verifications).where(lt(verifications.expiresAt, now));
  await store.db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, new Date(now.getTime() - IDEMPOTENCY_MS)));
}

/** Keeps house every hour. Several replicas may do so at once. @returns how to end it */
export function startHousekeeping(store: Store, clock: Clock, log: FastifyBaseLogger): () => Promise<void> {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = keepHouse(store, clock.now()).catch((error: unknown) => log.error({ err: error }, "housekeeping failed"));
  }, HOUR_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
