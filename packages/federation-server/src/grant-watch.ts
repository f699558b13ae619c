import type { Coordination } from "@mosaicstack/coordination";
import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq, gt, inArray, isNull, or } from "drizzle-orm";
import type { LiveSockets } from "./live-sockets.ts";
import { GRANT_CHANGED } from "./revocation.ts";

const { federationGrants } = schema;

/** Half of the second within which a revocation must hold on every replica: the other half is for the query. */
const POLL_MS = 500;
/** What one statement asks about at most: the protocol allows 65,535 parameters. */
const MOST_PER_QUERY = 10_000;

/** Keeps this replica's open sockets to those of grants that are active, whoever ended or suspended one, and wherever. */
export interface GrantWatch {
  /** Begins to hear of changes, and to poll. Every replica does so: not a job that one of them runs. */
  start(): void;
  /** Cuts the sockets of those grants that are not active now. One query; none where no socket is open. */
  pollLiveGrants(): Promise<void>;
  /** Ends polling and waits for the poll under way. */
  stop(): Promise<void>;
}

/**
 * The broadcast is the fast path, and may be lost; the poll is the floor. Both only look: what a grant is, its row says.
 * Where the database can't be asked nothing is cut, since without it no request is answered either.
 */
export function createGrantWatch(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly liveSockets: LiveSockets;
  readonly coordination: Pick<Coordination, "subscribe">;
  /** Hears why the database couldn't be asked. */
  readonly onFault: (error: unknown) => void;
  /** Default: 500. */
  readonly pollMs?: number;
}): GrantWatch {
  const { store, clock, liveSockets, onFault, pollMs = POLL_MS } = dependencies;
  const looking = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function cutInactive(grantIds: readonly string[]): Promise<void> {
    for (let from = 0; from < grantIds.length; from += MOST_PER_QUERY) {
      const asked = grantIds.slice(from, from + MOST_PER_QUERY);
      const { id, status, expiresAt } = federationGrants;
      const lives = or(isNull(expiresAt), gt(expiresAt, clock.now()));
      const rows = await store.db
        .select({ id })
        .from(federationGrants)
        .where(and(inArray(id, asked), eq(status, "active"), lives));
      const active = new Set(rows.map((row) => row.id));
      for (const grantId of asked) if (!active.has(grantId)) liveSockets.cut(grantId);
    }
  }

  function look(grantIds: readonly string[]): Promise<void> {
    const looked = cutInactive(grantIds).catch(onFault);
    looking.add(looked);
    return looked.finally(() => looking.delete(looked));
  }

  function pollAgain(): void {
    if (isStopped) return;
    timer = setTimeout(() => void look(liveSockets.grantIds()).then(pollAgain), pollMs).unref();
  }

  return {
    start() {
      dependencies.coordination.subscribe(GRANT_CHANGED, (grantId) => {
        if (!isStopped && liveSockets.count(grantId) > 0) void look([grantId]);
      });
      pollAgain();
    },
    pollLiveGrants: () => cutInactive(liveSockets.grantIds()),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await Promise.all(looking);
    },
  };
}
