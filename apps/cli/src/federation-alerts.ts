import { Problem } from "@mosaicstack/foundation";
import type { Authority } from "./commands/federation-ca.ts";
import type { Grant } from "./grants.ts";
import type { Peer } from "./peers.ts";
import { shown } from "./rows.ts";

/** Something of a gateway's federation that somebody has to look at. */
export interface FederationAlert {
  readonly code: string;
  readonly detail: string;
  readonly remedy: string;
}

/** What is known of a gateway's federation. */
interface Known {
  readonly peers: readonly Peer[];
  readonly grants: readonly Grant[];
  /** A Problem: asking for it failed. Undefined: not for this user to know. */
  readonly authority: Authority | Problem | undefined;
  readonly now: Date;
}

/** What needs looking at, the authority first: nothing is renewed without it. */
export function federationAlerts({ peers, grants, authority, now }: Known): readonly FederationAlert[] {
  return [...authorityAlerts(authority, now), ...grants.flatMap(grantAlert), ...peers.flatMap(peerAlert)];
}

function authorityAlerts(authority: Known["authority"], now: Date): FederationAlert[] {
  if (authority === undefined) return [];
  if (authority instanceof Problem) {
    return [{ code: authority.code, detail: authority.details.detail, remedy: authority.details.remedy }];
  }
  const { state, cause, crl, pending_revocations: pending } = authority;
  const alerts: FederationAlert[] = [];
  if (state === "degraded") {
    alerts.push({
      code: "authority_degraded",
      detail: `The certificate authority does not answer as it should${cause ? `: ${cause}` : ""}. Nobody can enroll or renew; certificates there are stay good.`,
      remedy: "See `mosaic federation ca status`, and the gateway's log.",
    });
  }
  if (crl !== null && new Date(crl.next_update) <= now) {
    alerts.push({
      code: "crl_stale",
      detail: `The revocation list was to be renewed by ${shown(crl.next_update)}. Peers can't prove a revocation by it; revoking works all the same.`,
      remedy: "See `mosaic federation ca status`.",
    });
  }
  if (pending > 0) {
    alerts.push({
      code: "revocations_pending",
      detail: `The certificate authority has not been told of ${pending} ${pending === 1 ? "revocation" : "revocations"} yet. At this gateway they hold already.`,
      remedy: "It is told by itself once it answers; if it stays, see the gateway's log.",
    });
  }
  return alerts;
}

function grantAlert({ name, status, suspended_reason: reason }: Grant): FederationAlert[] {
  if (status !== "suspended" || reason !== "cloned_key") return [];
  return [
    {
      code: "cloned_key",
      detail: `The grant "${name}" is suspended: two gateways hold the key of one certificate.`,
      remedy:
        "Find out who copied the peer's key or database. Then resume the grant and make its peer a new invite, or revoke it.",
    },
  ];
}

/** Why a renewal fails, where the code says something else than "try again". */
const RENEW_REMEDIES: Readonly<Record<string, string>> = {
  grant_suspended: "Ask its administrator to resume the grant.",
  grant_expired: "Ask its administrator for a new invite, and add it: the peer keeps its name.",
  certificate_superseded: "Ask its administrator for a new invite, and add it: the peer keeps its name.",
  clock_skew: "Set both clocks right (NTP).",
};

function peerAlert(peer: Peer): FederationAlert[] {
  const { name, state } = peer;
  if (state === "degraded") {
    const since = peer.degraded_since === null ? "" : ` since ${shown(peer.degraded_since)}`;
    const why = peer.renew_error === null ? "" : ` (${peer.renew_error})`;
    const end = peer.not_after === null ? "" : `; it ends ${shown(peer.not_after)}`;
    return [
      {
        code: "peer_degraded",
        detail: `The certificate for the peer "${name}" can't be renewed${since}${why}${end}.`,
        remedy: RENEW_REMEDIES[peer.renew_error ?? ""] ?? `Try now: mosaic federation peer renew ${name}`,
      },
    ];
  }
  if (state === "revoked") {
    const remedy = `Run: mosaic federation peer remove ${name}. Coming back takes a new grant there.`;
    return [{ code: "peer_revoked", detail: `The peer "${name}" has revoked its grant.`, remedy }];
  }
  if (state === "expired") {
    const remedy = "Ask its administrator for a new invite, and add it: the peer keeps its name.";
    return [{ code: "peer_expired", detail: `The certificate for the peer "${name}" has expired.`, remedy }];
  }
  return [];
}
