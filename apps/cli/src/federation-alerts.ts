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
  /** Undefined: the gateway is too old to say. */
  readonly audit?: AuditState | undefined;
  /** Undefined: not for this user to know, or the gateway is too old to say. */
  readonly peersOfOthers?: PeersOfOthers | undefined;
  readonly now: Date;
}

/** How many peers of other users need attention. */
export interface PeersOfOthers {
  readonly degraded: number;
  readonly expired: number;
}

/** How the audit log keeps up. */
export interface AuditState {
  /** Entries that are not in the database yet. */
  readonly queued: number;
  /** Entries there was no room for since the gateway started. */
  readonly dropped: number;
  /** Whether the database does not take them. */
  readonly failing: boolean;
}

/** What needs looking at, the authority first: nothing is renewed without it. */
export function federationAlerts(known: Known): readonly FederationAlert[] {
  const { peers, grants, authority, audit, peersOfOthers, now } = known;
  return [
    ...authorityAlerts(authority, now),
    ...auditAlerts(audit),
    ...grants.flatMap(grantAlert),
    ...peers.flatMap(peerAlert),
    ...othersAlert(peersOfOthers),
  ];
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

function auditAlerts(audit: AuditState | undefined): FederationAlert[] {
  if (audit === undefined) return [];
  const { queued, dropped, failing } = audit;
  const alerts: FederationAlert[] = [];
  if (failing) {
    alerts.push({
      code: "audit_failing",
      detail: `The audit log can't be written; ${queued} ${queued === 1 ? "entry waits" : "entries wait"}. Once there is no more room, peers are not served.`,
      remedy: "Look at the database, and at the gateway's log.",
    });
  }
  if (dropped > 0) {
    alerts.push({
      code: "audit_dropped",
      detail: `The audit log had no room for ${dropped} ${dropped === 1 ? "request" : "requests"} since the gateway started; peers' were refused for it.`,
      remedy: "See when: mosaic federation audit list --event audit.dropped",
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

function peerAlert(peer: Peer): FederationAlert[] {
  const { name, state, warning } = peer;
  if (warning !== null) return [warning];
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

/** Whose they are is in the log: no user's peers are shown to another, an administrator included. */
function othersAlert(peersOfOthers: PeersOfOthers | undefined): FederationAlert[] {
  const { degraded, expired } = peersOfOthers ?? { degraded: 0, expired: 0 };
  const told = [...(degraded === 0 ? [] : [`${degraded} degraded`]), ...(expired === 0 ? [] : [`${expired} expired`])];
  if (told.length === 0) return [];
  return [
    {
      code: "peers_of_others",
      detail: `Peers of other users need attention: ${told.join(", ")}.`,
      remedy:
        'The gateway\'s log has each as "a peer needs to be looked at": ask its user to run `mosaic federation status`.',
    },
  ];
}
