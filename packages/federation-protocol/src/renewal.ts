import { z } from "zod";
import { PROTOCOL_VERSION } from "./verbs.ts";

/** Where a peer asks for its next certificate: over mutual TLS, with the one it has. */
export const RENEWAL_PATH = `/federation/v${PROTOCOL_VERSION}/renew`;

/** How long after its end a certificate still gets its peer a next one, and nothing else (sharp edge 11). */
export const RENEWAL_GRACE_MS = 24 * 3_600_000;

/** How many renewals in a row may be asked for with a certificate that has ended. */
export const MOST_LATE_RENEWALS = 2;

/** The highest number of a certificate: what a database's column holds. A peer's word is checked against it. */
export const MAX_GENERATION = 2_147_483_647;

/** When the serving side wants to be asked: any moment in between, chosen evenly. */
export const renewalWindowSchema = z.object({ from: z.iso.datetime(), until: z.iso.datetime() });

/** A renewal asks for a certificate of a new key. The same request again is answered the same. */
export const renewalRequestSchema = z.strictObject({ csr: z.string().max(8192) });

/** The next certificate. The one it replaces stays good until the peer has used the new one. */
export const renewalResponseSchema = z.object({
  certificate: z.string().max(16_384),
  chain: z.array(z.string().max(16_384)).max(3),
  /** One more than the certificate's it replaces. */
  generation: z.int().min(1).max(MAX_GENERATION),
  renew: renewalWindowSchema,
  /** Where the serving gateway answers peers: it may have moved. */
  endpoint: z.string().max(512),
});
export type RenewalResponse = z.infer<typeof renewalResponseSchema>;

export interface RenewalWindow {
  readonly from: Date;
  readonly until: Date;
}

/** More than the longest pause between two attempts: 32 minutes, and what the job takes. Less for a life below a day. */
const PAUSE_MS = 3_600_000;

/**
 * From half of a certificate's life to an hour before two thirds of it (ADR 11): who asks last, and in vain for a third of that
 * life, asks again before its end.
 */
export function renewalWindow(notBefore: Date, notAfter: Date): RenewalWindow {
  const [start, life] = [notBefore.getTime(), notAfter.getTime() - notBefore.getTime()];
  const until = (life * 2) / 3 - Math.min(PAUSE_MS, life / 24);
  return { from: new Date(start + life / 2), until: new Date(start + until) };
}
