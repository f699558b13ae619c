import type { SourceWarning } from "@mosaicstack/federation-protocol";
import { shown } from "./rows.ts";
import { formatFields, formatTable } from "./table.ts";

/** A gateway somebody reads from. */
export interface Peer {
  readonly name: string;
  readonly state: string;
  /** What `--source` takes: `federated:<name>`. */
  readonly source: string;
  readonly endpoint: string | null;
  readonly grant_id: string | null;
  /** The end of the client certificate's life. */
  readonly not_after: string | null;
  readonly generation: number;
  readonly degraded_since: string | null;
  /** When the certificate is renewed, or tried to be again. */
  readonly renew_at: string | null;
  /** Code of what the last renewal failed with. */
  readonly renew_error: string | null;
  /** What its user should see to while it answers still. */
  readonly warning: SourceWarning | null;
  readonly last_success_at: string | null;
  readonly last_failure_at: string | null;
  readonly last_failure: string | null;
  readonly last_failure_reason?: string | null;
  readonly created_at: string;
}

/** A peer, a line each of what there is to say. */
export function peerFields(peer: Peer): string {
  const { degraded_since: degraded, last_failure_at: failedAt, renew_error: renewError } = peer;
  const reason = peer.last_failure_reason ? `, ${peer.last_failure_reason}` : "";
  return formatFields([
    ["name", peer.name],
    ["state", degraded === null ? peer.state : `${peer.state} since ${shown(degraded)}`],
    ["source", peer.source],
    ["endpoint", shown(peer.endpoint)],
    ["grant there", shown(peer.grant_id)],
    ["certificate", `generation ${peer.generation}, until ${shown(peer.not_after) || "not issued"}`],
    ["next renewal", shown(peer.renew_at) || "none planned"],
    ...(renewError === null ? [] : [["last renewal", `failed: ${renewError}`] as const]),
    ["last answer", shown(peer.last_success_at) || "none yet"],
    ...(failedAt === null
      ? []
      : [["last failure", `${shown(failedAt)}: ${shown(peer.last_failure)}${reason}`] as const]),
    ["added", shown(peer.created_at)],
  ]);
}

/** Peers, one a line. */
export function peersTable(peers: readonly Peer[], width: number | undefined): string {
  return formatTable(
    [
      { heading: "NAME" },
      { heading: "STATE" },
      { heading: "SOURCE" },
      { heading: "ENDPOINT", flexible: true },
      { heading: "CERTIFICATE UNTIL" },
      { heading: "NEXT RENEWAL" },
    ],
    peers.map(({ name, state, source, endpoint, not_after: end, renew_at: renewAt }) => [
      name,
      state,
      source,
      shown(endpoint),
      shown(end),
      shown(renewAt),
    ]),
    width,
  );
}
