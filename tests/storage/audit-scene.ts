import { randomBytes } from "node:crypto";
import { newId, systemClock } from "@mosaicstack/foundation";
import {
  type AuditChain,
  type AuditEntry,
  type AuditHead,
  type AuditQueue,
  type AuditQueueEvent,
  type AuditQueueLimits,
  type AuditRow,
  type AuditVerification,
  createAuditQueue,
  createSealer,
  openAuditChain,
  readAuditHead,
  schema,
  type Store,
  verifyAudit,
} from "@mosaicstack/storage";
import { afterAll, beforeAll, beforeEach } from "vitest";

export const clock = systemClock;
export const sealer = createSealer({ secret: randomBytes(32).toString("base64url") });

/** An entry of a served request. */
export function served(overrides: Partial<AuditEntry> = {}): AuditEntry {
  return {
    side: "serving",
    event: "request",
    outcome: "ok",
    grantId: newId(),
    subjectUserId: newId(),
    serial: "0a",
    requestId: newId(),
    verb: "list",
    resource: "tasks",
    queryHash: "q",
    rows: 50,
    bytes: 12_345,
    tookMs: 1.234_567,
    ...overrides,
  };
}

type QueueStore = Pick<Store, "query" | "transaction">;

/** An empty audit for each test, on one store. */
export interface AuditScene {
  readonly store: Store;
  readonly chain: AuditChain;
  readonly queue: AuditQueue;
  /** What the queue has told. */
  readonly events: AuditQueueEvent[];
  /** Another queue in the place of the one there is. */
  readonly newQueue: (limits?: Partial<AuditQueueLimits>, over?: QueueStore) => Promise<AuditQueue>;
  /** As somebody who may do anything in the database, and not by way of the gateway. */
  readonly tamper: (...statements: string[]) => Promise<void>;
  /** By position; what has none yet stands last. */
  readonly rows: () => Promise<AuditRow[]>;
  readonly verify: (expected?: AuditHead) => Promise<AuditVerification>;
  /** @throws where it is gone */
  readonly head: () => Promise<AuditHead>;
  /** Writes so many entries. The ids of all there are, by position. */
  readonly recordSome: (count: number) => Promise<string[]>;
}

/** Registers what makes and ends the scene. @param open gives a fresh, empty, migrated store */
export function auditScene(open: () => Promise<Store>): AuditScene {
  let store: Store;
  let chain: AuditChain;
  let queue: AuditQueue | undefined;
  let events: AuditQueueEvent[] = [];

  const scene: AuditScene = {
    get store() {
      return store;
    },
    get chain() {
      return chain;
    },
    get queue() {
      if (queue === undefined) throw new Error("there is no queue before a test begins");
      return queue;
    },
    get events() {
      return events;
    },
    newQueue: async (limits = {}, over = store) => {
      await queue?.close();
      queue = createAuditQueue({ store: over, clock, chain, limits, onEvent: (event) => events.push(event) });
      return queue;
    },
    tamper: async (...statements) =>
      await store.transaction(async (db) => {
        await db.execute("set local session_replication_role = replica");
        await db.execute("alter table federation_audit_log disable trigger all");
        for (const statement of statements) await db.execute(statement);
        await db.execute("alter table federation_audit_log enable trigger all");
      }),
    rows: async () =>
      await store.db.select().from(schema.federationAuditLog).orderBy(schema.federationAuditLog.position),
    verify: async (expected) =>
      await verifyAudit({ store, chain, ...(expected === undefined ? {} : { expect: expected }) }),
    head: async () => {
      const found = await readAuditHead(store);
      if (found === null) throw new Error("there is no head");
      return found;
    },
    recordSome: async (count) => {
      for (let index = 0; index < count; index += 1) scene.queue.record(served({ reason: `number ${index + 1}` }));
      await scene.queue.flush();
      return (await scene.rows()).map(({ id }) => id);
    },
  };

  beforeAll(async () => {
    store = await open();
  });
  afterAll(() => store.close());
  beforeEach(async () => {
    await scene.tamper("truncate federation_audit_log, federation_audit_chain");
    chain = await openAuditChain({ store, sealer, clock });
    events = [];
    await scene.newQueue();
    return async () => await scene.queue.close();
  });
  return scene;
}
