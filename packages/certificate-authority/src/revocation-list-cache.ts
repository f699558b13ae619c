import type { Clock } from "@mosaicstack/foundation";
import type { PublishedRevocationList } from "./port.ts";
import { type ListIssuer, type RevokedSerial, writeRevocationList } from "./revocation-list.ts";

/** Where the embedded authority learns what is revoked. It keeps no record of its own. */
export interface RevokedSerials {
  /** All that are revoked and would still be valid otherwise; those that have expired are refused anyway. */
  list(): Promise<readonly RevokedSerial[]>;
}

/** How long a list holds at most: what a reader may go on with while this gateway cannot be reached. */
const LIFETIME_MS = 24 * 3_600_000;
/** A list is made anew when this much of its life is over, so that nobody gets one that is about to end. */
const RENEW_AFTER_MS = LIFETIME_MS / 2;
/** The record isn't asked more often than this: anyone may fetch the list. */
const LOOK_AGAIN_AFTER_MS = 5_000;

/** The list that is served: signed once, and again only where it changes or grows old. */
export interface RevocationListCache {
  /** @throws what the record throws; the next call asks again */
  current(): Promise<PublishedRevocationList>;
  /** The record has changed: the next call looks. */
  forget(): void;
}

/**
 * Numbers are the milliseconds of the clock, or one more than the last: they grow over restarts and replicas too. A number is taken before
 * the record is read, so a list holds all that was recorded when its number was made.
 */
export function createRevocationListCache(dependencies: {
  readonly issuer: ListIssuer;
  readonly revokedSerials: RevokedSerials;
  readonly clock: Clock;
}): RevocationListCache {
  const { issuer, revokedSerials, clock } = dependencies;
  let published: (PublishedRevocationList & { readonly content: string }) | undefined;
  let lookAgainAt = 0;
  let looking: Promise<PublishedRevocationList> | undefined;
  let changes = 0;
  let changesSeen = 0;

  async function look(): Promise<PublishedRevocationList> {
    const seen = changes;
    const now = clock.now();
    const revoked = await revokedSerials.list();
    const content = contentOf(revoked);
    if (published === undefined || published.content !== content || isOld(published, now)) {
      const milliseconds = BigInt(now.getTime());
      const number = published === undefined || milliseconds > published.number ? milliseconds : published.number + 1n;
      const thisUpdate = toSecond(now);
      const nextUpdate = new Date(thisUpdate.getTime() + LIFETIME_MS);
      const der = writeRevocationList({ revoked, number, thisUpdate, nextUpdate }, issuer);
      published = { der, issuerPem: issuer.certificatePem, number, thisUpdate, nextUpdate, content };
    }
    changesSeen = seen;
    // What was revoked while the record was read may have been missed.
    lookAgainAt = seen === changes ? now.getTime() + LOOK_AGAIN_AFTER_MS : 0;
    return published;
  }

  /** Also where the clock was set back. */
  function isFresh(now: number): boolean {
    return now < lookAgainAt && now >= lookAgainAt - LOOK_AGAIN_AFTER_MS;
  }

  /** Those who ask at once are answered by one look. */
  function lookTogether(): Promise<PublishedRevocationList> {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  async function current(): Promise<PublishedRevocationList> {
    if (published !== undefined && isFresh(clock.now().getTime())) return published;
    const wanted = changes;
    const found = await lookTogether();
    // The look that was under way may have begun before the last change. The next one can't have.
    return changesSeen >= wanted ? found : await lookTogether();
  }

  return {
    async current() {
      const { der, issuerPem, number, thisUpdate, nextUpdate } = await current();
      return { der, issuerPem, number, thisUpdate, nextUpdate };
    },
    forget() {
      changes += 1;
      lookAgainAt = 0;
    },
  };
}

function isOld({ thisUpdate }: PublishedRevocationList, now: Date): boolean {
  const age = now.getTime() - thisUpdate.getTime();
  return age >= RENEW_AFTER_MS || age < 0;
}

/** The same for the same revocations, in whatever order they come. */
function contentOf(revoked: readonly RevokedSerial[]): string {
  return revoked
    .map(({ serial, reason }) => `${serial}:${reason}`)
    .toSorted()
    .join();
}

function toSecond(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000);
}
