import type { SourceReport } from "@mosaicstack/federation-protocol";
import { Problem } from "@mosaicstack/foundation";
import type { FederationStatus } from "../commands/federation-status.ts";
import type { Peer } from "../commands/federation-peer.ts";
import type { Gateway } from "../gateway.ts";
import { type Grant, listGrants } from "../grants.ts";
import type { Host } from "../host.ts";
import { shown } from "../rows.ts";
import { sourceProblem } from "../sources.ts";
import { type Check, faulty, ok, skipped, warning } from "./check.ts";

const DAY_MS = 86_400_000;

/**
 * Looks at federation as the signed-in user sees it: their peers, each asked over mutual TLS just now, the certificates'
 * ends, and the grants they may see.
 */
export async function checkFederation(host: Host, gateway: Gateway): Promise<readonly Check[]> {
  let status: FederationStatus;
  try {
    status = (await gateway.call<FederationStatus>("GET", "/api/v1/federation/status")).body;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) {
      return [skipped("federation", "this gateway's tier does not federate")];
    }
    return [faulty("federation", error)];
  }
  const reports = await askPeers(gateway, status.peers);
  const now = host.clock.now().getTime();
  return [
    ok("federation", `peers are answered at ${status.endpoint}`),
    ...status.peers.map((peer) => checkPeer(peer, reports, now)),
    ...(await listGrants(gateway)).flatMap((grant) => checkGrant(grant, now)),
  ];
}

/** Asks each peer what it covers: the shortest question that takes the whole way, client certificate and all. */
async function askPeers(gateway: Gateway, peers: readonly Peer[]): Promise<ReadonlyMap<string, SourceReport>> {
  if (peers.length === 0) return new Map();
  const { body } = await gateway.call<{ sources: SourceReport[] }>("GET", "/api/v1/capabilities", {
    query: { source: "all" },
  });
  return new Map(body.sources.map((report) => [report.source, report]));
}

function checkPeer(peer: Peer, reports: ReadonlyMap<string, SourceReport>, now: number): Check {
  const name = `peer ${peer.name}`;
  const report = reports.get(peer.source);
  if (report?.error !== undefined) return { name, status: "fault", ...report.error, cause: sourceProblem([report]) };
  if (report === undefined) {
    return warning(
      name,
      "peer_not_confirmed",
      `It is ${peer.state}, and is not asked.`,
      "Run `mosaic federation peer add` again with the same invite.",
    );
  }
  const left = peer.not_after === null ? undefined : Date.parse(peer.not_after) - now;
  if (left !== undefined && left < DAY_MS) {
    return warning(
      name,
      "peer_certificate_ending",
      `Its certificate ends ${shown(peer.not_after)} UTC, in less than a day.`,
      "Ask its admin for a new invite: `mosaic federation grant token <grant>` there.",
    );
  }
  return ok(name, `answered in ${Math.round(report.took_ms)} ms; certificate until ${shown(peer.not_after)}`);
}

function checkGrant(grant: Grant, now: number): readonly Check[] {
  const name = `grant ${grant.name}`;
  if (grant.status !== "active") return [];
  const ends = grant.certificates
    .filter(({ revoked_at: revoked }) => revoked === null)
    .map(({ not_after: end }) => Date.parse(end));
  const latest = Math.max(...ends);
  if (latest <= now) {
    return [
      warning(
        name,
        "grant_certificate_expired",
        `It is active, and its peer's certificate ended ${shown(new Date(latest).toISOString())} UTC: the peer can't read any more.`,
        `Send its user a new invite: mosaic federation grant token ${grant.id}. Or end it: mosaic federation grant revoke ${grant.id}`,
      ),
    ];
  }
  return [ok(name, `active; its peer's certificate until ${shown(new Date(latest).toISOString())}`)];
}
