import { newId, Problem } from "@mosaicstack/foundation";
import { type ScriptedPeer, startScriptedPeer } from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { createPeers, type PeerAlert, type Peers } from "../../src/index.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const { federationAuditLog, federationPeers, users } = schema;

/** A user's gateway and the one it reads from, over real TLS, each with a clock that a test moves. */
export interface Scene {
  readonly store: Store;
  readonly gateway: ScriptedPeer;
  readonly ada: string;
  readonly alerts: PeerAlert[];
  peers: Peers;
  /** What `random` gives; 0.5 until a test says otherwise. */
  random: () => number;
  /** How far this gateway's clock is ahead of the peer's. */
  skewMs: number;
  /** Moves both clocks. */
  advance(ms: number): void;
  now(): Date;
  /** As after a restart: nothing but the database is left. */
  restart(store?: Pick<Store, "db" | "transaction">): Promise<Peers>;
  row(): Promise<typeof federationPeers.$inferSelect>;
  audits(): Promise<(typeof federationAuditLog.$inferSelect)[]>;
  /** Asks the peer as a query does. */
  ask(): Promise<unknown>;
  stop(): Promise<void>;
}

/** @param store shared by a file's tests, each of which has a user of its own */
export async function startScene(store: Store, options: Parameters<typeof startScriptedPeer>[0] = {}): Promise<Scene> {
  const gateway = await startScriptedPeer(options);
  const ada = newId();
  await store.db.insert(users).values({ id: ada, name: "Ada", email: `${ada}@example.org` });
  const sealer = createSealer({ secret: "a secret for the tests of renewal, long enough" });
  let movedMs = 0;
  gateway.now = () => new Date(Date.now() + movedMs);
  const now = () => new Date(Date.now() + movedMs + scene.skewMs);
  const make = (over: Pick<Store, "db" | "transaction">) =>
    createPeers({
      store: over,
      sealer,
      clock: { now },
      random: () => scene.random(),
      alert: (alert) => scene.alerts.push(alert),
    });
  const scene: Scene = {
    store,
    gateway,
    ada,
    alerts: [],
    peers: undefined as never,
    random: () => 0.5,
    skewMs: 0,
    advance: (ms) => void (movedMs += ms),
    now,
    async restart(over = store) {
      await scene.peers.close().catch(() => undefined);
      scene.peers = make(over);
      return scene.peers;
    },
    async row() {
      const [row] = await store.db.select().from(federationPeers).where(eq(federationPeers.userId, ada));
      if (row === undefined) throw new Error("there is no peer");
      return row;
    },
    audits: async () =>
      await store.db
        .select()
        .from(federationAuditLog)
        .where(eq(federationAuditLog.subjectUserId, ada))
        .orderBy(federationAuditLog.at, federationAuditLog.id),
    async ask() {
      const [source] = await scene.peers.sourcesOf(ada);
      if (source === undefined) throw new Error("there is no source");
      return await source.capabilities(AbortSignal.timeout(10_000));
    },
    async stop() {
      await scene.peers.close().catch(() => undefined);
      await gateway.stop();
      // With their peers: the next scene's job sees its own alone.
      await store.db.delete(users).where(eq(users.id, ada));
    },
  };
  scene.peers = make(store);
  return scene;
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "ok",
    (error: unknown) => (error instanceof Problem ? error.code : `fault: ${String(error)}`),
  );
}
