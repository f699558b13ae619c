import { newId } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import { listAudit, schema } from "@mosaicstack/storage";
import { describe, expect, test } from "vitest";
import { auditScene } from "./audit-scene.ts";

describe("whoever may write to the database, and has no key", () => {
  const audit = auditScene(() => openTestStore());
  const { tamper, verify, recordSome } = audit;

  test.each([0, -1, -5_000])("cannot put an entry before the first, where a list shows it: at %i", async (position) => {
    await recordSome(2);
    const id = newId();
    const at = new Date();
    const forged = { id, at, side: "serving", event: "request", outcome: "ok", position, hash: "x" } as const;
    await audit.store.db.insert(schema.federationAuditLog).values(forged);
    expect(await verify()).toMatchObject({
      intact: false,
      entries: 3,
      findings: [{ kind: "before_first", position, id }],
    });
  });

  test("cannot move an entry before the first", async () => {
    const [first] = await recordSome(2);
    await tamper("update federation_audit_log set position = -1 where position = 1");
    expect((await verify()).findings).toMatchObject([
      { kind: "before_first", position: -1, id: first },
      { kind: "missing", position: 1 },
    ]);
  });

  test("cannot cut the end off and put an older head back while a gateway runs that knows better", async () => {
    await recordSome(3);
    const [kept] = await audit.store.db.select().from(schema.federationAuditChain);
    await recordSome(2);
    await tamper(
      "delete from federation_audit_log where position > 3",
      `update federation_audit_chain set position = 3, hash = '${kept?.hash}', mac = '${kept?.mac}'`,
    );
    await recordSome(1);
    const { intact, findings } = await verify();
    expect(intact).toBe(false);
    expect(findings).toMatchObject([{ kind: "head_mended", position: 4 }]);
  });
});

describe("whoever chooses the ids of an entry", () => {
  const audit = auditScene(() => openTestStore());

  async function addPerson(name: string): Promise<string> {
    const id = newId();
    await audit.store.db.insert(schema.users).values({ id, name, email: `${name}@example.test` });
    return id;
  }

  async function addGrant(name: string, subjectUserId: string): Promise<string> {
    const id = newId();
    const now = new Date();
    const grant = { id, name, subjectUserId, scope: {}, createdAt: now, updatedAt: now, createdBy: subjectUserId };
    await audit.store.db.insert(schema.federationGrants).values(grant as never);
    return id;
  }

  test("is told no name by it: of a grant that a peer says is its own, or of a person an untrusted certificate claims", async () => {
    const [mallory, ada] = [await addPerson("mallory"), await addPerson("ada")];
    const [own, foreign] = [await addGrant("own", mallory), await addGrant("acquisition of Initech", ada)];
    const request = { event: "request", outcome: "ok" } as const;
    audit.queue.record({ ...request, side: "querying", grantId: foreign, subjectUserId: mallory });
    audit.queue.record({ ...request, side: "serving", grantId: own, subjectUserId: mallory });
    const untrusted = { side: "serving", event: "connection", outcome: "certificate_untrusted" } as const;
    audit.queue.record({ ...untrusted, grantId: own, subjectUserId: ada });
    await audit.queue.flush();
    const names = async (isAdmin: boolean) => {
      const { entries } = await listAudit(audit.store, { userId: mallory, isAdmin }, {}, { limit: 10 });
      // By outcome: entries of one millisecond have no order.
      return Object.fromEntries(
        entries.map(({ entry, grantName, subjectName }) => [
          `${entry.side} ${entry.outcome}`,
          [grantName, subjectName],
        ]),
      );
    };
    expect(await names(false)).toEqual({
      "serving certificate_untrusted": ["own", null],
      "serving ok": ["own", "mallory"],
      "querying ok": [null, "mallory"],
    });
    expect((await names(true))["serving certificate_untrusted"]).toEqual(["own", "ada"]);
  });
});
