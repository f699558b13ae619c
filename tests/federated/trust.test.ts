import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { serialOfGrant } from "@mosaicstack/federation-server";
import { enroll, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type PrivateServices, startServices } from "./real-gateway.ts";

/**
 * Two gateways, each on PostgreSQL and Valkey of its own, work's certificates by step-ca: what issue "trust that holds" asks
 * of them together. The parts have tests of their own.
 */
let workServices: PrivateServices;
let homeServices: PrivateServices;
let work: TestGateway;
let home: TestGateway;
let ada: TestUser;
let adaAtHome: TestUser;

beforeAll(async () => {
  [workServices, homeServices] = await Promise.all([startServices({ stepCa: true }), startServices()]);
  work = await startGateway({ tier: "federated", name: "work", services: workServices.addresses });
  home = await startGateway({ tier: "federated", name: "home", services: homeServices.addresses });
  ada = await work.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
  adaAtHome = await home.addUser("Ada");
});
afterAll(async () => {
  await Promise.all([work.stop(), home.stop()]);
  await Promise.all([workServices.stop(), homeServices.stop()]);
});

const scope = { resources: ["tasks"], include_personal: true };
const titles = async (name: string): Promise<unknown> => {
  const { rows } = await adaAtHome.api.json("GET", `/api/v1/tasks?source=federated:${name}`);
  return rows.map((row: { title: string }) => row.title);
};

test("a certificate of step-ca carries both ids, by openssl's own reading", async () => {
  const { grant } = await enroll(adaAtHome, work, { subject: ada.id, scope, peer: "openssl" });
  expect(await titles("openssl")).toEqual(["from work"]);
  const [row] = await home.store.query<{ pem: string; sealed: string }>(
    "select certificate_pem as pem, sealed_key as sealed from federation_peers where name = 'openssl'",
    [],
  );
  const file = join(workServices.stepCa?.directory ?? "", "peer.pem");
  await writeFile(file, row?.pem ?? "");
  const { stdout } = await promisify(execFile)("openssl", [
    "asn1parse",
    "-in",
    file,
    "-strparse",
    await sanOffset(file),
  ]);
  expect(stdout).toContain(":1.3.6.1.4.1.99999.1");
  expect(stdout).toContain(":1.3.6.1.4.1.99999.2");
  expect(stdout).toContain(`:${grant.id}`);
  expect(stdout).toContain(`:${ada.id}`);
  expect(row?.sealed).toMatch(/^v1\.[\w-]{8}\.[\w-]{16}\./);
  expect(row?.sealed).not.toContain("PRIVATE");
});

/** The serials on work's published CRL, by openssl's own reading. */
async function revokedByList(): Promise<string[]> {
  const file = join(workServices.stepCa?.directory ?? "", "published.crl");
  const published = await fetch(new URL("/federation/crl", work.url));
  await writeFile(file, Buffer.from(await published.arrayBuffer()));
  const { stdout } = await promisify(execFile)("openssl", ["crl", "-inform", "DER", "-in", file, "-noout", "-text"]);
  return [...stdout.matchAll(/Serial Number: ([0-9A-F]+)/g)].map(([, serial = ""]) => serial.toLowerCase());
}

/** Where openssl finds the value of subjectAltName. */
async function sanOffset(file: string): Promise<string> {
  const { stdout } = await promisify(execFile)("openssl", ["asn1parse", "-in", file]);
  const lines = stdout.split("\n");
  const at = lines.findIndex((line) => line.includes("X509v3 Subject Alternative Name"));
  const value = lines.slice(at).find((line) => line.includes("OCTET STRING"));
  return value?.trim().split(":")[0] ?? "";
}

test("with step-ca down, enrolled peers are served; an enrollment waits for it, with the same invite", async () => {
  await enroll(adaAtHome, work, { subject: ada.id, scope, peer: "before" });
  await workServices.stepCa?.kill();
  try {
    expect(await titles("before")).toEqual(["from work"]);
    const { invite } = await work.admin.api.json("POST", "/api/v1/federation/grants", {
      name: "meanwhile",
      subject: ada.id,
      scope,
    });
    const refused = await adaAtHome.api.call("POST", "/api/v1/federation/peers", { invite, name: "meanwhile" });
    expect(refused.status).toBeGreaterThanOrEqual(500);
    await workServices.stepCa?.restart();
    const joined = await adaAtHome.api.json("POST", "/api/v1/federation/peers", { invite, name: "meanwhile" });
    expect(joined.state).toBe("active");
    expect(await titles("meanwhile")).toEqual(["from work"]);
  } finally {
    await workServices.stepCa?.restart();
  }
});

test("sharp edge 7: a revocation holds at once with step-ca down, and reaches its CRL when it is back", async () => {
  const { grant } = await enroll(adaAtHome, work, { subject: ada.id, scope, peer: "revoked" });
  expect(await titles("revoked")).toEqual(["from work"]);
  await workServices.stepCa?.kill();
  await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/revoke`);
  const { sources } = await adaAtHome.api.json("GET", "/api/v1/tasks?source=all");
  expect(sources).toContainEqual(expect.objectContaining({ source: "federated:revoked", status: "offline" }));
  await workServices.stepCa?.restart();
  await vi.waitFor(
    async () => {
      const [row] = await work.store.query<{ waiting: number }>(
        "select count(*)::int as waiting from federation_revocations where told_at is null",
        [],
      );
      expect(row?.waiting).toBe(0);
    },
    { timeout: 60_000, interval: 500 },
  );
  // The grant's own serial too: step-ca keeps it when the certificate's has gone from its list (ADR 10).
  expect(await revokedByList()).toContain(serialOfGrant(grant.id));
});
