import type { Clock } from "@mosaicstack/foundation";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import type { PeerRow } from "./peer-store.ts";

/** How long another replica of this gateway may go on with a peer that was removed or added here. */
const MAX_AGE_MS = 5_000;
const MAX_USERS = 1_000;

/** Each user's peers, kept for a moment so that a query costs no database read. Held by user: nobody finds another's. */
export interface UserPeers {
  of(userId: string): Promise<readonly PeerRow[]>;
  /** To be called after every change to the user's peers. */
  forget(userId: string): void;
}

export function createUserPeers(load: (userId: string) => Promise<readonly PeerRow[]>, clock: Clock): UserPeers {
  const entries = new LeastRecentlyUsed<{ readonly staleAt: number; readonly rows: Promise<readonly PeerRow[]> }>(
    MAX_USERS,
  );
  return {
    of(userId) {
      const now = clock.now().getTime();
      const known = entries.get(userId);
      if (known !== undefined && now < known.staleAt) return known.rows;
      const entry = { staleAt: now + MAX_AGE_MS, rows: load(userId) };
      entries.set(userId, entry);
      // A failure is told to those who wait, and not kept for those who come.
      entry.rows.catch(() => {
        if (entries.get(userId) === entry) entries.delete(userId);
      });
      return entry.rows;
    },
    forget: (userId) => entries.delete(userId),
  };
}
