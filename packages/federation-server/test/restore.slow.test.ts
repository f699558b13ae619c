import { openAsBlob } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { testSnapshotFile } from "@mosaicstack/harness";
import { openPglite } from "@mosaicstack/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createCrlCopy,
  createCrlPublication,
  createRevocationOutbox,
  createRevocationReconciliation,
} from "../src/index.ts";
import { openGrants } from "./grant-fixture.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-restore-"));
});
afterEach(() => rm(directory, { recursive: true }));

const secret = randomUUID() + randomUUID();

/** A gateway's grants on the database in the directory, with the embedded CA, and its CRL kept beside the database or nowhere. */
async function open(options: { readonly keepsCopy: boolean }) {
  const dataDirectory = join(directory, "data");
  const store = await openPglite({ dataDirectory, snapshot: await openAsBlob(await testSnapshotFile()) });
  const world = await openGrants({ store, secret });
  const { clock, authority, announcer } = world;
  const file = options.keepsCopy ? createCrlCopy(join(dataDirectory, "crl.pem")) : undefined;
  const writes: Promise<void>[] = [];
  const crl = createCrlPublication({
    authority,
    clock,
    onAlarm: () => undefined,
    onList: (list) => void (file !== undefined && writes.push(file.write(list))),
  });
  const reconciliation = createRevocationReconciliation({
    store,
    clock,
    crl,
    announcer,
    ...(file === undefined ? {} : { copy: { file, rootPem: authority.rootPem } }),
    onFound: () => undefined,
  });
  const outbox = createRevocationOutbox({ store, clock, authority, onTold: () => undefined });
  return {
    ...world,
    crl,
    reconciliation,
    outbox,
    async close() {
      await Promise.all(writes);
      await store.close();
    },
  };
}

/** A grant revoked after the backup was taken, and the database put back to it. The grant's id and serial. */
async function revokeAndRestore(options: { readonly keepsCopy: boolean }) {
  const [database, backup] = [join(directory, "data", "database"), join(directory, "backup")];
  const first = await open(options);
  const { grant, serial } = await first.enrolled();
  await first.close();
  await cp(database, backup, { recursive: true });
  const second = await open(options);
  await second.reconciliation.reconcile();
  await second.grants.revoke(second.admin, grant.id);
  await second.outbox.tellAuthority();
  await second.crl.refresh();
  expect(second.crl.latest()?.has(serial)).toBe(true);
  await second.close();
  await rm(database, { recursive: true });
  await cp(backup, database, { recursive: true });
  return { id: grant.id, serial };
}

test("sharp edge 8: a database restored from before the revocation: the CRL beside it has the grant revoked before anything is served", async () => {
  const { id, serial } = await revokeAndRestore({ keepsCopy: true });
  const restored = await open({ keepsCopy: true });
  try {
    const { grants, admin, reconciliation, crl } = restored;
    expect((await grants.find(admin, id)).status).toBe("active");
    expect(await reconciliation.reconcile()).toEqual({ kind: "compared", revokedGrantIds: [id] });
    expect(await grants.find(admin, id)).toMatchObject({
      status: "revoked",
      certificates: [{ serial, state: "revoked" }],
    });
    // And what is published goes on naming it.
    await restored.outbox.tellAuthority();
    await crl.refresh();
    expect(crl.latest()?.has(serial)).toBe(true);
  } finally {
    await restored.close();
  }
}, 60_000);

test("sharp edge 8: the embedded CA has no record but the database: without a copy, or with it restored too, the revocation is lost", async () => {
  const { id } = await revokeAndRestore({ keepsCopy: false });
  const restored = await open({ keepsCopy: false });
  try {
    const { grants, admin, reconciliation } = restored;
    expect(await reconciliation.reconcile()).toEqual({ kind: "compared", revokedGrantIds: [] });
    // docs/federation say so, and what to do: revoke again, by the audit or the mail of who asked for it.
    expect((await grants.find(admin, id)).status).toBe("active");
  } finally {
    await restored.close();
  }
}, 60_000);
