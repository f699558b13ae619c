import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import { inspect } from "node:util";
import {
  type CertificateAuthority,
  type IssuedCertificate,
  openStepCaAuthority,
  probeStepCa,
  type StepCaOptions,
} from "@mosaicstack/certificate-authority";
import { createSigningRequest, type OwnSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { newId, Problem } from "@mosaicstack/foundation";
import { type JWK, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openedKey } from "./raw-sign.ts";
import { openPrivateStepCa, optionsOf, type PrivateStepCa } from "./step-ca-authority.ts";

const DAY_MS = 86_400_000;
/** What a caller waits at most for a CA that is away. */
const MAX_WAIT_MS = 6_000;

let stepCa: PrivateStepCa;
let authority: CertificateAuthority;
let options: StepCaOptions;
let own: OwnSigningRequest;
let csr: Uint8Array;
let key: JWK;

beforeAll(async () => {
  ({ stepCa, authority } = await openPrivateStepCa());
  options = await optionsOf(stepCa);
  key = await openedKey(options);
  own = await createSigningRequest();
  const reading = await readSigningRequest(own.csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  csr = reading.der;
});
afterAll(() => stepCa.stop());

function issue(from: CertificateAuthority = authority, lifetimeMs = DAY_MS): Promise<IssuedCertificate> {
  const identity = { grantId: newId(), subjectUserId: newId() };
  return from.issue({ kind: "client", csr, identity, notAfter: new Date(Date.now() + lifetimeMs) });
}

/** The Problem that comes of something, with how long it took; it must hold no secret. */
async function refusalOf(work: () => Promise<unknown>): Promise<{ problem: Problem; tookMs: number }> {
  const startedAt = performance.now();
  const outcome: unknown = await work().catch((error: unknown) => error);
  const tookMs = performance.now() - startedAt;
  if (!(outcome instanceof Problem)) throw new Error(`no Problem but ${inspect(outcome)}`);
  expectNoSecret(outcome);
  return { problem: outcome, tookMs };
}

/** All that anyone could log of an error: no part of the key, its password, or a token. */
function expectNoSecret(error: unknown): void {
  const text = inspect(error, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null });
  for (const secret of [
    key.d ?? "?",
    options.provisionerPassword ?? "?",
    options.provisionerKey.split(".")[3] ?? "?",
    "eyJ",
  ]) {
    expect(text).not.toContain(secret);
  }
}

test("answers a look at its health", async () => {
  expect((await probeStepCa(stepCa, { timeoutMs: 5000 })).latencyMs).toBeLessThan(5000);
});

describe("sharp edge 4: step-ca's own /renew gives nothing for a peer's certificate", () => {
  /** The status, or the code of the TLS alert: Go's TLS refuses a critical subjectAltName in which it knows no name. */
  async function renew(credentials: RequestOptions): Promise<string> {
    const asked = request(`${stepCa.url}/1.0/renew`, {
      method: "POST",
      ca: stepCa.rootPem,
      agent: false,
      ...credentials,
    });
    asked.end();
    try {
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      answer.resume();
      return String(answer.statusCode);
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }

  test("over TLS, which its owner could do without the gateway", async () => {
    const { certificatePem, chainPem } = await issue();
    const presented = { cert: [certificatePem, ...chainPem].join("\n"), key: own.privateKeyPem };
    expect(await renew(presented)).toMatch(/^(?:401|ERR_SSL_\w*ALERT_BAD_CERTIFICATE)$/);
  });

  test("by a token that its key signed", async () => {
    const { certificatePem, chainPem } = await issue();
    const x5cInsecure = [certificatePem, ...chainPem].map((pem) => new X509Certificate(pem).raw.toString("base64"));
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({
      iss: "step-ca-client/1.0",
      aud: `${stepCa.url}/1.0/renew`,
      sub: "",
      iat: now,
      nbf: now,
      exp: now + 60,
    })
      .setProtectedHeader({ alg: "ES256", typ: "JWT", x5cInsecure })
      .sign(createPrivateKey(own.privateKeyPem));
    expect(await renew({ headers: { authorization: `Bearer ${token}` } })).toBe("401");
  });
});

describe("a token", () => {
  test("that step-ca has burned is made anew, once", async () => {
    const ids = ["burned", "burned", "fresh"];
    const from = await openStepCaAuthority({ ...options, newTokenId: () => `${stepCa.port}-${ids.shift()}` });
    await issue(from);
    expect(ids).toEqual(["burned", "fresh"]);
    expect((await issue(from)).serial).toMatch(/^[0-9a-f]+$/);
    expect(ids).toEqual([]);
  });

  test("that is burned twice is a refusal", async () => {
    const from = await openStepCaAuthority({ ...options, newTokenId: () => `${stepCa.port}-always` });
    await issue(from);
    const { problem } = await refusalOf(() => issue(from));
    expect(problem).toMatchObject({ code: "ca_refused", details: { cause: "status 401" } });
  });

  test("of another key is refused, and the problem says where to look", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const provisionerKey = JSON.stringify(
      createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })).export({ format: "jwk" }),
    );
    const from = await openStepCaAuthority({ ...options, provisionerKey });
    const { problem } = await refusalOf(() => issue(from));
    expect(problem).toMatchObject({ code: "ca_refused", status: 502 });
    expect(problem.details).toMatchObject({ service: "certificate-authority", host: "127.0.0.1", port: stepCa.port });
    expect(problem.message).toMatch(/does not accept this gateway's token \(401\)/);
    expect(problem.details.remedy).toMatch(/provisioner's name and key.*log/);
    const { problem: second } = await refusalOf(() =>
      from.revoke({ serial: "1234", reason: "unspecified", at: new Date() }),
    );
    expect(second).toMatchObject({ code: "ca_refused", details: { cause: "status 401" } });
  });

  test("of an unknown provisioner is refused the same", async () => {
    const from = await openStepCaAuthority({ ...options, provisioner: "nobody" });
    expect((await refusalOf(() => issue(from))).problem).toMatchObject({ code: "ca_refused" });
  });

  test("of a clock that is two hours ahead is refused the same", async () => {
    const clock = { now: () => new Date(Date.now() + 7_200_000) };
    const from = await openStepCaAuthority({ ...options, clock });
    const { problem } = await refusalOf(() => issue(from, 2 * DAY_MS));
    expect(problem).toMatchObject({ code: "ca_refused", details: { cause: "status 401" } });
    expect(problem.details.remedy).toMatch(/clocks/);
  });
});

test("what a template forbids is told apart from a bad token", async () => {
  const from = await openStepCaAuthority({ ...options, provisioner: "mosaic-listener" });
  const { problem } = await refusalOf(() => issue(from));
  expect(problem).toMatchObject({ code: "ca_refused", details: { cause: "status 400" } });
  expect(problem.message).toMatch(/accepts this gateway's token, and forbids/);
});

describe("a CA that is away", () => {
  const calls: [string, () => Promise<unknown>][] = [
    ["issue", () => issue()],
    ["revoke", () => authority.revoke({ serial: "1234", reason: "unspecified", at: new Date() })],
    ["crl", () => authority.crl()],
    ["probe", () => probeStepCa(stepCa, { timeoutMs: 5000 })],
  ];

  test.each(calls)("and refuses connections fails %s at once, and it works again when it is back", async (_, call) => {
    await issue(); // Leaves a socket that the kill breaks.
    await authority.revoke({ serial: newId().replaceAll("-", ""), reason: "unspecified", at: new Date() });
    await stepCa.kill();
    try {
      const { problem, tookMs } = await refusalOf(call);
      expect(problem).toMatchObject({ code: "ca_unreachable", status: 503 });
      expect(problem.details).toMatchObject({
        service: "certificate-authority",
        host: "127.0.0.1",
        port: stepCa.port,
        cause: "connection refused",
      });
      expect(tookMs).toBeLessThan(1000);
    } finally {
      await stepCa.restart();
    }
    await call();
  });

  test.each(calls)("and answers nothing fails %s within 6 s", async (_, call) => {
    await authority.revoke({ serial: newId().replaceAll("-", ""), reason: "unspecified", at: new Date() });
    stepCa.pause();
    try {
      const { problem, tookMs } = await refusalOf(call);
      expect(problem).toMatchObject({ code: "ca_unreachable", details: { cause: "no answer within 5 s" } });
      expect(tookMs).toBeLessThan(MAX_WAIT_MS);
    } finally {
      stepCa.resume();
    }
  });

  test.each([
    ["under a name that is nobody's", "https://step-ca.invalid:9000", /host name not known|connection failed/],
    ["under a name its certificate lacks", "https://127.0.0.2:PORT", /connection refused|another host/],
  ])("%s is unreachable, and the problem says why", async (_, url, cause) => {
    const from = await openStepCaAuthority({ ...options, url: url.replace("PORT", String(stepCa.port)) });
    const { problem, tookMs } = await refusalOf(() => issue(from));
    expect(problem).toMatchObject({ code: "ca_unreachable", details: { cause: expect.stringMatching(cause) } });
    expect(tookMs).toBeLessThan(MAX_WAIT_MS);
  });

  test("because another one answers in its place is told no token", async () => {
    const other = await openPrivateStepCa();
    try {
      const from = await openStepCaAuthority({ ...options, url: other.stepCa.url });
      const { problem } = await refusalOf(() => issue(from));
      expect(problem).toMatchObject({
        code: "ca_unreachable",
        details: { cause: "its certificate is not of the pinned root" },
      });
    } finally {
      await other.close();
    }
  });
});
