import type { Clock } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, gt, isNull, notInArray } from "drizzle-orm";
import type { CrlCopy } from "./crl-copy.ts";
import type { CrlPublication } from "./crl-publication.ts";
import { readTrustedList } from "./crl-reading.ts";
import { serialOfGrant } from "./grant-serial.ts";
import { type GrantAnnouncer, revokeGrant } from "./revocation.ts";

/** How often {@link RevocationReconciliation.reconcile} is due; it refreshes the published list, too. */
export const RECONCILE_MS = 60_000;

/** How long after its end a certificate may still ask for a renewal, and some more. */
const USABLE_AFTER_END_MS = 25 * 3_600_000;

export type Reconciliation =
  | {
      readonly kind: "compared";
      /** The grants that were good here and are not any more. */
      readonly revokedGrantIds: readonly string[];
    }
  /** There is no list at all to compare with: neither the CA's nor a copy. */
  | { readonly kind: "nothing_to_compare" };

/**
 * Brings a database that is older than the CA's record up to it: a serial on the CRL that is good here, a certificate's or the one
 * that stands for a grant ({@link serialOfGrant}), means a backup was restored that was taken before the revocation. The grant is
 * revoked, as if that had happened here.
 *
 * To be run before the listener opens, and again and again from then on, since the CA may be down at boot. The CRL of the embedded CA is
 * written from this very database, and a restore takes it back, too: there only the copy outside the database knows of what was
 * revoked since the backup, and without one there is nothing to compare with. docs/federation say so.
 */
export interface RevocationReconciliation {
  /** Never throws for the CA's faults, which are the publication's alarms. @throws what the database throws */
  reconcile(): Promise<Reconciliation>;
}

export function createRevocationReconciliation(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly crl: Pick<CrlPublication, "refresh" | "latest">;
  readonly announcer: GrantAnnouncer;
  /** Where the newest list is kept outside the database, and the root of its signer. Default: nowhere. */
  readonly copy?: { readonly file: Pick<CrlCopy, "read">; readonly rootPem: string };
  /** Hears of each grant that had to be revoked: somebody restored a backup, or revoked at the CA by hand. */
  readonly onFound: (grantId: string, serials: readonly string[]) => void;
}): RevocationReconciliation {
  const { store, clock, crl, announcer, copy } = dependencies;
  let isCopyCompared = copy === undefined;

  async function readCopy(): Promise<ReadonlySet<string> | undefined> {
    const kept = await copy?.file.read();
    if (copy === undefined || kept === undefined) return undefined;
    const reading = readTrustedList(kept, { rootPem: copy.rootPem, now: clock.now() });
    return reading.kind === "trusted" ? reading.list.serials : undefined;
  }

  async function goodHereButOn(list: ReadonlySet<string>): Promise<Map<string, string[]>> {
    const { serial, grantId, revokedAt, notAfter } = schema.federationCertificates;
    const usable = gt(notAfter, new Date(clock.now().getTime() - USABLE_AFTER_END_MS));
    const certificates = await store.db
      .select({ serial, grantId })
      .from(schema.federationCertificates)
      .where(and(isNull(revokedAt), usable));
    const { id, status } = schema.federationGrants;
    const grants = await store.db
      .select({ id })
      .from(schema.federationGrants)
      .where(notInArray(status, ["revoked", "expired"]));
    const ofGrants = grants.map((grant) => ({ grantId: grant.id, serial: serialOfGrant(grant.id) }));
    const found = new Map<string, string[]>();
    for (const row of [...certificates, ...ofGrants]) {
      if (list.has(row.serial)) found.set(row.grantId, [...(found.get(row.grantId) ?? []), row.serial]);
    }
    return found;
  }

  /** @returns the grants revoked */
  async function compareWith(list: ReadonlySet<string> | undefined): Promise<string[]> {
    if (list === undefined || list.size === 0) return [];
    const found = await goodHereButOn(list);
    for (const [grantId, serials] of found) {
      const decision = { at: clock.now(), reason: "privilegeWithdrawn", cause: "found_on_crl" } as const;
      await store.transaction((db) => revokeGrant(db, grantId, decision));
      await announcer.announce(grantId);
      dependencies.onFound(grantId, serials);
    }
    return [...found.keys()];
  }

  return {
    async reconcile() {
      // The copy first, and to the end: the CA's answer replaces it. Once: later copies are of what this process published.
      const kept = isCopyCompared ? undefined : await readCopy();
      const fromCopy = await compareWith(kept);
      isCopyCompared = true;
      await crl.refresh();
      const list = crl.latest()?.serials;
      if (kept === undefined && list === undefined) return { kind: "nothing_to_compare" };
      return { kind: "compared", revokedGrantIds: [...fromCopy, ...(await compareWith(list))] };
    },
  };
}
