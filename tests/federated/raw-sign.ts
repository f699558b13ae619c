import { createHash, randomUUID } from "node:crypto";
import { Agent, request } from "node:https";
import type { StepCaOptions } from "@mosaicstack/certificate-authority";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { newId } from "@mosaicstack/foundation";
import { compactDecrypt, importJWK, type JWK, SignJWT } from "jose";

const DAY_MS = 86_400_000;

/** The provisioner's private key, decrypted by another library than ours. */
export async function openedKey(options: StepCaOptions): Promise<JWK> {
  const password = Buffer.from(options.provisionerPassword ?? "");
  const { plaintext } = await compactDecrypt(options.provisionerKey, password, {
    keyManagementAlgorithms: ["PBES2-HS256+A128KW"],
    maxPBES2Count: 1_000_000,
  });
  return JSON.parse(Buffer.from(plaintext).toString()) as JWK;
}

/** The floor of an enrollment: step-ca asked to sign as anyone would who knows its documentation, and no word of the answer read. */
export interface RawSigner {
  /** @throws Error for any status but 201 */
  sign(): Promise<void>;
  close(): void;
}

/** With a signing request of its own, which step-ca signs any number of times. */
export async function openRawSigner(options: StepCaOptions): Promise<RawSigner> {
  const jwk = await openedKey(options);
  const key = await importJWK(jwk, "ES256");
  const agent = new Agent({ ca: options.rootPem, keepAlive: true, maxCachedSessions: 0 });
  const { csrPem: csr } = await createSigningRequest();
  const reading = await readSigningRequest(csr);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const fingerprint = createHash("sha256").update(reading.der).digest("base64url");
  const url = `${options.url}/1.0/sign`;

  const post = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(url, { method: "POST", agent, headers: { "content-type": "application/json" } }, (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
      })
        .once("error", reject)
        .end(body);
    });

  return {
    async sign() {
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
      const status = await post(JSON.stringify({ csr, ott, notAfter: new Date(Date.now() + DAY_MS).toISOString() }));
      if (status !== 201) throw new Error(`raw /sign: status ${status}`);
    },
    close: () => agent.destroy(),
  };
}
