import type { Sealer } from "@mosaicstack/storage";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { createPeerConnection, type PeerConnection } from "./peer-connection.ts";
import { keyBinding } from "./peer-key.ts";
import type { PeerRow } from "./peer-store.ts";

/** A peer that has been enrolled: all that a connection to it needs is there. */
export type EnrolledPeer = Pick<PeerRow, "id" | "userId" | "name" | "state" | "sealedKey" | "chainPem"> & {
  readonly endpoint: string;
  readonly rootPem: string;
  readonly certificatePem: string;
  readonly remoteGrantId: string;
  readonly notAfter: Date;
};

/** Undefined: the peer has no certificate yet. */
export function enrolledPeerOf(row: PeerRow): (PeerRow & EnrolledPeer) | undefined {
  const { endpoint, rootPem, certificatePem, remoteGrantId, notAfter, ...rest } = row;
  if (endpoint === null || rootPem === null || certificatePem === null || remoteGrantId === null || notAfter === null) {
    return undefined;
  }
  return { ...rest, endpoint, rootPem, certificatePem, remoteGrantId, notAfter };
}

/** Peers kept ready at once. One beyond that costs the peer longest unused its sockets, not its place. */
const MAX_CONNECTIONS = 500;

/** The connections in use, one a peer and certificate. A key is unsealed when its connection is made, and never stored. */
export interface PeerConnections {
  /** @throws Problem `unsealing_failed` */
  to(peer: EnrolledPeer): PeerConnection;
  /** Requests under way finish. */
  drop(peerId: string): void;
  /** The same for every peer of a user. */
  dropOf(userId: string): void;
  /** Ends all, once the requests under way have finished. */
  close(): Promise<void>;
}

export function createPeerConnections(sealer: Sealer, maxConnections = MAX_CONNECTIONS): PeerConnections {
  interface Entry {
    readonly userId: string;
    readonly certificatePem: string;
    readonly connection: PeerConnection;
  }
  const closing = new Set<Promise<void>>();
  const entries = new LeastRecentlyUsed<Entry>(maxConnections, ({ connection }) => {
    const forget = () => void closing.delete(closed);
    const closed = connection.close().then(forget, forget);
    closing.add(closed);
  });

  return {
    to(peer) {
      const known = entries.get(peer.id);
      if (known?.certificatePem === peer.certificatePem) return known.connection;
      const { userId, endpoint, rootPem, certificatePem, chainPem } = peer;
      const privateKeyPem = sealer.open(peer.sealedKey, keyBinding(peer.id));
      const connection = createPeerConnection({
        endpoint,
        rootPem,
        certificatePem: [certificatePem, ...chainPem].join("\n"),
        privateKeyPem,
      });
      // The connection of another certificate leaves by this, and closes once its requests have finished.
      entries.set(peer.id, { userId, certificatePem, connection });
      return connection;
    },
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
