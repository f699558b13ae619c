import type { Clock } from "@mosaicstack/foundation";
import { peerSource, type Source } from "@mosaicstack/federation-protocol";
import type { Sealer, Store } from "@mosaicstack/storage";
import { createPeerJoining } from "./join-peer.ts";
import { createPeerConnections, type EnrolledPeer, enrolledPeerOf } from "./peer-connections.ts";
import { createClosedSource, createPeerSource } from "./peer-source.ts";
import { createPeerStore, type PeerRow } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { createUserPeers } from "./user-peers.ts";

/** A gateway that one user of this gateway reads from. */
export interface Peer {
  readonly id: string;
  readonly name: string;
  /** `pending` until the peer has answered a first query over mutual TLS. */
  readonly state: PeerRow["state"];
  /** Where it answers queries; null until enrolled. */
  readonly endpoint: string | null;
  readonly remoteGrantId: string | null;
  /** The end of the client certificate's life; null until enrolled. */
  readonly notAfter: Date | null;
  readonly createdAt: Date;
}

/** A user's peers. Each is reachable by its user alone: to anybody else it is not there. */
export interface Peers {
  /**
   * Redeems an invite and confirms the peer with a first query. Whatever interrupts it, adding the same invite again goes on
   * where it stopped, with the same key; an invite that is done with already gives its peer.
   *
   * @param name default: from the invite's host, made unique. An invite begun before keeps the name it began with.
   * @throws Problem. The peer is then `pending`, but for `invite_not_usable`, after which nothing is left of it.
   */
  add(userId: string, inviteUrl: string, name?: string): Promise<Peer>;
  list(userId: string): Promise<readonly Peer[]>;
  /** @throws Problem `peer_not_found` */
  get(userId: string, name: string): Promise<Peer>;
  /** Forgets the peer and its key. Needs nothing of the other side. @throws Problem `peer_not_found` */
  remove(userId: string, name: string): Promise<void>;
  /** The user's confirmed peers, ordered by name. */
  sourcesOf(userId: string): Promise<readonly Source[]>;
  /** One of them. @throws Problem `unknown_source`, `peer_not_confirmed` */
  sourceOf(userId: string, name: string): Promise<Source>;
  /** Lets the queries under way finish, then ends every connection. */
  close(): Promise<void>;
}

/** Opens no connection yet: the first query to a peer does. */
export function createPeers(dependencies: {
  readonly store: Pick<Store, "db">;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Peers {
  const { sealer, clock } = dependencies;
  const rows = createPeerStore(dependencies.store, clock);
  const connections = createPeerConnections(sealer);
  const cached = createUserPeers((userId) => rows.listOf(userId), clock);
  const join = createPeerJoining({ rows, sealer, clock, connect });

  function connect(peer: EnrolledPeer): Source {
    return createPeerSource(
      { name: peer.name, grantId: peer.remoteGrantId },
      // Looked up at each call: a connection long unused may have been closed.
      { call: async (verb, body, signal) => connections.to(peer).call(verb, body, signal) },
    );
  }

  function sourceOfRow(row: PeerRow): Source {
    const name = peerSource(row.name);
    const peer = enrolledPeerOf(row);
    if (row.state === "revoked") return createClosedSource(name, () => peerProblem("peer_revoked"));
    if (row.state === "expired" || peer === undefined || peer.notAfter <= clock.now()) {
      return createClosedSource(name, () => peerProblem("peer_expired"));
    }
    return connect(peer);
  }

  return {
    async add(userId, inviteUrl, name) {
      try {
        return peerOf(await join(userId, inviteUrl, name));
      } finally {
        cached.forget(userId);
      }
    },

    list: async (userId) => (await rows.listOf(userId)).map(peerOf),

    async get(userId, name) {
      const row = await rows.findByName(userId, name);
      if (row === undefined) throw peerProblem("peer_not_found");
      return peerOf(row);
    },

    async remove(userId, name) {
      const row = await rows.removeByName(userId, name);
      if (row === undefined) throw peerProblem("peer_not_found");
      cached.forget(userId);
      connections.drop(row.id);
    },

    async sourcesOf(userId) {
      return (await cached.of(userId)).filter(({ state }) => state !== "pending").map(sourceOfRow);
    },

    async sourceOf(userId, name) {
      const row = (await cached.of(userId)).find((one) => one.name === name);
      if (row === undefined) throw peerProblem("unknown_source");
      if (row.state === "pending") throw peerProblem("peer_not_confirmed");
      return sourceOfRow(row);
    },

    close: () => connections.close(),
  };
}

function peerOf({ id, name, state, endpoint, remoteGrantId, notAfter, createdAt }: PeerRow): Peer {
  return { id, name, state, endpoint, remoteGrantId, notAfter, createdAt };
}
