import { createHash } from "node:crypto";
import type { CertificateAuthority } from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import type { RevocationList } from "@mosaicstack/federation-protocol";
import type { SignedList } from "./crl-copy.ts";
import { askForList, type TrustedListReading } from "./crl-reading.ts";
import { grantProblem } from "./problems.ts";

/** A list this young is served without asking the CA. */
const FRESH_MS = 10_000;
/** How long who asks waits for the CA where there is a list to serve meanwhile, and where there is none. */
const WAIT_WITH_LIST_MS = 250;
const WAIT_WITHOUT_MS = 3_000;
/** A peer asks for the list to prove a revocation: a cache may not hide one for longer than this. */
const MAX_AGE_S = 60;

/** A CRL as it is answered. */
export interface PublishedCrl {
  /** DER (RFC 5280 5). */
  readonly der: Uint8Array;
  /** Strong, quotes included (RFC 9110 8.8.3). */
  readonly etag: string;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** For `cache-control`, in seconds. */
  readonly maxAgeS: number;
}

/** What an administrator must look at. */
export interface CrlAlarm {
  /** `ca_unreachable` and the authority's other codes, `crl_invalid`, `crl_stale` or `crl_older`. */
  readonly code: string;
  readonly reason: string;
  readonly since: Date;
}

export interface CrlStatus {
  /** `ok`; `stale`: an earlier list is served, since there's an alarm; `unavailable`: none is. */
  readonly status: "ok" | "stale" | "unavailable";
  readonly number: bigint | null;
  readonly nextUpdate: Date | null;
  readonly alarm: CrlAlarm | null;
}

/**
 * The CRL at its public address.
 *
 * Policy, where the CA's list can't be had or believed: the database's deny list decides at the listener, always, and this list
 * decides nothing there. The last good list is served until its `nextUpdate`, with an alarm; after that none is (503), since a stale
 * list proves nothing. A list of another signer, a broken one, one that has ended, and one with a lower number than was served before
 * is never served: the alarm says which.
 */
export interface CrlPublication {
  /**
   * The list to answer with. Waits for the CA a quarter of a second at most; three where there is no list yet.
   *
   * @throws Problem `crl_unavailable`
   */
  current(): Promise<PublishedCrl>;
  /** Asks the CA now. Never throws: what is wrong is the alarm. To be called each minute on each replica, and when the CA was told. */
  refresh(): Promise<void>;
  /** The newest list that was believed, ended or not: what it names is revoked. */
  latest(): RevocationList | undefined;
  status(): CrlStatus;
}

export function createCrlPublication(dependencies: {
  readonly authority: Pick<CertificateAuthority, "crl" | "rootPem">;
  readonly clock: Clock;
  /** Hears once of each alarm, and with null when it is over. */
  readonly onAlarm: (alarm: CrlAlarm | null) => void;
  /** Hears of each list that is new. */
  readonly onList?: (list: SignedList) => void;
}): CrlPublication {
  const { authority, clock, onAlarm } = dependencies;
  let served: { readonly der: Uint8Array; readonly etag: string; readonly list: RevocationList } | undefined;
  let alarm: CrlAlarm | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  let isOutdated = false;

  function raise(code: string, reason: string): void {
    if (alarm?.code === code) return;
    alarm = { code, reason, since: clock.now() };
    onAlarm(alarm);
  }

  function take(reading: TrustedListReading): void {
    if (reading.kind === "unusable") return raise(reading.code, reading.reason);
    const { der, issuerPem, list } = reading;
    if (served !== undefined && list.number < served.list.number) {
      return raise("crl_older", `the CA's CRL is number ${list.number}, and ${served.list.number} was served before`);
    }
    const etag = `"${createHash("sha256").update(der).digest("base64url")}"`;
    const isNew = served?.etag !== etag;
    served = { der, etag, list };
    if (isNew) dependencies.onList?.({ der, issuerPem });
    if (list.nextUpdate <= clock.now()) return raise("crl_stale", "the CA's CRL has ended, and it makes no new one");
    if (alarm !== null) onAlarm(null);
    alarm = null;
  }

  async function ask(): Promise<void> {
    isOutdated = false;
    const reading = await askForList(authority, clock);
    askedAt = clock.now().getTime();
    take(reading);
  }

  function askTogether(): Promise<void> {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  function isFresh(): boolean {
    const age = clock.now().getTime() - askedAt;
    return !isOutdated && age >= 0 && age < FRESH_MS;
  }

  function servable() {
    return served !== undefined && served.list.nextUpdate > clock.now() ? served : undefined;
  }

  return {
    async current() {
      if (!isFresh()) {
        await withinMs(askTogether(), servable() === undefined ? WAIT_WITHOUT_MS : WAIT_WITH_LIST_MS);
      }
      const found = servable();
      if (found === undefined) throw grantProblem("crl_unavailable", { headers: { "retry-after": "10" } });
      const { thisUpdate, nextUpdate } = found.list;
      const left = Math.floor((nextUpdate.getTime() - clock.now().getTime()) / 1000);
      return { der: found.der, etag: found.etag, thisUpdate, nextUpdate, maxAgeS: Math.min(MAX_AGE_S, left) };
    },
    async refresh() {
      isOutdated = true;
      await askTogether();
      // What was under way may have been asked before.
      if (isOutdated) await askTogether();
    },
    latest: () => served?.list,
    status() {
      const shown = servable();
      const status = shown === undefined ? "unavailable" : alarm === null ? "ok" : "stale";
      return { status, number: shown?.list.number ?? null, nextUpdate: shown?.list.nextUpdate ?? null, alarm };
    },
  };
}

/** Waits for it, and no longer. */
async function withinMs(work: Promise<void>, mostMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, mostMs);
  });
  await Promise.race([work, tooLate]);
  clearTimeout(timer);
}
