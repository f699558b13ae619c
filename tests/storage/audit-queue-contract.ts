import { appendAudit, createAuditQueue, openAuditChain, type Store } from "@mosaicstack/storage";
import { describe, expect, test } from "vitest";
import { auditScene, clock, sealer, served } from "./audit-scene.ts";

/** The audit's queue, whatever engine is below. `open` gives a fresh, empty, migrated store. */
export function auditQueueContract(open: () => Promise<Store>): void {
  const audit = auditScene(open);
  const { tamper, rows, verify, newQueue } = audit;

  describe("the queue", () => {
    test("writes what was recorded, whole, and chains it", async () => {
      const entry = served({ reason: "because", details: { b: 1, a: { d: [1, null, "x"], c: true } } });
      expect(audit.queue.record(entry)).toBe("queued");
      await audit.queue.flush();
      const [row] = await rows();
      const { tookMs, ...rest } = entry;
      expect(row).toMatchObject({ ...rest, position: 1, peerId: null });
      expect(row?.tookMs).toBeCloseTo(tookMs ?? 0, 4);
      expect(await verify()).toMatchObject({ intact: true, entries: 1, head: { position: 1, hash: row?.hash } });
      expect(audit.queue.status()).toMatchObject({ queued: 0, dropped: 0, failing: false, head: { position: 1 } });
    });

    test("makes an entry visible within a second, by itself", async () => {
      audit.queue.record(served());
      await expect.poll(async () => (await rows()).length, { timeout: 1_000, interval: 50 }).toBe(1);
    });

    test("gives entries written inside other transactions their place within a second", async () => {
      await audit.store.transaction((db) => appendAudit(db, clock.now(), served({ event: "grant.revoked" })));
      await expect.poll(async () => (await rows())[0]?.position, { timeout: 1_500, interval: 50 }).toBe(1);
      expect(await verify()).toMatchObject({ intact: true, entries: 1, unchained: 0 });
    });

    test("takes any text, number and id, and loses no other entry by it", async () => {
      audit.queue.record(served());
      audit.queue.record(
        served({
          grantId: "not an id\0",
          reason: `\0\ud800 ${"x".repeat(2_000)}`,
          rows: Number.NaN,
          bytes: 1e300,
          tookMs: Number.POSITIVE_INFINITY,
          details: { text: "\0\udfff", deep: { at: new Date(0), none: undefined } },
        }),
      );
      audit.queue.record(served({ tookMs: 1e-7, details: { number: 1e21, small: 1e-7, zero: -0, ż: "漢字 🦊" } }));
      await audit.queue.flush();
      const found = await rows();
      expect(found).toHaveLength(3);
      expect(found[1]).toMatchObject({
        grantId: null,
        rows: null,
        bytes: 2_147_483_647,
        tookMs: null,
        details: { text: "\u{fffd}\u{fffd}", claimed: { grant_id: "not an id\u{fffd}" } },
      });
      expect(found[1]?.reason).toHaveLength(500);
      expect(await verify()).toMatchObject({ intact: true, entries: 3 });
    });

    test("refuses what is beyond its bounds, counts it, says so once, and writes the gap into the chain", async () => {
      await newQueue({ entries: 20, flushMs: 60_000, pollMs: 60_000 });
      const answers = Array.from({ length: 25 }, () => audit.queue.record(served()));
      expect(answers.filter((answer) => answer === "full")).toHaveLength(5);
      expect([audit.queue.dropped(), audit.queue.hasRoom()]).toEqual([5, false]);
      expect(audit.events.filter(({ kind }) => kind === "gap_began")).toHaveLength(1);
      await audit.queue.flush();
      await audit.queue.flush();
      expect(audit.events.filter(({ kind }) => kind === "gap_ended")).toEqual([
        { kind: "gap_ended", side: "serving", count: 5 },
      ]);
      expect((await rows()).at(-1)).toMatchObject({ event: "audit.dropped", position: 21, details: { count: 5 } });
      expect(await verify()).toMatchObject({ intact: true, entries: 21, dropped: 5 });
      expect(audit.queue.record(served())).toBe("queued");
    });

    test("is bounded by bytes as well", async () => {
      await newQueue({ bytes: 5_000, flushMs: 60_000, pollMs: 60_000 });
      let taken = 0;
      while (audit.queue.record(served()) === "queued") taken += 1;
      expect(taken).toBeGreaterThan(5);
      expect(taken).toBeLessThan(20);
    });

    test("holds its entries while the database is away, and writes each once when it is back", async () => {
      let isAway = true;
      const faulty: Pick<Store, "query" | "transaction"> = {
        query: (text, values) => audit.store.query(text, values),
        transaction: async (work) => {
          if (isAway) throw Object.assign(new Error("Connection terminated"), { code: "ECONNRESET" });
          return await audit.store.transaction(work);
        },
      };
      await newQueue({ flushMs: 20 }, faulty);
      for (let index = 0; index < 7; index += 1) audit.queue.record(served());
      await expect(audit.queue.flush()).rejects.toThrow("Connection terminated");
      expect(audit.queue.status()).toMatchObject({ queued: 7, failing: true });
      isAway = false;
      await expect.poll(() => audit.queue.status(), { timeout: 3_000 }).toMatchObject({ queued: 0, failing: false });
      expect(await verify()).toMatchObject({ intact: true, entries: 7 });
      expect(audit.events.map(({ kind }) => kind)).toEqual(["write_failing", "write_works_again"]);
    });

    test("writes nothing twice where it could not hear that a batch held", async () => {
      let isDeaf = true;
      const faulty: Pick<Store, "query" | "transaction"> = {
        query: (text, values) => audit.store.query(text, values),
        transaction: async (work) => {
          const result = await audit.store.transaction(work);
          if (isDeaf) throw Object.assign(new Error("Connection terminated"), { code: "ECONNRESET" });
          return result;
        },
      };
      await newQueue({ flushMs: 60_000, pollMs: 60_000 }, faulty);
      for (let index = 0; index < 3; index += 1) audit.queue.record(served());
      await expect(audit.queue.flush()).rejects.toThrow("Connection terminated");
      isDeaf = false;
      audit.queue.record(served());
      await audit.queue.flush();
      expect(await verify()).toMatchObject({ intact: true, entries: 4 });
    });

    test("writes what waits before it closes, and takes nothing after", async () => {
      await newQueue({ flushMs: 60_000 });
      for (let index = 0; index < 1_200; index += 1) audit.queue.record(served());
      await audit.queue.close();
      expect(await verify()).toMatchObject({ intact: true, entries: 1_200 });
      expect(audit.queue.record(served())).toBe("full");
    });

    test("of several replicas, each flushing, with transactions that audit beside them: one chain, and no deadlock", async () => {
      const replicas = [
        audit.queue,
        ...[1, 2].map(() =>
          createAuditQueue({ store: audit.store, clock, chain: audit.chain, limits: { flushMs: 5, batch: 10 } }),
        ),
      ];
      const loose = async () => {
        for (let index = 0; index < 20; index += 1) {
          await audit.store.transaction(async (db) => {
            await appendAudit(db, clock.now(), served({ event: "renewal" }));
            await db.execute("select count(*) from federation_audit_log");
            await appendAudit(db, clock.now(), served({ event: "renewal" }));
          });
        }
      };
      const work = replicas.map(async (replica) => {
        for (let index = 0; index < 30; index += 1) {
          for (let each = 0; each < 5; each += 1) replica.record(served());
          await replica.flush();
        }
      });
      await Promise.all([...work, loose()]);
      await Promise.all(replicas.map((replica) => replica.close()));
      await (await newQueue()).flush();
      expect(await verify()).toMatchObject({ intact: true, entries: 3 * 150 + 40, unchained: 0 });
    });

    test("keeps equal questions equal, and nobody tells a question from its hash without the key", async () => {
      const one = audit.queue.queryHash("search", { query: "salary", limit: 10 });
      expect(audit.queue.queryHash("search", { limit: 10, query: "salary" })).toBe(one);
      expect(audit.queue.queryHash("search", { limit: 10, query: "salaries" })).not.toBe(one);
      expect(audit.queue.queryHash("list", { limit: 10, query: "salary" })).not.toBe(one);
      await tamper("delete from federation_audit_chain");
      const other = await openAuditChain({ store: audit.store, sealer, clock });
      expect(other.queryHash("search", { query: "salary", limit: 10 })).not.toBe(one);
    });
  });
}
