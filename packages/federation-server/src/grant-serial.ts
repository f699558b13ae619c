import { createHash } from "node:crypto";

/**
 * The serial that stands for a revoked grant on the CA's CRL, beside those of its certificates. No certificate has it.
 *
 * step-ca takes a certificate off its CRL an hour after the certificate's end, while a peer may ask for its next one for a day, and
 * an invite has no certificate at all. A serial that step-ca issued nothing under stays, so a database restored from before the
 * revocation always learns of it (ADR 10).
 *
 * @returns lower-case hex without leading zeros, 19 octets (RFC 5280 4.1.2.2 allows 20), always the same for a grant
 */
export function serialOfGrant(grantId: string): string {
  const digest = createHash("sha256").update(`mosaic revoked grant ${grantId}`).digest().subarray(0, 19);
  // Positive, and of full length.
  digest[0] = ((digest[0] ?? 0) & 0x3f) | 0x40;
  return digest.toString("hex");
}
