import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { Problem } from "@mosaicstack/foundation";
import { schema } from "@mosaicstack/storage";
import { desc, eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCrlCopy, createCrlPublication, createRevocationReconciliation, serialOfGrant } from "../src/index.ts";
import { issueFor, openGrants, type OpenGrants } from "./grant-fixture.ts";

let world: OpenGrants;
let directory: string;
beforeAll(async () => {
  world = await openGrants();
  directory = await mkdtemp(join(tmpdir(), "mosaic-crl-"));
});
afterAll(async () => {
  await world.store.close();
  await rm(directory, { recursive: true });
});

/** A CA with a record of its own, as step-ca has one: what a restored database is compared with. */
async function separateAuthority() {
  const { clock } = world;
  const serials = new Set<string>();
  const list = async () =>
    [...serials].map((serial) => ({ serial, revokedAt: clock.now(), reason: "privilegeWithdrawn" as const }));
  const authority = await openEmbeddedAuthority({
    ...(await createEmbeddedAuthority({ clock })),
    clock,
    revokedSerials: { list },
  });
  return {
    rootPem: authority.rootPem,
    crl: () => authority.crl(),
    async revoke(serial: string) {
      serials.add(serial);
      await authority.revoke({ serial, reason: "privilegeWithdrawn", at: clock.now() });
    },
  };
}

function reconciliationWith(
  authority: Parameters<typeof createCrlPublication>[0]["authority"],
  copy?: ReturnType<typeof createCrlCopy>,
) {
  const { store, clock, announcer } = world;
  const found: string[] = [];
  const writes: Promise<void>[] = [];
  const crl = createCrlPublication({
    authority,
    clock,
    onAlarm: () => undefined,
    onList: (list) => void (copy !== undefined && writes.push(copy.write(list))),
  });
  const reconciliation = createRevocationReconciliation({
    store,
    clock,
    crl,
    announcer,
    ...(copy === undefined ? {} : { copy: { file: copy, rootPem: authority.rootPem } }),
    onFound: (grantId) => found.push(grantId),
  });
  return { reconcile: () => reconciliation.reconcile(), found, written: () => Promise.all(writes) };
}

const down = () => Promise.reject(new Problem("ca_unreachable", { status: 503, title: "Down.", remedy: "Wait." }));

test("sharp edge 8: a serial on the CA's CRL that the restored database thinks good has its grant revoked", async () => {
  const { grants, admin, store } = world;
  const authority = await separateAuthority();
  const [restored, untouched] = [await world.enrolled(), await world.enrolled()];
  // After the backup was taken: this database knows nothing of it.
  await authority.revoke(restored.serial);
  await authority.revoke("abc0123456789");
  world.published.length = 0;
  const { reconcile, found } = reconciliationWith(authority);
  expect(await reconcile()).toEqual({ kind: "compared", revokedGrantIds: [restored.grant.id] });
  expect(found).toEqual([restored.grant.id]);
  expect(world.published).toEqual([`grant-changed ${restored.grant.id}`]);
  const revoked = await grants.find(admin, restored.grant.id);
  expect([revoked.status, revoked.certificates[0]?.state]).toEqual(["revoked", "revoked"]);
  expect((await grants.find(admin, untouched.grant.id)).status).toBe("active");
  const { federationAuditLog } = schema;
  const [entry] = await store.db
    .select()
    .from(federationAuditLog)
    .where(eq(federationAuditLog.grantId, restored.grant.id))
    .orderBy(desc(federationAuditLog.id))
    .limit(1);
  expect(entry).toMatchObject({ event: "grant.revoked", reason: "found_on_crl", actorUserId: null });
  expect(await reconcile()).toEqual({ kind: "compared", revokedGrantIds: [] });
});

test("sharp edge 8: a peer whose certificate ended too long ago for the CA's list, but may renew, is revoked by its grant's own serial", async () => {
  const { grants, admin, subject, store, clock } = world;
  const authority = await separateAuthority();
  const { id } = await world.grant();
  const ended = new Date(clock.now().getTime() + 60_000);
  await issueFor({
    store,
    authority: world.authority,
    grantId: id,
    subjectUserId: subject,
    generation: 1,
    notAfter: ended,
  });
  await store.db
    .update(schema.federationGrants)
    .set({ status: "active", generation: 1, activatedAt: clock.now() })
    .where(eq(schema.federationGrants.id, id));
  world.advance(6 * 3_600_000);
  try {
    // All that is left on the list of what was revoked since the backup.
    await authority.revoke(serialOfGrant(id));
    expect(await reconciliationWith(authority).reconcile()).toEqual({ kind: "compared", revokedGrantIds: [id] });
    expect((await grants.find(admin, id)).status).toBe("revoked");
  } finally {
    world.setClockRight();
  }
});

test("sharp edge 8: an invite of a grant that was revoked since the backup is void again", async () => {
  const { grants, admin } = world;
  const authority = await separateAuthority();
  const { id } = await world.grant();
  await authority.revoke(serialOfGrant(id));
  expect(await reconciliationWith(authority).reconcile()).toEqual({ kind: "compared", revokedGrantIds: [id] });
  expect(await grants.find(admin, id)).toMatchObject({ status: "revoked" });
});

test("a grant's own serial is positive, of 19 octets, and another for each grant", () => {
  const serials = Array.from({ length: 200 }, () => serialOfGrant(randomUUID()));
  for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{37}$/);
  expect(new Set(serials).size).toBe(200);
});

test("sharp edge 8: with the CA down nothing can be compared, until it is back", async () => {
  const { grants, admin } = world;
  const authority = await separateAuthority();
  const { grant, serial } = await world.enrolled();
  await authority.revoke(serial);
  const ca = { crl: down as typeof authority.crl };
  const { reconcile } = reconciliationWith({ rootPem: authority.rootPem, crl: () => ca.crl() });
  expect(await reconcile()).toEqual({ kind: "nothing_to_compare" });
  expect((await grants.find(admin, grant.id)).status).toBe("active");
  ca.crl = authority.crl;
  expect(await reconcile()).toEqual({ kind: "compared", revokedGrantIds: [grant.id] });
});

test("sharp edge 8: the copy outside the database serves while the CA is down, and for a CA without a record of its own", async () => {
  const { grants, admin } = world;
  const file = createCrlCopy(join(directory, "crl.pem"));
  const authority = await separateAuthority();
  const { grant, serial } = await world.enrolled();
  await authority.revoke(serial);
  // Before the restore: a process that published the list, and kept it. (It finds nothing, since the grant is not yet restored.)
  await file.write(await authority.crl());
  const { reconcile } = reconciliationWith({ rootPem: authority.rootPem, crl: down }, file);
  expect(await reconcile()).toEqual({ kind: "compared", revokedGrantIds: [grant.id] });
  expect((await grants.find(admin, grant.id)).status).toBe("revoked");
});

test("sharp edge 8: a list that is new replaces the copy only after that was compared", async () => {
  const { grants, admin } = world;
  const file = createCrlCopy(join(directory, "replaced.pem"));
  const { grant, serial } = await world.enrolled();
  const before = await separateAuthority();
  await before.revoke(serial);
  await file.write(await before.crl());
  // The CA's answer replaces the copy, so what the copy says must be written down by then: the process may end at any time.
  const { status } = await grants.find(admin, grant.id);
  const statuses = [status];
  const after = reconciliationWith(
    {
      rootPem: before.rootPem,
      async crl() {
        statuses.push((await grants.find(admin, grant.id)).status);
        return await before.crl();
      },
    },
    file,
  );
  await after.reconcile();
  await after.written();
  expect(statuses).toEqual(["active", "revoked"]);
  expect((await file.read())?.der).toEqual(Buffer.from((await before.crl()).der));
});

test.each([
  ["that is not there", undefined],
  ["cut short", (text: string) => text.slice(0, -200)],
  [
    "with a changed byte",
    (text: string) =>
      text.replace(
        /(X509 CRL-----\n.{60})(.)/s,
        (_all, before: string, letter: string) => `${before}${letter === "A" ? "B" : "A"}`,
      ),
  ],
  ["that is empty", () => ""],
] as const)("a copy %s proves nothing", async (_name, spoil) => {
  const { grants, admin } = world;
  const path = join(directory, "spoiled.pem");
  await rm(path, { force: true });
  const file = createCrlCopy(path);
  const authority = await separateAuthority();
  const { grant, serial } = await world.enrolled();
  await authority.revoke(serial);
  if (spoil !== undefined) {
    await file.write(await authority.crl());
    await writeFile(path, spoil(await readFile(path, "latin1")));
  }
  const { reconcile } = reconciliationWith({ rootPem: authority.rootPem, crl: down }, file);
  expect(await reconcile()).toEqual({ kind: "nothing_to_compare" });
  expect((await grants.find(admin, grant.id)).status).toBe("active");
});

test("a list of another CA revokes nobody", async () => {
  const { grants, admin } = world;
  const [own, stranger] = [await separateAuthority(), await separateAuthority()];
  const { grant, serial } = await world.enrolled();
  await stranger.revoke(serial);
  const { reconcile } = reconciliationWith({ rootPem: own.rootPem, crl: stranger.crl });
  expect(await reconcile()).toEqual({ kind: "nothing_to_compare" });
  expect((await grants.find(admin, grant.id)).status).toBe("active");
});
