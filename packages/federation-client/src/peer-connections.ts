import type { Sealer } from "@mosaicstack/storage";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { createPeerAllowance, type PeerAllowance, withinAllowance } from "./peer-allowance.ts";
import { createPeerConnection, type PeerConnection } from "./peer-connection.ts";
import { keyBinding } from "./peer-key.ts";
import type { PeerRow } from "./peer-store.ts";
import { exchangeRecorder, type QueryingAudit } from "./querying-audit.ts";

/** A peer that has been enrolled: all that a connection to it needs is there. */
export type EnrolledPeer = Pick<PeerRow, "id" | "userId" | "name" | "state" | "sealedKey" | "chainPem"> & {
  /** Where it is asked: at its previous address, until the one it moved to has worked. */
  readonly endpoint: string;
  readonly rootPem: string;
  readonly certificatePem: string;
  readonly remoteGrantId: string;
  readonly notAfter: Date;
};

/** Undefined: the peer has no certificate yet. */
export function enrolledPeerOf(row: PeerRow): (PeerRow & EnrolledPeer) | undefined {
  const { rootPem, certificatePem, remoteGrantId, notAfter, ...rest } = row;
  const endpoint = endpointOf(row);
  if (endpoint === null || rootPem === null || certificatePem === null || remoteGrantId === null || notAfter === null) {
    return undefined;
  }
  return { ...rest, endpoint, rootPem, certificatePem, remoteGrantId, notAfter };
}

/** The address a peer is asked at. Null: it is not enrolled yet. */
export function endpointOf({
  endpoint,
  previousEndpoint,
}: Pick<PeerRow, "endpoint" | "previousEndpoint">): string | null {
  return previousEndpoint ?? endpoint;
}

/** Peers kept ready at once. One beyond that costs the peer longest unused its sockets, not its place. */
const MAX_CONNECTIONS = 500;

/** The connections in use, one a peer, certificate and address. A key is unsealed when its connection is made, and never stored. */
export interface PeerConnections {
  /** @throws Problem `unsealing_failed` */
  to(peer: EnrolledPeer): PeerConnection;
  /** One that is not kept, to another address of the peer's. The caller closes it. @throws Problem `unsealing_failed` */
  apart(peer: EnrolledPeer, endpoint: string): PeerConnection;
  /** Requests under way finish. */
  drop(peerId: string): void;
  /** The same for every peer of a user. */
  dropOf(userId: string): void;
  /** Ends all, once the requests under way have finished. */
  close(): Promise<void>;
}

/** @param options.audit where their requests are recorded; absent: nowhere */
export function createPeerConnections(
  sealer: Sealer,
  {
    audit,
    maxConnections = MAX_CONNECTIONS,
  }: { readonly audit?: QueryingAudit | undefined; readonly maxConnections?: number } = {},
): PeerConnections {
  interface Entry {
    readonly userId: string;
    readonly certificatePem: string;
    readonly endpoint: string;
    readonly connection: PeerConnection;
  }
  const closing = new Set<Promise<void>>();
  /** By peer, whatever becomes of its connections. */
  const allowances = new LeastRecentlyUsed<PeerAllowance>(10 * maxConnections);
  const entries = new LeastRecentlyUsed<Entry>(maxConnections, ({ connection }) => {
    const forget = () => void closing.delete(closed);
    const closed = connection.close().then(forget, forget);
    closing.add(closed);
  });

  function allowanceOf(peerId: string): PeerAllowance {
    const known = allowances.get(peerId) ?? createPeerAllowance();
    allowances.set(peerId, known);
    return known;
  }

  function connect(peer: EnrolledPeer, endpoint: string): PeerConnection {
    const { rootPem, certificatePem, chainPem } = peer;
    const privateKeyPem = sealer.open(peer.sealedKey, keyBinding(peer.id));
    const connection = createPeerConnection({
      endpoint,
      rootPem,
      certificatePem: [certificatePem, ...chainPem].join("\n"),
      privateKeyPem,
      ...(audit === undefined ? {} : { record: exchangeRecorder(audit, peer) }),
    });
    return withinAllowance(connection, allowanceOf(peer.id));
  }

  return {
    to(peer) {
      const { userId, endpoint, certificatePem } = peer;
      const known = entries.get(peer.id);
      if (known?.certificatePem === certificatePem && known.endpoint === endpoint) return known.connection;
      const connection = connect(peer, endpoint);
      // The connection of another certificate or address leaves by this, and closes once its requests have finished.
      entries.set(peer.id, { userId, certificatePem, endpoint, connection });
      return connection;
    },
    apart: connect,
    drop: (peerId) => entries.delete(peerId),
    dropOf(userId) {
      for (const [peerId, entry] of entries.list()) if (entry.userId === userId) entries.delete(peerId);
    },
    async close() {
      entries.clear();
      await Promise.all(closing);
    },
  };
}
