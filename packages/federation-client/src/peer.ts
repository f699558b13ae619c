import type { SourceWarning } from "@mosaicstack/federation-protocol";
import { endpointOf } from "./peer-connections.ts";
import type { Health } from "./peer-health.ts";
import type { PeerRow } from "./peer-store.ts";
import { peerWarning } from "./peer-warning.ts";

/** A gateway that one user of this gateway reads from. */
export interface Peer extends Health {
  readonly id: string;
  readonly name: string;
  /** `pending` until the peer has answered a first query over mutual TLS; `revoked` on proof alone. */
  readonly state: PeerRow["state"];
  /** Since when its renewal fails, or it is not where it says it is; null: neither. */
  readonly degradedSince: Date | null;
  /** Where it is asked; null until enrolled. */
  readonly endpoint: string | null;
  readonly remoteGrantId: string | null;
  /** The end of the client certificate's life; null until enrolled. */
  readonly notAfter: Date | null;
  /** Which of the grant's certificates is in use, counted from 1; 0 until enrolled. */
  readonly generation: number;
  /** When the certificate is renewed, or tried to be again; null: it is not. */
  readonly renewAt: Date | null;
  /** Why the last renewal failed, what ended the peer, or `peer_address_unusable`; null: none of it. */
  readonly renewError: string | null;
  /** What its user should see to while it answers still; null: nothing. */
  readonly warning: SourceWarning | null;
  readonly createdAt: Date;
}

export function peerOf(row: PeerRow, health: Health): Peer {
  const { id, name, state, degradedAt, remoteGrantId, notAfter, generation, renewAt, renewError } = row;
  const { createdAt } = row;
  return {
    id,
    name,
    state,
    degradedSince: degradedAt,
    endpoint: endpointOf(row),
    remoteGrantId,
    notAfter,
    generation,
    renewAt,
    renewError,
    warning: peerWarning(row) ?? null,
    createdAt,
    ...health,
  };
}

/** Something about a peer that somebody should look at, or that is well again. */
export interface PeerAlert {
  readonly peerId: string;
  readonly userId: string;
  readonly name: string;
  /** What it was, and is now. */
  readonly from: PeerRow["state"];
  readonly to: PeerRow["state"];
  /** Why: the code of the last failure; null: it is well. */
  readonly code: string | null;
}
