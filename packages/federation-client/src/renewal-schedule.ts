import type { RenewalWindow } from "@mosaicstack/federation-protocol";

/** Evenly from 0 up to 1, as `Math.random`. Injected, so that the spread can be tested. */
export type Random = () => number;

/** The least time between two attempts at one peer's renewal. */
export const MIN_RETRY_MS = 60_000;
/** The most time between two attempts. With a run of the job it stays below the hour that the window leaves for it (ADR 11). */
export const MAX_RETRY_MS = 32 * 60_000;
/** How often a peer that has moved is looked for at its new address, where it was not found at first. */
export const MOVE_RETRY_MS = 10 * 60_000;
/** So many failures in a row are told of. */
const NOTABLE_FAILURES = 3;
const HOUR_MS = 3_600_000;

/**
 * The moment to renew at: any in the window, each as likely, so that peers that enrolled together do not renew together. A window
 * that a wrong clock (or a wrong peer) has put into the past or behind the certificate's end is not followed: there is always some
 * time before the next renewal, and a third of what is left of the certificate's life after it.
 */
export function chooseRenewAt(
  { from, until }: RenewalWindow,
  { now, notAfter }: { readonly now: Date; readonly notAfter: Date },
  random: Random,
): Date {
  const leftMs = Math.max(0, notAfter.getTime() - now.getTime());
  const chosen = from.getTime() + random() * Math.max(0, until.getTime() - from.getTime());
  const latest = now.getTime() + (leftMs * 2) / 3;
  const earliest = now.getTime() + Math.max(MIN_RETRY_MS, Math.min(HOUR_MS, leftMs / 2));
  return new Date(Math.round(Math.max(earliest, Math.min(latest, chosen))));
}

/** When to try again after so many failures in a row: full jitter over a time that doubles, never sooner than in a minute. */
export function retryAt(now: Date, failures: number, random: Random): Date {
  const spanMs = Math.min(MAX_RETRY_MS - MIN_RETRY_MS, MIN_RETRY_MS * 2 ** Math.min(failures, 16));
  return new Date(now.getTime() + MIN_RETRY_MS + Math.round(random() * spanMs));
}

/** Whether somebody has to look at it: it failed again and again, or less than a sixth of the certificate's life is left. */
export function isDegraded(
  failures: number,
  { notBefore, notAfter }: { readonly notBefore: Date; readonly notAfter: Date },
  now: Date,
): boolean {
  const sixthMs = (notAfter.getTime() - notBefore.getTime()) / 6;
  return failures >= NOTABLE_FAILURES || notAfter.getTime() - now.getTime() < sixthMs;
}
