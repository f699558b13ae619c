import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Problem } from "@mosaicstack/foundation";
import { expect, test } from "vitest";
import { Secret } from "../src/secret.ts";
import { databaseAccess, queueAccess, stepCaAccess } from "../src/service-access.ts";
import { emptyDirectory } from "./workplace.ts";

const database = { host: "db", port: 5432, name: "mosaic", user: "mosaic", tls: "verify", poolSize: 3 } as const;

test("the database's access joins settings, passwords and the authority's text", async () => {
  const caFile = join(await emptyDirectory(), "ca.pem");
  const ca = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  await writeFile(caFile, ca);
  const secrets = { databasePassword: new Secret("hunter2"), databaseMigrationPassword: new Secret("hunter3") };
  expect(await databaseAccess({ ...database, caFile, migrationUser: "owner" }, secrets)).toEqual({
    ...database,
    password: "hunter2",
    ca,
    migrateAs: { user: "owner", password: "hunter3" },
  });
});

test("without passwords and authority there are none", async () => {
  expect(await databaseAccess(database, {})).toEqual(database);
});

test.each([
  ["that is not there", undefined],
  ["without a certificate", "-----BEGIN PRIVATE KEY-----"],
])("an authority's file %s is refused, and nothing of it shown", async (_, text) => {
  const caFile = join(await emptyDirectory(), "ca.pem");
  if (text !== undefined) await writeFile(caFile, text);
  const refused = await databaseAccess({ ...database, caFile }, {}).catch((error: unknown) => error as Problem);
  expect(refused).toMatchObject({ code: "config_invalid" });
  expect((refused as Problem).message).toContain("database.caFile");
  expect((refused as Problem).message).not.toContain("PRIVATE KEY");
});

test("the queue's access joins settings and password", () => {
  const queue = { kind: "bullmq", host: "valkey", port: 6379, database: 2, username: "mosaic", tls: true } as const;
  const { kind: _kind, ...address } = queue;
  expect(queueAccess(queue, { queuePassword: new Secret("hunter2") })).toEqual({ ...address, password: "hunter2" });
});

test("step-ca's access joins its address, its root's text and the provisioner's secrets", async () => {
  const rootFile = join(await emptyDirectory(), "root.pem");
  const rootPem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  await writeFile(rootFile, rootPem);
  const secrets = { provisionerKey: new Secret("{}"), provisionerPassword: new Secret("hunter2") };
  expect(await stepCaAccess({ kind: "step-ca", url: "https://ca.test:9000", rootFile }, secrets)).toEqual({
    url: "https://ca.test:9000",
    rootPem,
    provisionerKey: "{}",
    provisionerPassword: "hunter2",
  });
});
