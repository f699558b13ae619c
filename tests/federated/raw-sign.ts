import { createHash, randomUUID } from "node:crypto";
import { Agent, request } from "node:https";
import type { IssuedCertificate, StepCaOptions } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import { compactDecrypt, importJWK, type JWK, SignJWT } from "jose";

/** The provisioner's private key, decrypted by another library than ours. */
export async function openedKey(options: StepCaOptions): Promise<JWK> {
  const password = Buffer.from(options.provisionerPassword ?? "");
  const { plaintext } = await compactDecrypt(options.provisionerKey, password, {
    keyManagementAlgorithms: ["PBES2-HS256+A128KW"],
    maxPBES2Count: 1_000_000,
  });
  return JSON.parse(Buffer.from(plaintext).toString()) as JWK;
}

/** Asks step-ca to sign as anyone who knows its documentation would, turn and turn about with the port. @returns medians in ms */
export async function compareWithRawSign({
  options,
  rounds,
  csr,
  issue,
}: {
  readonly options: StepCaOptions;
  readonly rounds: number;
  readonly csr: Uint8Array;
  readonly issue: () => Promise<IssuedCertificate>;
}): Promise<{ readonly raw: number; readonly port: number }> {
  const jwk = await openedKey(options);
  const key = await importJWK(jwk, "ES256");
  const agent = new Agent({ ca: options.rootPem, keepAlive: true, maxCachedSessions: 0 });
  const csrPem = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(csr).toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  const fingerprint = createHash("sha256").update(csr).digest("base64url");

  async function sign(): Promise<void> {
    const claims = { grantId: newId(), subjectUserId: newId(), cnf: { "x5rt#S256": fingerprint } };
    const ott = await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: jwk.kid ?? "" })
      .setIssuer(options.provisioner)
      .setAudience(`https://${new URL(options.url).hostname}/1.0/sign`)
      .setSubject(claims.grantId)
      .setJti(randomUUID())
      .setIssuedAt()
      .setNotBefore("0s")
      .setExpirationTime("60s")
      .sign(key);
    const notAfter = new Date(Date.now() + 86_400_000).toISOString();
    const status = await post(`${options.url}/1.0/sign`, JSON.stringify({ csr: csrPem, ott, notAfter }), agent);
    if (status !== 201) throw new Error(`raw /sign: status ${status}`);
  }

  await sign();
  const raw: number[] = [];
  const port: number[] = [];
  for (let round = 0; round < rounds; round++) {
    raw.push(await timed(sign));
    port.push(await timed(issue));
  }
  agent.destroy();
  return { raw: median(raw), port: median(port) };
}

function post(url: string, body: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "POST", agent, headers: { "content-type": "application/json" } }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    asked.once("error", reject).end(body);
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, another) => one - another)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
