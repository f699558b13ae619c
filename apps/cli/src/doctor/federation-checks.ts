import type { SourceReport } from "@mosaicstack/federation-protocol";
import { Problem } from "@mosaicstack/foundation";
import type { FederationStatus } from "../commands/federation-status.ts";
import type { Peer } from "../peers.ts";
import type { Gateway } from "../gateway.ts";
import { type Grant, listGrants } from "../grants.ts";
import type { Host } from "../host.ts";
import { shown } from "../rows.ts";
import { sourceProblem } from "../sources.ts";
import { bounded, LIMIT_MS } from "./bounded.ts";
import { lifeUntil } from "./certificate-life.ts";
import { type Check, fault, faulty, ok, skipped, warning } from "./check.ts";

/** What the gateway's users have of federation. */
export interface FederationFindings {
  readonly checks: readonly Check[];
  /** Where the gateway answers peers; undefined: it does not, or did not tell. */
  readonly endpoint: string | undefined;
}

/**
 * Looks at federation as the signed-in user sees it: their peers, each asked over mutual TLS just now, the certificates'
 * ends, and the grants they may see.
 */
export async function checkFederation(host: Host, gateway: Gateway): Promise<FederationFindings> {
  let endpoint: string | undefined;
  const checks = await bounded(host, "federation", async () => {
    try {
      const { body } = await gateway.call<FederationStatus>("GET", "/api/v1/federation/status", {
        timeoutMs: LIMIT_MS,
      });
      endpoint = body.endpoint;
      const peers = bounded(host, "peers", async () => await checkPeers(host, gateway, body.peers));
      const grants = bounded(host, "grants", async () => await checkGrants(host, gateway));
      return [ok("federation", `peers are answered at ${endpoint}`), ...(await peers), ...(await grants)];
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        return [skipped("federation", "this gateway's tier does not federate")];
      }
      return [faulty("federation", error)];
    }
  });
  return { checks, endpoint };
}

/** Asks each peer what it covers: the shortest question that takes the whole way, client certificate and all. */
async function checkPeers({ clock }: Host, gateway: Gateway, peers: readonly Peer[]): Promise<readonly Check[]> {
  if (peers.length === 0) return [];
  try {
    const { body } = await gateway.call<{ sources: SourceReport[] }>("GET", "/api/v1/capabilities", {
      query: { source: "all" },
      timeoutMs: LIMIT_MS,
    });
    const reports = new Map(body.sources.map((report) => [report.source, report]));
    return peers.map((peer) => checkPeer(peer, reports.get(peer.source), clock.now()));
  } catch (error) {
    return [faulty("peers", error)];
  }
}

function checkPeer(peer: Peer, report: SourceReport | undefined, now: Date): Check {
  const name = `peer ${peer.name}`;
  const life = peer.not_after === null ? "good" : lifeUntil(peer.not_after, now);
  const end = shown(peer.not_after);
  if (life === "expired") return fault(name, "peer_certificate_expired", `Its certificate ended ${end} UTC.`);
  if (report?.error !== undefined) return { name, status: "fault", ...report.error, cause: sourceProblem([report]) };
  if (report === undefined) return warning(name, "peer_not_confirmed", `It is ${peer.state}, and is not asked.`);
  if (life === "ending") {
    return warning(name, "peer_certificate_ending", `Its certificate ends ${end} UTC, in less than a day.`);
  }
  if (peer.warning !== null) {
    const code = peer.warning.code === "peer_address_unusable" ? "peer_moved" : "peer_degraded";
    return warning(name, code, peer.warning.detail, peer.warning.remedy);
  }
  const latency = Math.round(report.took_ms);
  return { ...ok(name, `answered in ${latency} ms; certificate until ${end}`), latency_ms: latency };
}

async function checkGrants({ clock }: Host, gateway: Gateway): Promise<readonly Check[]> {
  try {
    return (await listGrants(gateway)).flatMap((grant) => checkGrant(grant, clock.now()));
  } catch (error) {
    return [faulty("grants", error)];
  }
}

function checkGrant({ id, name: called, status, certificates }: Grant, now: Date): readonly Check[] {
  const name = `grant ${called}`;
  if (status !== "active") return [];
  const ends = certificates.filter(({ revoked_at: revoked }) => revoked === null).map(({ not_after: end }) => end);
  // ISO 8601 in UTC: the latest is the last in order.
  const latest = ends.toSorted().at(-1);
  if (latest === undefined) return [ok(name, "active; no certificate for it is valid")];
  const invite = `Send its user a new invite: mosaic federation grant token ${id}.`;
  switch (lifeUntil(latest, now)) {
    case "expired":
      return [
        warning(
          name,
          "grant_certificate_expired",
          `It is active, and its peer's certificate ended ${shown(latest)} UTC: the peer can't read any more.`,
          `${invite} Or end it: mosaic federation grant revoke ${id}`,
        ),
      ];
    case "ending":
      return [
        warning(
          name,
          "grant_certificate_ending",
          `It is active, and its peer's certificate ends ${shown(latest)} UTC, in less than a day.`,
          invite,
        ),
      ];
    case "good":
      return [ok(name, `active; its peer's certificate until ${shown(latest)}`)];
  }
}
