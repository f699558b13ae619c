import { generateKeyPairSync, verify, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { newId, Problem, systemClock } from "@mosaicstack/foundation";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type CertificateAuthority,
  createEmbeddedAuthority,
  type IssuedCertificate,
  type IssueRequest,
  openEmbeddedAuthority,
  openStepCaAuthority,
  probeStepCa,
} from "../src/index.ts";
import { answerJson, type HostileStepCa, startHostileStepCa } from "./hostile-step-ca.ts";

const DAY_MS = 86_400_000;
const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const provisionerKey = JSON.stringify({ ...keys.privateKey.export({ format: "jwk" }), kid: "the-key" });
const secret = String(keys.privateKey.export({ format: "jwk" }).d);

let ca: HostileStepCa;
let authority: CertificateAuthority;
let request: IssueRequest & { kind: "client" };
let serverRequest: IssueRequest & { kind: "server" };

beforeAll(async () => {
  ca = await startHostileStepCa();
  authority = await openStepCaAuthority({
    url: ca.url,
    rootPem: ca.authority.rootPem,
    provisioner: "mosaic",
    provisionerKey,
    clock: systemClock,
  });
  const csr = await newRequest();
  const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + DAY_MS);
  request = { kind: "client", csr, identity: { grantId: newId(), subjectUserId: newId() }, notAfter };
  serverRequest = { kind: "server", csr, dnsNames: ["gateway.example"], ipAddresses: ["192.0.2.7"], notAfter };
});
afterAll(() => ca.close());
beforeEach(() => {
  ca.received.length = 0;
});

async function newRequest(): Promise<Uint8Array> {
  const reading = await readSigningRequest((await createSigningRequest()).csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.der;
}

/** Answers a sign as step-ca would, with a certificate that its authority was asked for otherwise. */
function signs(otherwise: () => Promise<IssuedCertificate>, chain: readonly string[] = []): void {
  ca.answer = async (_, response) => {
    const { certificatePem: crt } = await otherwise();
    answerJson(response, 201, { crt, ca: ca.authority.rootPem, certChain: [crt, ...chain] });
  };
}

/** The Problem of a call. Nothing of it, whatever it is shown by, may hold the key or a token. */
async function refusalOf(work: Promise<unknown>): Promise<Problem> {
  const outcome: unknown = await work.then(
    () => new Error("it was not refused"),
    (error: unknown) => error,
  );
  const shown = inspect(outcome, { depth: 20, showHidden: true, maxStringLength: null });
  for (const hidden of [secret, "eyJ"]) expect(shown).not.toContain(hidden);
  if (!(outcome instanceof Problem)) throw outcome;
  return outcome;
}

describe("what is sent", () => {
  test("is a token by ES256 for this call, bound to the signing request, for a minute, and without an id twice", async () => {
    signs(() => ca.authority.issue(request));
    await authority.issue(request);
    await authority.issue(request);
    const tokens = ca.received.filter(({ path }) => path === "/1.0/sign").map(({ json }) => String(json["ott"]));
    const read = tokens.map((token) => {
      const [header = "", claims = "", signature = ""] = token.split(".");
      const publicKey = { key: keys.publicKey, dsaEncoding: "ieee-p1363" as const };
      expect(verify("sha256", Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, "base64url"))).toBe(
        true,
      );
      return [header, claims].map(
        (part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>,
      );
    });
    const [header, claims] = read[0] ?? [];
    expect(header).toEqual({ alg: "ES256", typ: "JWT", kid: "the-key" });
    expect(claims).toMatchObject({
      iss: "mosaic",
      aud: "https://127.0.0.1/1.0/sign",
      sub: request.identity.grantId,
      ...request.identity,
      cnf: { "x5rt#S256": expect.stringMatching(/^[\w-]{43}$/) },
    });
    expect(Number(claims?.["exp"]) - Number(claims?.["iat"])).toBe(60);
    expect(Math.abs(Number(claims?.["iat"]) - Date.now() / 1000)).toBeLessThan(30);
    expect(read[0]?.[1]?.["jti"]).not.toBe(read[1]?.[1]?.["jti"]);
  });
});

describe("a certificate that is not what was asked for never comes out", () => {
  const cases: [string, () => Promise<IssuedCertificate>, RegExp][] = [
    [
      "of another grant",
      () => ca.authority.issue({ ...request, identity: { ...request.identity, grantId: newId() } }),
      /names another grant/,
    ],
    [
      "of another subject",
      () => ca.authority.issue({ ...request, identity: { ...request.identity, subjectUserId: newId() } }),
      /names another subject/,
    ],
    ["for another key", async () => ca.authority.issue({ ...request, csr: await newRequest() }), /for another key/],
    ["for a server", () => ca.authority.issue(serverRequest), /not for client authentication alone/],
    [
      "that lives an hour longer",
      () => ca.authority.issue({ ...request, notAfter: new Date(request.notAfter.getTime() + 3_600_000) }),
      /lives longer than asked/,
    ],
    ["of another authority", async () => (await openAnother()).issue(request), /not signed by the pinned root/],
  ];
  test.each(cases)("%s", async (_, otherwise, reason) => {
    signs(otherwise);
    const problem = await refusalOf(authority.issue(request));
    expect(problem).toMatchObject({ code: "ca_answer_invalid", status: 502, message: expect.stringMatching(reason) });
  });

  test("with a chain that is not its own", async () => {
    signs(() => ca.authority.issue(request), [(await openAnother()).rootPem]);
    expect((await refusalOf(authority.issue(request))).message).toMatch(/not signed by certificate 1 of its chain/);
  });

  const servers: [string, Partial<IssueRequest & { kind: "server" }>, RegExp][] = [
    [
      "a server's with a host more",
      { dnsNames: ["gateway.example", "evil.example"] },
      /names a host it was not asked for/,
    ],
    ["a server's with a host less", { ipAddresses: [] }, /lacks a host it was asked for/],
    ["a server's of another host", { dnsNames: ["evil.example"] }, /lacks a host/],
  ];
  test.each(servers)("%s", async (_, differences, reason) => {
    signs(() => ca.authority.issue({ ...serverRequest, ...differences }));
    expect(await refusalOf(authority.issue(serverRequest))).toMatchObject({
      code: "ca_answer_invalid",
      message: expect.stringMatching(reason),
    });
  });

  async function openAnother(): Promise<CertificateAuthority> {
    return await openEmbeddedAuthority({
      ...(await createEmbeddedAuthority({ clock: systemClock })),
      clock: systemClock,
    });
  }
});

describe("an answer that is none", () => {
  const answers: [string, number, () => string, string][] = [
    ["not JSON", 201, () => "<html>", "ca_answer_invalid"],
    ["JSON of another form", 201, () => JSON.stringify({ crt: 7 }), "ca_answer_invalid"],
    ["text for a certificate", 201, () => JSON.stringify({ crt: "x", certChain: ["x"] }), "ca_answer_invalid"],
    [
      "a private key for a certificate",
      201,
      () => JSON.stringify({ crt: keys.privateKey.export({ type: "pkcs8", format: "pem" }), certChain: ["x"] }),
      "ca_answer_invalid",
    ],
    ["a megabyte", 201, () => "x".repeat(1024 * 1024), "ca_answer_invalid"],
    ["the token, in a refusal", 400, () => ca.received.at(-1)?.text ?? "", "ca_refused"],
    [
      "the token, for a certificate",
      201,
      () => JSON.stringify({ crt: ca.received.at(-1)?.json["ott"], certChain: ["x"] }),
      "ca_answer_invalid",
    ],
    ["a redirection", 302, () => "", "ca_refused"],
  ];
  test.each(answers)("%s is refused, and not quoted", async (_, status, body, code) => {
    ca.answer = (_received, response) =>
      void response.writeHead(status, { location: "https://evil.example/" }).end(body());
    expect((await refusalOf(authority.issue(request))).code).toBe(code);
  });

  test.each([401, 500, 503])("status %d is tried once more with a fresh token, and then refused", async (status) => {
    ca.answer = (_, response) => void response.writeHead(status).end();
    expect(await refusalOf(authority.issue(request))).toMatchObject({
      code: "ca_refused",
      details: { cause: `status ${status}` },
    });
    const tokens = ca.received.filter(({ path }) => path === "/1.0/sign").map(({ json }) => json["ott"]);
    expect(new Set(tokens).size).toBe(2);
    expect(tokens).toHaveLength(2);
  });

  test("a connection that breaks is tried once more with a fresh token", async () => {
    let calls = 0;
    ca.answer = async (_, response) => {
      calls += 1;
      if (calls === 1) return void response.destroy();
      const { certificatePem: crt } = await ca.authority.issue(request);
      answerJson(response, 201, { crt, certChain: [crt] });
    };
    expect((await authority.issue(request)).serial).toMatch(/^[0-9a-f]+$/);
    expect(calls).toBe(2);
  });

  test("a connection that breaks in the answer is unreachable", async () => {
    ca.answer = (_, response) => {
      response.writeHead(201, { "content-length": "1000" });
      response.write("{");
      setTimeout(() => response.destroy(), 20);
    };
    expect(await refusalOf(authority.issue(request))).toMatchObject({
      code: "ca_unreachable",
      details: { cause: "connection broken" },
    });
  });

  test("silence ends the look at its health when the caller says", async () => {
    ca.answer = () => undefined;
    const startedAt = performance.now();
    const problem = await refusalOf(probeStepCa({ url: ca.url, rootPem: ca.authority.rootPem }, { timeoutMs: 300 }));
    expect(problem).toMatchObject({ code: "ca_unreachable", details: { cause: "no answer within 0.3 s" } });
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});

describe("a revocation", () => {
  const revocation = { serial: "4a5b6c", reason: "privilegeWithdrawn" as const, at: new Date() };

  test("is asked for by the serial in base 10, passively, with the reason's code", async () => {
    ca.answer = (_, response) => answerJson(response, 200, { status: "ok" });
    await authority.revoke(revocation);
    expect(ca.received.at(-1)?.json).toMatchObject({ serial: String(0x4a5b6c), reasonCode: 9, passive: true });
  });

  test("that failed after it was stored is a success, as step-ca's second answer says", async () => {
    const answers = [500, 400];
    ca.answer = (_, response) => {
      const status = answers.shift() ?? 200;
      answerJson(response, status, {
        message: status === 400 ? "certificate with serial number '4872044' is already revoked" : "",
      });
    };
    await authority.revoke(revocation);
    expect(answers).toEqual([]);
  });

  test("that is refused with another 400 is none", async () => {
    ca.answer = (_, response) => answerJson(response, 400, { message: "missing serial" });
    expect((await refusalOf(authority.revoke(revocation))).code).toBe("ca_refused");
  });
});

describe("a CRL", () => {
  test("is believed when the pinned root's CA signed it", async () => {
    ca.revoked.push({ serial: "4a5b6c", reason: "superseded", revokedAt: new Date() });
    ca.answer = async (_, response) => void response.writeHead(200).end((await ca.authority.crl()).der);
    const list = await authority.crl();
    expect(new X509Certificate(list.issuerPem).fingerprint256).toBe(
      new X509Certificate(ca.authority.rootPem).fingerprint256,
    );
    expect(list.number).toBe((await ca.authority.crl()).number);
  });

  test("of anyone else is not, and says why", async () => {
    const fresh = await openStepCaAuthority({
      url: ca.url,
      rootPem: ca.authority.rootPem,
      provisioner: "mosaic",
      provisionerKey,
      clock: systemClock,
    });
    const other = await openEmbeddedAuthority({
      ...(await createEmbeddedAuthority({ clock: systemClock })),
      clock: systemClock,
      revokedSerials: { list: async () => [] },
    });
    ca.answer = async (_, response) => void response.writeHead(200).end((await other.crl()).der);
    expect(await refusalOf(fresh.crl())).toMatchObject({
      code: "ca_answer_invalid",
      message: expect.stringMatching(/CRL can't be used: it is not signed by its issuer/),
    });
    ca.answer = (_, response) => void response.writeHead(404).end();
    expect(await refusalOf(fresh.crl())).toMatchObject({
      code: "ca_refused",
      message: expect.stringMatching(/does not offer this/),
    });
  });
});

describe("the address of step-ca", () => {
  test.each(["http://ca.example", "ca.example", "ftp://ca.example"])("%s is none", async (url) => {
    await expect(
      openStepCaAuthority({
        url,
        rootPem: ca.authority.rootPem,
        provisioner: "mosaic",
        provisionerKey,
        clock: systemClock,
      }),
    ).rejects.toThrow(Error);
  });
});
