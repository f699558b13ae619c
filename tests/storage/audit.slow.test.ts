import { randomBytes } from "node:crypto";
import { openTestStore } from "@mosaicstack/harness";
import { newId, systemClock as clock } from "@mosaicstack/foundation";
import { createAuditQueue, createSealer, openAuditChain, rotateSeal, verifyAudit } from "@mosaicstack/storage";
import { describe, expect, test } from "vitest";
import { auditQueueContract } from "./audit-queue-contract.ts";
import { auditVerificationContract } from "./audit-verification-contract.ts";

describe("the audit on PGlite", () => {
  auditQueueContract(() => openTestStore());
  auditVerificationContract(() => openTestStore());
});

test("another seal key leaves the chain whole: what was written before is verified after, with what is written since", async () => {
  const store = await openTestStore();
  try {
    const [from, to] = [1, 2].map(() => createSealer({ secret: randomBytes(32).toString("base64url") }));
    if (from === undefined || to === undefined) throw new Error("two sealers");
    const write = async (sealer: typeof from) => {
      const chain = await openAuditChain({ store, sealer, clock });
      const queue = createAuditQueue({ store, clock, chain });
      for (let index = 0; index < 3; index += 1) {
        queue.record({ side: "serving", event: "request", outcome: "ok", requestId: newId() });
      }
      await queue.close();
      return chain;
    };
    const before = await write(from);
    const rotated = await rotateSeal({ store, from, to });
    expect(rotated.columns).toContainEqual({
      table: "federation_audit_chain",
      column: "sealed_key",
      values: 1,
      already: 0,
    });
    await expect(openAuditChain({ store, sealer: from, clock })).rejects.toMatchObject({ code: "unsealing_failed" });
    const after = await write(to);
    expect(after.queryHash("search", { query: "x" })).toBe(before.queryHash("search", { query: "x" }));
    expect(await verifyAudit({ store, chain: after })).toMatchObject({ intact: true, entries: 6 });
  } finally {
    await store.close();
  }
});
