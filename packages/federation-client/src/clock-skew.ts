import type { Problem } from "@mosaicstack/foundation";
import { peerProblem } from "./problems.ts";

/** A difference of clocks worth telling of. */
export const NOTABLE_SKEW_MS = 60_000;

/** The answering gateway's clock, from its `date` header (RFC 9110 6.6.1), to the second. Undefined: it gave none. */
export function instantOf(header: string | string[] | undefined): Date | undefined {
  const instant = new Date(typeof header === "string" ? header : Number.NaN);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}

/** By how much the other clock is ahead of ours, in ms; negative: behind. 0 where it is not known, or not worth telling of. */
export function notableSkew(remoteNow: Date | undefined, now: Date): number {
  const skewMs = remoteNow === undefined ? 0 : remoteNow.getTime() - now.getTime();
  return Math.abs(skewMs) > NOTABLE_SKEW_MS ? skewMs : 0;
}

/** `clock_skew` with its measure: in words, and in `skew_seconds` (positive: the peer's clock is ahead of ours). */
export function clockSkewProblem(skewMs: number): Problem {
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  const length =
    minutes < 120
      ? `${minutes} min`
      : minutes < 2880
        ? `${Math.round(minutes / 60)} h`
        : `${Math.round(minutes / 1440)} days`;
  const detail = `This gateway's clock is ${length} ${skewMs > 0 ? "behind" : "ahead of"} the peer's.`;
  return peerProblem("clock_skew", { detail, extensions: { skew_seconds: Math.round(skewMs / 1000) } });
}
