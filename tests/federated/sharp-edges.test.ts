import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createSigningRequest,
  type OwnSigningRequest,
  readCertificateRevocationList,
  serialOf,
  splitCertificates,
} from "@mosaicstack/federation-protocol";
import { serialOfGrant } from "@mosaicstack/federation-server";
import { GENEROUS_LIMITS, type Json, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { servingRecords } from "../federation/serving-records.ts";
import { askNext, joinBy, keysOf, listAs, type PeerKeys, redeem, renew } from "./peer-keys.ts";
import { type PrivateServices, startServices } from "./real-gateway.ts";
import { type StepCaClient, stepCaClient } from "./step-ca-client.ts";
import { startStepCaProxy, type StepCaProxy } from "./step-ca-proxy.ts";

/** The sharp edges of trust that concern the CA, with a step-ca whose answers can be held or changed on their way. */
const DAY_MS = 86_400_000;
const scope = { resources: ["tasks"], include_personal: true };

let services: PrivateServices;
let proxy: StepCaProxy;
let stepCa: StepCaClient;
let work: TestGateway;
let ada: TestUser;

beforeAll(async () => {
  services = await startServices({ stepCa: true });
  if (services.stepCa === undefined) throw new Error("no step-ca");
  proxy = await startStepCaProxy(services.stepCa);
  stepCa = await stepCaClient({ url: services.stepCa.url, ...services.stepCa.gateway });
  const addresses = { ...services.addresses, stepCa: proxy.files };
  work = await startGateway({ tier: "federated", name: "work", services: addresses });
  ada = await work.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
});
beforeEach(() => proxy.alter());
afterAll(async () => {
  await work?.stop();
  await proxy?.stop();
  await services?.stop();
});

async function newGrant(expiresAt?: Date): Promise<{ readonly id: string; readonly invite: string }> {
  const wanted = { name: "peer", subject: ada.id, scope, ...GENEROUS_LIMITS };
  const { grant, invite } = await work.admin.api.json("POST", "/api/v1/federation/grants", {
    ...wanted,
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt.toISOString() }),
  });
  return { id: grant.id, invite };
}

const revoke = (id: string): Promise<Json> => work.admin.api.json("POST", `/api/v1/federation/grants/${id}/revoke`);

/** The serials on a list that step-ca's intermediate signed. */
function serialsOn(der: Uint8Array, { cert }: PeerKeys): ReadonlySet<string> {
  const issuerPem = splitCertificates(cert)[1] ?? "";
  const list = readCertificateRevocationList(der, { issuerPem, now: new Date() });
  if (list.kind !== "valid") throw new Error(list.kind);
  return list.serials;
}

/** The list anyone may fetch of work, and step-ca's own. */
async function listsNow(keys: PeerKeys): Promise<ReadonlySet<string>[]> {
  const published = await fetch(new URL("/federation/crl", work.url));
  const { body } = await stepCa.call("GET", "/1.0/crl");
  return [serialsOn(new Uint8Array(await published.arrayBuffer()), keys), serialsOn(body, keys)];
}

async function expectOnBothLists(serials: readonly string[], keys: PeerKeys): Promise<void> {
  const missing = async () => (await listsNow(keys)).map((list) => serials.filter((serial) => !list.has(serial)));
  await expect.poll(missing, { timeout: 20_000, interval: 200 }).toEqual([[], []]);
}

/** What the listener makes of a connection with these keys. */
async function refusalOf(keys: PeerKeys): Promise<string | undefined> {
  expect(await listAs(keys, work)).toBe("cut");
  return servingRecords(work).at(-1)?.outcome;
}

/** What step-ca signed last, with the key it was asked for by, whoever has it. */
function lastSigned({ privateKeyPem: key }: OwnSigningRequest): PeerKeys {
  const cert = proxy.signed.at(-1) ?? "";
  return { cert, key, root: stepCa.rootPem, serial: serialOf(new X509Certificate(cert)) };
}

describe("sharp edge 1: lineage, on step-ca", () => {
  test("sharp edge 1: enrolled, renewed twice, revoked: all three certificates are refused, and they and the grant are on both CRLs", async () => {
    const { id, invite } = await newGrant();
    const lineage = [await joinBy(invite)];
    for (const keys of lineage) {
      expect(await listAs(keys, work)).toBe(200);
      if (lineage.length < 3) lineage.push(await renew(keys, work));
    }
    const [first] = lineage;
    if (first === undefined) throw new Error("nothing was signed");
    const serials = [...lineage.map(({ serial }) => serial), serialOfGrant(id)];
    expect(new Set(serials).size).toBe(4);
    for (const list of await listsNow(first)) expect(serials.filter((serial) => list.has(serial))).toEqual([]);

    await revoke(id);
    for (const keys of lineage) expect(await refusalOf(keys)).toBe("certificate_revoked");
    await expectOnBothLists(serials, first);
  });

  test("sharp edge 1: revoked while step-ca's answer to an enrollment is held: it is not delivered, and what was signed is revoked", async () => {
    const { id, invite } = await newGrant();
    const own = await createSigningRequest();
    const before = proxy.signed.length;
    const held = proxy.hold();
    const answer = redeem(invite, own);
    await held.isHeld;
    await revoke(id);
    held.release();
    const { status, json } = await answer;
    expect([status, json.code, json.certificate]).toEqual([410, "enrollment_refused", undefined]);
    expect(proxy.signed.length - before).toBe(1);
    await expectUnusable(lastSigned(own), id);
  });

  test("sharp edge 1: revoked while step-ca's answer to a renewal is held: it is not delivered, and what was signed is revoked", async () => {
    const { id, invite } = await newGrant();
    const keys = await joinBy(invite);
    const before = proxy.signed.length;
    const held = proxy.hold();
    const asked = askNext(keys, work);
    await held.isHeld;
    await revoke(id);
    held.release();
    const { answer, own } = await asked;
    expect(answer).toBe("cut");
    expect(proxy.signed.length - before).toBe(1);
    await expectUnusable(lastSigned(own), id);
    expect(await refusalOf(keys)).toBe("certificate_revoked");
  });

  /** Recorded as revoked, on both CRLs, and refused to whoever has it. */
  async function expectUnusable(keys: PeerKeys, grantId: string): Promise<void> {
    const statement =
      "select grant_id as id, revoked_at is null as good from federation_certificates where serial = $1";
    const recorded = () => work.store.query(statement, [keys.serial]);
    // Whoever is cut is gone before its renewal has been finished.
    await expect.poll(recorded, { timeout: 10_000 }).toEqual([{ id: grantId, good: false }]);
    expect(await refusalOf(keys)).toBe("certificate_revoked");
    await expectOnBothLists([keys.serial, serialOfGrant(grantId)], keys);
  }
});

describe("sharp edge 4: the life of what step-ca signs", () => {
  test("sharp edge 4: shortened: the next certificate ends with its grant", async () => {
    const { id, invite } = await newGrant();
    const keys = await joinBy(invite);
    expect(endOf(keys)).toBeGreaterThan(Date.now() + 6 * DAY_MS);
    const expiresAt = new Date(Date.now() + DAY_MS);
    await work.admin.api.json("PATCH", `/api/v1/federation/grants/${id}`, { expires_at: expiresAt.toISOString() });
    const end = endOf(await renew(keys, work));
    expect(end).toBeLessThanOrEqual(expiresAt.getTime());
    expect(end).toBeGreaterThan(expiresAt.getTime() - 2_000);
  });

  test("sharp edge 4: step-ca signs for longer than the grant lives: it is not delivered, it opens nothing, and the same invite is good after", async () => {
    const { id, invite } = await newGrant(new Date(Date.now() + DAY_MS));
    const own = await createSigningRequest();
    proxy.alter((asked) => ({ ...asked, notAfter: new Date(Date.now() + 30 * DAY_MS).toISOString() }));
    const { status, json } = await redeem(invite, own);
    expect([status, json.code, json.certificate]).toEqual([503, "authority_unavailable", undefined]);
    const keys = lastSigned(own);
    expect(endOf(keys)).toBeGreaterThan(Date.now() + 29 * DAY_MS);
    expect(await refusalOf(keys)).toBe("certificate_unknown");
    expect(await reasonOf(id)).toContain("it lives longer than asked");

    proxy.alter();
    expect(await listAs(keysOf(await redeem(invite, own), own), work)).toBe(200);
  });
});

const endOf = ({ cert }: PeerKeys): number => Date.parse(new X509Certificate(cert).validTo);

/** Why the last enrollment for a grant came to nothing, by work's audit. */
async function reasonOf(grantId: string): Promise<string | undefined> {
  const statement = `select reason from federation_audit_log
    where grant_id = $1 and event = 'enrollment' and outcome <> 'ok' order by id desc limit 1`;
  const [row] = await work.store.query<{ reason: string }>(statement, [grantId]);
  return row?.reason;
}

describe("sharp edge 12: what a step-ca with another template signs", () => {
  let template: string;
  let shipped: string;
  beforeAll(async () => {
    template = join(services.stepCa?.directory ?? "", "config/peer-certificate.tpl");
    shipped = await readFile(template, "utf8");
  });
  afterEach(() => writeFile(template, shipped));

  const GRANT = '{ "type": "1.3.6.1.4.1.99999.1", "value": {{ printf "utf8:%s" .Token.grantId | toJson }} }';
  const SUBJECT = '{ "type": "1.3.6.1.4.1.99999.2", "value": {{ printf "utf8:%s" .Token.subjectUserId | toJson }} }';
  const LONG = "a".repeat(10_000);

  const LEAF =
    '"keyUsage": ["digitalSignature"],\n  "extKeyUsage": ["clientAuth"],\n  "basicConstraints": { "isCA": false }';
  const NOT_FOR_CLIENTS = "it is not for client authentication alone";

  test.each([
    ["the grant twice", GRANT, `${GRANT}, ${GRANT}`, "grantId is repeated"],
    ["no subject", `${GRANT},\n    ${SUBJECT}`, GRANT, "subjectUserId is missing"],
    ["the subject as the grant", ".Token.grantId | toJson", ".Token.subjectUserId | toJson", "it names another grant"],
    [
      "the grant by another tag",
      '"utf8:%s" .Token.grantId',
      '"printable:%s" .Token.grantId',
      "grantId is not a UTF8String",
    ],
    [
      "the grant with a NUL",
      '"utf8:%s" .Token.grantId',
      '"utf8:%s\\x00" .Token.grantId',
      "grantId holds a control character",
    ],
    ["a grant of 10 kB", '"utf8:%s" .Token.grantId', `"utf8:%s${LONG}" .Token.grantId`, "larger than 4 kB"],
    ["server authentication alone", '["clientAuth"]', '["serverAuth"]', NOT_FOR_CLIENTS],
    ["server authentication too", '["clientAuth"]', '["clientAuth", "serverAuth"]', NOT_FOR_CLIENTS],
    [
      "a CA",
      LEAF,
      LEAF.replace('"digital', '"certSign", "digital').replace("false", "true"),
      "it is a CA's certificate",
    ],
  ])(
    "sharp edge 12: %s: it is not delivered, opens nothing, and the audit says exactly why",
    async (_, what, into, reason) => {
      expect(shipped).toContain(what);
      await writeFile(template, shipped.replace(what, into));
      const { id, invite } = await newGrant();
      const own = await createSigningRequest();
      const before = proxy.signed.length;
      const { status, json } = await redeem(invite, own);
      expect([status, json.code, json.certificate]).toEqual([503, "authority_unavailable", undefined]);
      expect(proxy.signed.length - before, "step-ca has signed").toBe(1);
      expect(await reasonOf(id)).toBe(`The certificate authority returned an unusable certificate: ${reason}.`);
      // OpenSSL itself refuses one that is not for clients.
      expect(await refusalOf(lastSigned(own))).toMatch(/^certificate_(?:unknown|untrusted)$/);

      await writeFile(template, shipped);
      expect(await listAs(keysOf(await redeem(invite, own), own), work)).toBe(200);
    },
  );
});
