import { schema, type Store } from "@mosaicstack/storage";
import { lt } from "drizzle-orm";

const HOUR_MS = 3_600_000;

/** How often {@link keepHouse} is due. */
export const HOUSEKEEPING_MS = HOUR_MS;

/** How long a creation may be retried with its Idempotency-Key. */
const IDEMPOTENCY_MS = 24 * HOUR_MS;

/** Deletes what time has made useless: sessions that ended, setup codes, Idempotency-Keys after a day. */
export async function keepHouse(store: Store, now: Date): Promise<void> {
  const { sessions, verifications, idempotencyKeys } = schema;
  await store.db.delete(sessions).where(lt(sessions.expiresAt, now));
  await store.db.delete(verifications).where(lt(verifications.expiresAt, now));
  await store.db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, new Date(now.getTime() - IDEMPOTENCY_MS)));
}
