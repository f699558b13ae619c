import "reflect-metadata";
import { generateKeyPairSync, webcrypto, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createSigningRequest,
  identitySubjectAltName,
  KEY_ALGORITHM,
  readCertificateIdentity,
  SIGNING_ALGORITHM,
} from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import { Extension, ExtensionsAttribute, Pkcs10CertificateRequestGenerator, X509Crl } from "@peculiar/x509";
import { beforeAll, describe, expect, test } from "vitest";
import { createAuthority } from "../../deploy/step-ca/create-authority.ts";
import { startPrivateStepCa } from "../../scripts/services/private-instances.ts";
import { boundTo, givenStepCa, type StepCaClient, stepCaClient } from "./step-ca-client.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const SUBJECT_ALT_NAME = "2.5.29.17";

let stepCa: StepCaClient;
beforeAll(async () => {
  stepCa = await stepCaClient(givenStepCa());
});

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ""), "base64");
const newIdentity = () => ({ grantId: newId(), subjectUserId: newId() });

interface Attempt {
  /** Default: the given one. */
  readonly of?: StepCaClient;
  readonly csrPem?: string;
  /** Over those a good token has; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** On top of the body. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** Asks for a peer's certificate, rightly but for what the attempt says. */
async function sign({ of: authority = stepCa, csrPem, claims, body }: Attempt = {}) {
  const identity = newIdentity();
  const request = await createSigningRequest();
  const csr = csrPem ?? request.csrPem;
  const bound = { sub: identity.grantId, cnf: boundTo(derOf(csr)) };
  const ott = await authority.token("sign", { ...bound, ...identity, ...claims });
  const answer = await authority.call("POST", "/1.0/sign", { csr, ott, ...body });
  return { identity, privateKeyPem: request.privateKeyPem, csr, ott, answer };
}

/** Asks, and gets it. */
async function issued(attempt: Attempt = {}) {
  const { answer, ...asked } = await sign(attempt);
  expect(answer.status).toBe(201);
  const { certChain } = JSON.parse(answer.body.toString()) as { readonly certChain: readonly string[] };
  const [leaf, intermediate] = certChain.map((pem) => new X509Certificate(pem));
  if (leaf === undefined || intermediate === undefined) throw new Error("a chain of less than two");
  return { ...asked, certChain, leaf, intermediate };
}

describe("a peer's certificate", () => {
  test("names the token's grant and subject once each, and is for client authentication alone", async () => {
    const { leaf, intermediate, identity, certChain } = await issued();
    expect(readCertificateIdentity(leaf.raw)).toEqual({ kind: "identified", ...identity });
    expect(leaf.keyUsage).toEqual([CLIENT_AUTH]);
    expect(leaf.subject).toBeUndefined();
    expect(leaf.ca).toBe(false);
    expect(certChain).toHaveLength(2);
    expect(leaf.verify(intermediate.publicKey)).toBe(true);
    expect(intermediate.verify(new X509Certificate(stepCa.rootPem).publicKey)).toBe(true);
  });

  test("says nothing of what the signing request asks for", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
    const spki = publicKey.export({ type: "spki", format: "der" });
    const request = await Pkcs10CertificateRequestGenerator.create({
      keys: {
        privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, false, ["sign"]),
        publicKey: await webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]),
      },
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [new Extension(SUBJECT_ALT_NAME, false, identitySubjectAltName(newIdentity()))],
    });
    expect(request.attributes.some((attribute) => attribute instanceof ExtensionsAttribute)).toBe(true);
    const { leaf, identity } = await issued({ csrPem: request.toString("pem") });
    expect(readCertificateIdentity(leaf.raw)).toEqual({ kind: "identified", ...identity });
  });

  test("says nothing of the template data that comes with the request", async () => {
    const { grantId, subjectUserId } = newIdentity();
    const forged = { grantId, subjectUserId, Token: { grantId, subjectUserId }, sans: [], extKeyUsage: ["serverAuth"] };
    const { leaf, identity } = await issued({ body: { templateData: forged } });
    expect(readCertificateIdentity(leaf.raw)).toEqual({ kind: "identified", ...identity });
    expect(leaf.keyUsage).toEqual([CLIENT_AUTH]);
  });

  test("ends when the gateway says", async () => {
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 90_000);
    const { leaf } = await issued({ body: { notAfter: notAfter.toISOString() } });
    expect(new Date(leaf.validTo)).toEqual(notAfter);
  });

  test("ends after seven days where the gateway doesn't say", async () => {
    const { leaf } = await issued();
    const days = (Date.parse(leaf.validTo) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.99);
    expect(days).toBeLessThan(7.01);
  });

  test("is refused for longer than ninety days", async () => {
    const notAfter = new Date(Date.now() + 91 * 86_400_000).toISOString();
    expect((await sign({ body: { notAfter } })).answer.status).toBe(403);
  });

  test.each([
    ["no grant", { grantId: undefined }],
    ["no subject", { subjectUserId: undefined }],
    ["a grant that is no id", { grantId: "grant_1" }],
    ["a grant that ends in more than an id", { grantId: `${newId()}\n` }],
    ["a list of grants", { grantId: [newId()] }],
    ["no signing request", { cnf: undefined }],
    ["an empty signing request", { cnf: { "x5rt#S256": "" } }],
    ["another signing request", { cnf: boundTo(Buffer.from("another")) }],
  ])("is refused to a token that names %s", async (_, claims) => {
    const { answer } = await sign({ claims });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.toString()).not.toContain("BEGIN CERTIFICATE");
  });

  test("is refused to a token that was used", async () => {
    const { csr, ott } = await issued();
    expect((await stepCa.call("POST", "/1.0/sign", { csr, ott })).status).toBe(401);
  });

  test("is refused to a token that nobody's key signed", async () => {
    const { csr } = await issued();
    const [head, claims] = (await stepCa.token("sign", { ...newIdentity(), sub: "x" })).split(".");
    const ott = `${head}.${claims}.${Buffer.alloc(64, 1).toString("base64url")}`;
    expect((await stepCa.call("POST", "/1.0/sign", { csr, ott })).status).toBe(401);
  });

  test.each(["/1.0/renew", "/1.0/rekey"])("is no way into step-ca itself, on %s", async (path) => {
    const { certChain, privateKeyPem, csr } = await issued();
    const identity = { cert: certChain.join("\n"), key: privateKeyPem };
    // Go's TLS knows no otherNames, and refuses a critical extension (RFC 5280 4.2.1.6) that holds nothing else.
    await expect(stepCa.call("POST", path, { csr }, identity)).rejects.toThrow("bad certificate");
  });
});

test("step-ca renews no certificate, whether or not its own TLS would take it", async () => {
  const own = await startPrivateStepCa();
  try {
    const authority = await stepCaClient({ url: own.url, ...own.gateway });
    const renew = async (): Promise<number> => {
      const { certChain, privateKeyPem } = await issued({ of: authority });
      const identity = { cert: certChain.join("\n"), key: privateKeyPem };
      return (await authority.call("POST", "/1.0/renew", {}, identity)).status;
    };
    // With a subject the extension isn't critical.
    const template = join(own.directory, "config/peer-certificate.tpl");
    const named = (await readFile(template, "utf8")).replace('"subject": {}', '"subject": { "commonName": "a peer" }');
    await writeFile(template, named);
    expect(await renew()).toBe(401);
    // It is the shipped configuration that refuses.
    const configuration = await readFile(join(own.directory, "config/ca.json"), "utf8");
    const lax = configuration.replaceAll('"disableRenewal": true', '"disableRenewal": false');
    await writeFile(join(own.directory, "config/ca.json"), lax);
    await own.restart();
    expect(await renew()).toBe(201);
  } finally {
    await own.stop();
  }
});

test("a listener's certificate names its hosts, and is for server authentication alone", async () => {
  const { leaf } = await issued({ claims: { iss: "mosaic-listener", sub: "a.example", sans: ["a.example", "::1"] } });
  expect(leaf.subjectAltName).toBe("DNS:a.example, IP Address:0:0:0:0:0:0:0:1");
  expect(leaf.keyUsage).toEqual([SERVER_AUTH]);
});

test("a listener's certificate is refused to a token that names no hosts", async () => {
  const { answer } = await sign({ claims: { iss: "mosaic-listener", sub: "a.example" } });
  expect(answer.status).toBeGreaterThanOrEqual(400);
});

test("a revoked certificate is on the list, which the intermediate signs", async () => {
  const { leaf, intermediate } = await issued();
  const serial = BigInt(`0x${leaf.serialNumber}`).toString(10);
  const revoke = async () => {
    const ott = await stepCa.token("revoke", { sub: serial });
    return stepCa.call("POST", "/1.0/revoke", { serial, ott, reasonCode: 5, reason: "grant revoked", passive: true });
  };
  expect((await revoke()).status).toBe(200);
  expect((await revoke()).status).toBe(400);
  const { status, body } = await stepCa.call("GET", "/1.0/crl");
  expect(status).toBe(200);
  const list = new X509Crl(body);
  expect(list.findRevoked(leaf.serialNumber)?.serialNumber.toUpperCase()).toContain(leaf.serialNumber);
  expect(await list.verify({ publicKey: await webCryptoKey(intermediate) })).toBe(true);
});

function webCryptoKey(certificate: X509Certificate): Promise<webcrypto.CryptoKey> {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" });
  return webcrypto.subtle.importKey("spki", spki, KEY_ALGORITHM, true, ["verify"]);
}

test("step-ca publishes no private key, not even an encrypted one", async () => {
  const { body } = await stepCa.call("GET", "/1.0/provisioners");
  const { provisioners } = JSON.parse(body.toString()) as { readonly provisioners: readonly { name: string }[] };
  expect(provisioners.map(({ name }) => name)).toEqual(["mosaic", "mosaic-listener"]);
  expect(body.toString()).not.toMatch(/encryptedKey|"d":/);
});

test("an authority is never made over another", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mosaic-authority-"));
  const make = () =>
    createAuthority({ directory, hosts: ["localhost"], address: ":1", crlUrl: "https://localhost/1.0/crl" });
  try {
    await make();
    await expect(make()).rejects.toThrow("EEXIST");
  } finally {
    await rm(directory, { recursive: true });
  }
});
