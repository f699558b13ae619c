import { newId } from "@mosaicstack/foundation";
import { openAuditChain, schema, type Store, verifyAudit } from "@mosaicstack/storage";
import { describe, expect, test } from "vitest";
import { auditScene, clock, sealer } from "./audit-scene.ts";

/** The audit's verification, against whoever may write to the database, whatever engine is below. `open` gives a fresh, empty, migrated store. */
export function auditVerificationContract(open: () => Promise<Store>): void {
  const audit = auditScene(open);
  const { tamper, verify, head, recordSome } = audit;

  describe("verification", () => {
    test("finds an entry edited, and names it", async () => {
      const ids = await recordSome(5);
      await tamper(`update federation_audit_log set rows = 1 where position = 3`);
      expect(await verify()).toMatchObject({
        intact: false,
        findings: [{ kind: "changed", position: 3, id: ids[2] }],
        findingCount: 1,
      });
    });

    test.each([
      "at = at - interval '1 hour'",
      "side = 'querying'",
      "event = 'x'",
      "outcome = 'x'",
      "reason = 'x'",
      "reason = null",
      "grant_id = id",
      "peer_id = id",
      "subject_user_id = id",
      "actor_user_id = id",
      "serial = 'ff'",
      "request_id = 'x'",
      "verb = 'get'",
      "resource = 'notes'",
      "query_hash = 'x'",
      "rows = 1",
      "bytes = 1",
      "took_ms = 9",
      `details = '{"a": 1}'`,
      "id = '00000000-0000-7000-8000-000000000000'",
    ])("covers every column: %s", async (change) => {
      await recordSome(2);
      await tamper(`update federation_audit_log set ${change} where position = 1`);
      expect((await verify()).findings).toMatchObject([{ kind: "changed", position: 1 }]);
    });

    test("finds an entry deleted", async () => {
      await recordSome(5);
      await tamper("delete from federation_audit_log where position = 3");
      expect((await verify()).findings).toEqual([{ kind: "missing", position: 3 }]);
    });

    test("finds an entry deleted and the ones behind it moved up", async () => {
      const ids = await recordSome(5);
      await tamper(
        "delete from federation_audit_log where position = 3",
        "update federation_audit_log set position = position - 1 where position > 3",
      );
      const { findings } = await verify();
      expect(findings[0]).toEqual({ kind: "changed", position: 3, id: ids[3] });
      expect(findings.at(-1)).toEqual({ kind: "missing", position: 5 });
    });

    test("finds two entries that changed places", async () => {
      const ids = await recordSome(5);
      await tamper(
        "update federation_audit_log set position = -1 where position = 2",
        "update federation_audit_log set position = 2 where position = 3",
        "update federation_audit_log set position = 3 where position = -1",
      );
      const { findings } = await verify();
      expect(findings.slice(0, 2)).toEqual([
        { kind: "changed", position: 2, id: ids[2] },
        { kind: "changed", position: 3, id: ids[1] },
      ]);
    });

    test("finds the end cut off", async () => {
      await recordSome(5);
      await tamper("delete from federation_audit_log where position > 3");
      expect((await verify()).findings).toEqual([{ kind: "missing", position: 4, until: 5 }]);
    });

    test("finds the end cut off and the head set back to an entry that is there: its code is missing", async () => {
      await recordSome(5);
      await tamper(
        "delete from federation_audit_log where position > 3",
        "update federation_audit_chain set position = 3, hash = (select hash from federation_audit_log where position = 3)",
      );
      expect((await verify()).findings).toEqual([{ kind: "head_changed", position: 3 }]);
    });

    test("finds the end cut off and an older head put back only against a head noted elsewhere", async () => {
      await recordSome(3);
      const old = await head();
      const [kept] = await audit.store.db.select().from(schema.federationAuditChain);
      await recordSome(2);
      const noted = await head();
      await tamper(
        "delete from federation_audit_log where position > 3",
        `update federation_audit_chain set position = 3, hash = '${kept?.hash}', mac = '${kept?.mac}'`,
      );
      expect(await verify()).toMatchObject({ intact: true, entries: 3 });
      expect(await verify(old)).toMatchObject({ intact: true });
      expect((await verify(noted)).findings).toEqual([{ kind: "not_as_expected", position: 5 }]);
      expect((await verify({ ...old, hash: noted.hash })).findings).toEqual([{ kind: "not_as_expected", position: 3 }]);
    });

    test("finds an entry of another past at its own place, which the code of the place alone would let pass", async () => {
      await recordSome(3);
      const [kept] = await audit.store.db.select().from(schema.federationAuditChain);
      await recordSome(2);
      const [, , , fourth] = await audit.rows();
      if (fourth === undefined) throw new Error("there is a fourth");
      await tamper(
        "delete from federation_audit_log where position > 3",
        `update federation_audit_chain set position = 3, hash = '${kept?.hash}', mac = '${kept?.mac}'`,
      );
      // By a gateway that was not there before: the one that was would know better.
      await audit.newQueue();
      await recordSome(2);
      expect(await verify()).toMatchObject({ intact: true, entries: 5 });
      await tamper("delete from federation_audit_log where position = 4");
      await audit.store.db.insert(schema.federationAuditLog).values(fourth);
      expect((await verify()).findings).toMatchObject([{ kind: "changed", position: 5 }]);
    });

    test("finds an entry put in between", async () => {
      await recordSome(4);
      await tamper(
        "update federation_audit_log set position = position + 100 where position > 2",
        "update federation_audit_log set position = position - 99 where position > 100",
        `insert into federation_audit_log (id, at, side, event, outcome, position, hash)
         select '${newId()}', now(), 'serving', 'request', 'ok', 3, hash from federation_audit_log where position = 2`,
      );
      expect((await verify()).findings[0]).toMatchObject({ kind: "changed", position: 3 });
    });

    test("finds an entry put behind the end, and goes on counting where it was covered by later ones", async () => {
      await recordSome(2);
      const id = newId();
      await tamper(
        `insert into federation_audit_log (id, at, side, event, outcome, position, hash) values ('${id}', now(), 'serving', 'request', 'ok', 3, 'x')`,
      );
      expect((await verify()).findings).toEqual([
        { kind: "changed", position: 3, id },
        { kind: "beyond_head", position: 3, id },
      ]);
      await recordSome(1);
      expect((await verify()).findings).toMatchObject([
        { kind: "changed", position: 3, id },
        { kind: "head_mended", position: 4 },
      ]);
      expect(audit.events).toContainEqual({ kind: "tampered", head: await head() });
    });

    test("finds the head changed, and that it had been when the chain went on since", async () => {
      await recordSome(2);
      await tamper("update federation_audit_chain set position = 1");
      expect((await verify()).findings).toContainEqual({ kind: "head_changed", position: 1 });
      await recordSome(1);
      expect((await verify()).findings).toMatchObject([{ kind: "head_mended", position: 3 }]);
    });

    test("finds the head removed, and that it had been", async () => {
      await recordSome(2);
      await tamper("delete from federation_audit_chain", "delete from federation_audit_log where position = 2");
      expect((await verify()).findings).toEqual([{ kind: "head_missing", position: 1 }]);
      await recordSome(1);
      expect((await verify()).findings).toMatchObject([{ kind: "head_mended", position: 2 }]);
    });

    test("does not take another key's chain for its own", async () => {
      await recordSome(3);
      await tamper("delete from federation_audit_chain");
      const other = await openAuditChain({ store: audit.store, sealer, clock });
      expect((await verifyAudit({ store: audit.store, chain: other })).findings).toContainEqual(
        expect.objectContaining({ kind: "changed", position: 1 }),
      );
    });

    test("finds one among thousands, in batches", async () => {
      const ids = await recordSome(2_500);
      expect(await verify()).toMatchObject({ intact: true, entries: 2_500 });
      const seen: number[] = [];
      await tamper("update federation_audit_log set reason = 'x' where position = 2001");
      const found = await verifyAudit({
        store: audit.store,
        chain: audit.chain,
        onProgress: (entries) => seen.push(entries),
      });
      expect(found.findings).toEqual([{ kind: "changed", position: 2001, id: ids[2000] }]);
      expect(seen).toEqual([1_000, 2_000, 2_500]);
    });

    test("tells of the first hundred findings, and counts the others", async () => {
      await recordSome(300);
      await tamper("update federation_audit_log set reason = 'x'");
      const { findings, findingCount } = await verify();
      expect([findings.length, findingCount]).toEqual([100, 300]);
    });
  });

  test("the gateway's own way to the table can't edit or delete an entry", async () => {
    await recordSome(1);
    for (const statement of [
      "update federation_audit_log set reason = 'x'",
      "update federation_audit_log set position = null, hash = null",
      "delete from federation_audit_log",
      "truncate federation_audit_log",
    ]) {
      await expect(audit.store.db.execute(statement)).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/append.only/iu) as string },
      });
    }
    expect(await verify()).toMatchObject({ intact: true, entries: 1 });
  });
}
