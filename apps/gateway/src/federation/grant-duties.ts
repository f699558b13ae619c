import { setTimeout } from "node:timers/promises";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import type { Coordination } from "@mosaicstack/coordination";
import {
  createCrlCopy,
  createCrlPublication,
  createGrantExpiry,
  createGrantWatch,
  createRevocationOutbox,
  createRevocationReconciliation,
  type CrlPublication,
  EXPIRE_GRANTS_MS,
  type GrantAnnouncer,
  type LiveSockets,
  RECONCILE_MS,
  TELL_AUTHORITY_MS,
} from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import type { Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";

const REFRESH_CRL_MS = 60_000;
/** How often it tries to compare while it never could since its start. */
const FIRST_COMPARISON_MS = 5_000;

/** What a serving gateway does about grants and their certificates without being asked. */
export interface GrantDuties {
  /** The published CRL. */
  readonly crl: CrlPublication;
  /** How many revocations the CA has not been told of yet. */
  countUntold(): Promise<number>;
  /**
   * Compares the database with the CA's CRL, then begins all that goes on. Before the listener for peers opens. Where the CA can't be
   * asked, it begins all the same, says so, and compares as soon as the CA answers: docs/federation/SETUP.md says why.
   */
  start(): Promise<void>;
  /** Ends what this process does by itself; the jobs end with the coordination. */
  stop(): Promise<void>;
}

export function composeGrantDuties(dependencies: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  readonly authority: CertificateAuthority;
  readonly liveSockets: LiveSockets;
  readonly announcer: GrantAnnouncer;
  readonly coordination: Coordination;
  /** Where the newest CRL is kept outside the database. Default: nowhere. */
  readonly crlCopyPath?: string;
}): GrantDuties {
  const { store, clock, log, authority, liveSockets, announcer, coordination, crlCopyPath } = dependencies;
  const file = crlCopyPath === undefined ? undefined : createCrlCopy(crlCopyPath);

  const crl = createCrlPublication({
    authority,
    clock,
    onAlarm: (alarm) =>
      alarm === null
        ? log.info("the certificate revocation list is up to date again")
        : log.warn({ alarm }, "the certificate revocation list cannot be brought up to date"),
    onList(list) {
      file?.write(list).catch((error: unknown) => log.warn({ err: error }, "the CRL's copy cannot be written"));
    },
  });
  const outbox = createRevocationOutbox({ store, clock, authority, onTold: () => void crl.refresh() });
  const expiry = createGrantExpiry({ store, clock, announcer });
  const reconciliation = createRevocationReconciliation({
    store,
    clock,
    crl,
    announcer,
    ...(file === undefined ? {} : { copy: { file, rootPem: authority.rootPem } }),
    onFound: (grantId, serials) =>
      log.warn({ grantId, serials }, "a grant was revoked: the CRL names certificates of it that were good here"),
  });
  const watch = createGrantWatch({
    store,
    clock,
    liveSockets,
    coordination,
    onFault: (error) => log.warn({ err: error }, "the grants with open connections cannot be looked up"),
  });

  const jobs = [
    { name: "grant-expiry", everyMs: EXPIRE_GRANTS_MS, work: () => expiry.expireGrants() },
    { name: "revocation-outbox", everyMs: TELL_AUTHORITY_MS, work: () => outbox.tellAuthority() },
    { name: "revocation-reconciliation", everyMs: RECONCILE_MS, work: () => reconciliation.reconcile() },
  ];
  let refreshing: NodeJS.Timeout | undefined;
  const stopping = new AbortController();
  let comparing: Promise<void> | undefined;

  /** Tries until it could be compared once. On every replica: the job is one replica's, and may be due in a minute. */
  async function compareWhenPossible(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      await setTimeout(FIRST_COMPARISON_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        if ((await reconciliation.reconcile()).kind === "nothing_to_compare") continue;
        return log.info("the database was compared with the certificate authority's CRL");
      } catch (error) {
        log.warn({ err: error }, "the database can't be compared with the certificate authority's CRL");
      }
    }
  }

  return {
    crl,
    countUntold: () => outbox.countUntold(),
    async start() {
      const { kind } = await reconciliation.reconcile();
      if (kind === "nothing_to_compare") {
        log.warn("there is no CRL to compare the database with: a restored backup would go unnoticed until there is");
        comparing = compareWhenPossible();
      }
      watch.start();
      // On every replica: each serves a list of its own.
      refreshing = setInterval(() => void crl.refresh(), REFRESH_CRL_MS).unref();
      for (const { name, everyMs, work } of jobs) {
        await coordination.schedule({ name, everyMs, work: async () => void (await work()) });
      }
    },
    async stop() {
      clearInterval(refreshing);
      stopping.abort();
      await Promise.all([watch.stop(), comparing]);
    },
  };
}
