import { revocationReasonOf, type RevokedSerials } from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, eq, gt, isNotNull } from "drizzle-orm";

/** A certificate that has ended still gets its peer a renewal for a day, and must appear on one more list (RFC 5280 3.3). */
const LISTED_AFTER_END_MS = 25 * 3_600_000;

/** What the embedded CA's list is written from: the revoked certificates, as the database has them. */
export function revokedSerialsOf(store: Store, clock: Clock): RevokedSerials {
  const { federationCertificates: certificates, federationRevocations: revocations } = schema;
  const { serial, revokedAt, notAfter } = certificates;
  return {
    async list() {
      const end = new Date(clock.now().getTime() - LISTED_AFTER_END_MS);
      const rows = await store.db
        .select({ serial, revokedAt, reason: revocations.reason })
        .from(certificates)
        .leftJoin(revocations, eq(revocations.serial, serial))
        .where(and(isNotNull(revokedAt), gt(notAfter, end)));
      return rows.flatMap((row) =>
        row.revokedAt === null
          ? []
          : [{ serial: row.serial, revokedAt: row.revokedAt, reason: revocationReasonOf(row.reason) }],
      );
    },
  };
}
