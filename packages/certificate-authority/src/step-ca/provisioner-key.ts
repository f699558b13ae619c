import { createDecipheriv, createHash, createPrivateKey, type KeyObject, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { problem } from "../problems.ts";

/** The key that step-ca knows a provisioner by. */
export interface ProvisionerKey {
  /** ECDSA on P-256. */
  readonly privateKey: KeyObject;
  readonly keyId: string;
}

/** Key encryption by a password (RFC 7518 4.8): the digest, and the key wrapping. */
const PASSWORD_ALGORITHMS: Readonly<
  Record<string, { readonly digest: string; readonly wrap: string; readonly bytes: number }>
> = {
  "PBES2-HS256+A128KW": { digest: "sha256", wrap: "aes128-wrap", bytes: 16 },
  "PBES2-HS384+A192KW": { digest: "sha384", wrap: "aes192-wrap", bytes: 24 },
  "PBES2-HS512+A256KW": { digest: "sha512", wrap: "aes256-wrap", bytes: 32 },
};
/** Content encryption (RFC 7518 5.3). */
const CONTENT_CIPHERS: Readonly<Record<string, "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm">> = {
  A128GCM: "aes-128-gcm",
  A192GCM: "aes-192-gcm",
  A256GCM: "aes-256-gcm",
};
/** The initial value of a key wrapping (RFC 3394 2.2.3.1). */
const WRAP_START = Buffer.alloc(8, 0xa6);
const MAX_ROUNDS = 10_000_000;

const base64Url = z
  .string()
  .regex(/^[A-Za-z0-9_-]*$/)
  .transform((text) => Buffer.from(text, "base64url"));
const sealedSchema = z.object({
  protected: z.string(),
  encrypted_key: base64Url,
  iv: base64Url,
  ciphertext: base64Url,
  tag: base64Url.refine((tag) => tag.length === 16),
});
const headerSchema = z.object({
  alg: z.string(),
  enc: z.string(),
  p2s: base64Url,
  p2c: z.int().positive().max(MAX_ROUNDS),
});
const keySchema = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string().min(1).optional(),
});

/**
 * Reads a provisioner's private key: a JWK, or one encrypted by a password as `step` and deploy/step-ca write it (JWE, compact or JSON).
 *
 * @throws Problem `ca_key_unusable`, which quotes nothing of key or password
 */
export async function readProvisionerKey(text: string, password: string | undefined): Promise<ProvisionerKey> {
  const parsed = jsonOf(text.trim());
  const sealed = sealedSchema.safeParse(parsed ?? compactParts(text.trim()));
  const found = keySchema.safeParse(sealed.success ? jsonOf(await unseal(sealed.data, password)) : parsed);
  if (!found.success) throw unusable("It is neither a private JWK for P-256 nor one that is encrypted.");
  const { kid, ...jwk } = found.data;
  try {
    return { privateKey: createPrivateKey({ key: jwk, format: "jwk" }), keyId: kid ?? thumbprint(jwk) };
  } catch {
    throw unusable("Its numbers are no key on P-256.");
  }
}

/** The name of a key that has been given none (RFC 7638), as `step` does. */
function thumbprint({ crv, kty, x, y }: { crv: string; kty: string; x: string; y: string }): string {
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

async function unseal(sealed: z.infer<typeof sealedSchema>, password: string | undefined): Promise<string> {
  const header = headerSchema.safeParse(jsonOf(Buffer.from(sealed.protected, "base64url").toString("utf8")));
  const algorithm = header.success ? PASSWORD_ALGORITHMS[header.data.alg] : undefined;
  const cipher = header.success ? CONTENT_CIPHERS[header.data.enc] : undefined;
  if (!header.success || algorithm === undefined || cipher === undefined) {
    throw unusable("It is encrypted in a way that isn't known here: PBES2 with AES-GCM is.");
  }
  if (password === undefined) throw unusable("It is encrypted, and no password was given.");
  const { alg, p2s, p2c } = header.data;
  const salt = Buffer.concat([Buffer.from(alg), Buffer.from([0]), p2s]);
  const wrappingKey = await promisify(pbkdf2)(password, salt, p2c, algorithm.bytes, algorithm.digest);
  try {
    const unwrap = createDecipheriv(algorithm.wrap, wrappingKey, WRAP_START);
    const contentKey = Buffer.concat([unwrap.update(sealed.encrypted_key), unwrap.final()]);
    const open = createDecipheriv(cipher, contentKey, sealed.iv);
    open.setAAD(Buffer.from(sealed.protected, "ascii"));
    open.setAuthTag(sealed.tag);
    return Buffer.concat([open.update(sealed.ciphertext), open.final()]).toString("utf8");
  } catch {
    throw unusable("The password doesn't open it, or it was damaged.");
  }
}

function compactParts(text: string): unknown {
  const [header, encryptedKey, iv, ciphertext, tag, ...others] = text.split(".");
  if (tag === undefined || others.length > 0) return undefined;
  return { protected: header, encrypted_key: encryptedKey, iv, ciphertext, tag };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What JSON.parse says would quote the text.
    return undefined;
  }
}

function unusable(detail: string): Error {
  return problem("ca_key_unusable", { detail: `The provisioner's key can't be used. ${detail}` });
}
