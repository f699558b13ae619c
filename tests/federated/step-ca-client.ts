import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { compactDecrypt, importJWK, type JWK, SignJWT } from "jose";

/** An answer of step-ca: its refusals say no more than the status. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Speaks to a step-ca as a gateway does. */
export interface StepCaClient {
  readonly rootPem: string;
  /** A one-time token; `claims` are on top of those every token has, and over them. */
  token(audience: "sign" | "revoke", claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** @param identity a client certificate to show */
  call(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    identity?: { readonly cert: string; readonly key: string },
  ): Promise<Answer>;
}

/** The claim that ties a token to one signing request (RFC 8705's shape, step-ca's name). */
export function boundTo(csr: Uint8Array): Readonly<Record<string, string>> {
  return { "x5rt#S256": createHash("sha256").update(csr).digest("base64url") };
}

/** What a gateway is told about a step-ca. */
export interface StepCaAccess {
  readonly url: string;
  readonly rootFile: string;
  readonly provisioner: string;
  readonly provisionerKeyFile: string;
  readonly provisionerPasswordFile: string;
}

/**
 * The step-ca that the tests were given.
 *
 * @throws Error without the variables: these tests fail where there's no step-ca, they aren't skipped.
 */
export function givenStepCa(): StepCaAccess {
  return {
    url: variable("URL"),
    rootFile: variable("ROOT_FILE"),
    provisioner: variable("PROVISIONER"),
    provisionerKeyFile: variable("PROVISIONER_KEY_FILE"),
    provisionerPasswordFile: variable("PASSWORD_FILE"),
  };
}

export async function stepCaClient(access: StepCaAccess): Promise<StepCaClient> {
  const { url } = access;
  const rootPem = await readFile(access.rootFile, "utf8");
  const password = (await readFile(access.provisionerPasswordFile, "utf8")).trim();
  const sealed = (await readFile(access.provisionerKeyFile, "utf8")).trim();
  const { plaintext } = await compactDecrypt(sealed, Buffer.from(password), {
    keyManagementAlgorithms: ["PBES2-HS256+A128KW"],
    contentEncryptionAlgorithms: ["A256GCM"],
    maxPBES2Count: 1_000_000,
  });
  const jwk = JSON.parse(Buffer.from(plaintext).toString()) as JWK & { readonly kid: string };
  const key = await importJWK(jwk, "ES256");

  return {
    rootPem,
    token(audience, claims) {
      const now = Math.floor(Date.now() / 1000);
      const usual = {
        iss: access.provisioner,
        aud: new URL(`/1.0/${audience}`, url).href,
        jti: randomUUID(),
        iat: now,
        nbf: now,
        exp: now + 60,
      };
      return new SignJWT({ ...usual, ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: jwk.kid })
        .sign(key);
    },
    call(method, path, body, identity) {
      return new Promise((resolve, reject) => {
        const options = { method, ca: rootPem, agent: false, headers: { "content-type": "application/json" } };
        const asked = request(new URL(path, url), { ...options, ...identity }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.once("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
        });
        asked.once("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
      });
    },
  };
}

function variable(name: string): string {
  const value = process.env[`MOSAIC_TEST_STEP_CA_${name}`];
  if (value === undefined || value === "") {
    throw new Error(`MOSAIC_TEST_STEP_CA_${name} isn't set. Run the federated tests with: npm run test:federated`);
  }
  return value;
}
