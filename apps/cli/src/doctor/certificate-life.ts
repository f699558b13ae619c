import type { X509Certificate } from "node:crypto";
import { shown } from "../rows.ts";

const DAY_MS = 86_400_000;

/** When a certificate should be looked at: within the last third of its life, but no more than 30 days before the end, nor less than one. */
const soonMs = (lifeMs: number): number => Math.max(Math.min(lifeMs / 3, 30 * DAY_MS), DAY_MS);

/** Where in its life a certificate is. */
export type CertificateLife = "early" | "good" | "ending" | "expired";

export function lifeOf({ validFrom, validTo }: X509Certificate, now: Date): CertificateLife {
  const [begin, end] = [Date.parse(validFrom), Date.parse(validTo)];
  const time = now.getTime();
  if (time < begin) return "early";
  if (time >= end) return "expired";
  return end - time < soonMs(end - begin) ? "ending" : "good";
}

/** The same where only the end is known: it counts as ending in its last day. */
export function lifeUntil(end: string, now: Date): Exclude<CertificateLife, "early"> {
  const left = Date.parse(end) - now.getTime();
  if (left <= 0) return "expired";
  return left < DAY_MS ? "ending" : "good";
}

/** A certificate's time as lists show times, UTC. */
export function certificateTime(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : shown(new Date(time).toISOString());
}
