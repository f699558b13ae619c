import { createHash, randomBytes, sign } from "node:crypto";
import type { ProvisionerKey } from "./provisioner-key.ts";

const LIFETIME_SECONDS = 60;

/** What a token is for. */
export interface TokenPurpose {
  readonly provisioner: string;
  /** The address of the call that it is for. */
  readonly audience: string;
  readonly subject: string;
  /** Claims for step-ca's template, or of the call. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/**
 * A token that step-ca takes once, within a minute: a JWT (RFC 7519) by ES256. Made just before it is sent, since step-ca refuses one
 * that is older than itself, and burns it with any call that fails.
 */
export function createOneTimeToken(
  purpose: TokenPurpose,
  key: ProvisionerKey,
  now: Date,
  tokenId = newTokenId(),
): string {
  const issuedAt = Math.floor(now.getTime() / 1000);
  const header = { alg: "ES256", typ: "JWT", kid: key.keyId };
  const claims = {
    ...purpose.claims,
    iss: purpose.provisioner,
    aud: purpose.audience,
    sub: purpose.subject,
    jti: tokenId,
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + LIFETIME_SECONDS,
  };
  const content = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = sign("sha256", Buffer.from(content), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  return `${content}.${signature.toString("base64url")}`;
}

/** 256 random bits. */
export function newTokenId(): string {
  return randomBytes(32).toString("hex");
}

/** Binds a token to one signing request (RFC 7800, as step-ca names it). @param csr DER */
export function boundTo(csr: Uint8Array): { readonly cnf: { readonly "x5rt#S256": string } } {
  return { cnf: { "x5rt#S256": createHash("sha256").update(csr).digest("base64url") } };
}
