import { type Clock, Problem } from "@mosaicstack/foundation";
import type { Source } from "@mosaicstack/federation-protocol";
import type { Sealer, Store } from "@mosaicstack/storage";
import { type CheckedInvite, checkInvite } from "./check-invite.ts";
import { createPeerJoining } from "./join-peer.ts";
import { type Peer, type PeerAlert, peerOf } from "./peer.ts";
import { isCancelled } from "./peer-exchange.ts";
import type { QueryingAudit } from "./querying-audit.ts";
import { createPeerConnections, type EnrolledPeer, enrolledPeerOf } from "./peer-connections.ts";
import { createPeerHealth } from "./peer-health.ts";
import { createClosedSource, createPeerSource } from "./peer-source.ts";
import { peerWarning } from "./peer-warning.ts";
import { createPeerStore, type PeerRow, type TroubledPeers } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { createRenewalRun, type RenewalRun } from "./renew-due-peers.ts";
import { createPeerRenewal } from "./renew-peer.ts";
import type { Random } from "./renewal-schedule.ts";
import { createSupersededRenewal } from "./renew-superseded.ts";
import { createRenewalStore } from "./renewal-store.ts";
import { createRevocationProof } from "./revocation-proof.ts";
import { mayBeRefusal } from "./transport-problem.ts";
import { createUserPeers } from "./user-peers.ts";

/** A user's peers. Each is reachable by its user alone: to anybody else it is not there, but for a number. */
export interface Peers {
  /**
   * Redeems an invite and confirms the peer with a first query. Whatever interrupts it, adding the same invite again goes on
   * where it stopped, with the same key; an invite that is done with already gives its peer. A new invite for the grant of a peer
   * there is gives that peer a new certificate: it keeps its name.
   *
   * @param name default: from the invite's host, made unique. An invite begun before keeps the name it began with.
   * @throws Problem. The peer is then `pending`, but for an invite that is spent, after which nothing is left of it.
   */
  add(userId: string, inviteUrl: string, name?: string): Promise<Peer>;
  /** Reaches an invite's gateway, and redeems nothing. @throws Problem */
  check(inviteUrl: string): Promise<CheckedInvite>;
  list(userId: string): Promise<readonly Peer[]>;
  /** How many peers of all other users are degraded or expired. For administrators: it says nothing of whose or which. */
  countTroubledOfOthers(userId: string): Promise<TroubledPeers>;
  /** @throws Problem `peer_not_found` */
  get(userId: string, name: string): Promise<Peer>;
  /** Renews its certificate now. @throws Problem: `peer_not_found`, `peer_not_confirmed`, `peer_revoked`, and why it failed */
  renew(userId: string, name: string): Promise<Peer>;
  /** Forgets the peer and its key. Needs nothing of the other side. @throws Problem `peer_not_found` */
  remove(userId: string, name: string): Promise<void>;
  /** The user's confirmed peers, ordered by name. */
  sourcesOf(userId: string): Promise<readonly Source[]>;
  /** One of them. @throws Problem `unknown_source`, `peer_not_confirmed` */
  sourceOf(userId: string, name: string): Promise<Source>;
  /** Ends the connections of a user who is no more, once their requests have finished; this process's alone. */
  forgetUser(userId: string): void;
  /** Renews the certificates that are due. For a job that runs every minute, on one replica at a time. */
  renewDuePeers(): Promise<RenewalRun>;
  /** Lets the queries under way finish, then ends every connection, and writes down what is known of the peers' health. */
  close(): Promise<void>;
}

/**
 * Opens no connection yet: the first query to a peer does.
 *
 * @param dependencies.random default `Math.random`
 * @param dependencies.alert hears of each change of a peer's state that no user made, and of an invite whose pin does not hold
 * @param dependencies.audit where each request to a peer is recorded; absent: nowhere
 */
export function createPeers(dependencies: {
  readonly store: Pick<Store, "db" | "transaction">;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random?: Random;
  readonly alert?: (alert: PeerAlert) => void;
  readonly audit?: QueryingAudit;
}): Peers {
  const { store, sealer, clock, random = Math.random, alert = () => undefined } = dependencies;
  const rows = createPeerStore(store, clock);
  const renewals = createRenewalStore(store, clock);
  const connections = createPeerConnections(sealer, { audit: dependencies.audit });
  const health = createPeerHealth(store, clock);
  const proof = createRevocationProof(renewals, clock);
  const cached = createUserPeers((userId) => rows.listOf(userId), clock);
  const join = createPeerJoining({ rows, renewals, sealer, clock, random, connect, onRefused });
  const renewOne = createPeerRenewal({ rows: renewals, sealer, clock, random, connections, onChange, askCrl });
  const renewing = new Map<string, Promise<PeerRow>>();
  const renewSuperseded = createSupersededRenewal({ rows: renewals, clock, renew });
  const run = createRenewalRun({ rows: renewals, clock, renew, onChange });
  /** What a query has set off, and does not wait for. */
  const afterwards = new Set<Promise<void>>();

  function onChange(before: PeerRow, after: PeerRow): void {
    cached.forget(after.userId);
    if (after.state === "revoked") connections.drop(after.id);
    if (before.state === after.state) return;
    const { id: peerId, userId, name, renewError: code } = after;
    alert({ peerId, userId, name, from: before.state, to: after.state, code });
  }

  /** Whoever is between the two gateways, or whose invite was forged: nobody would look at a peer that is merely pending. */
  function onRefused({ id: peerId, userId, name, state }: PeerRow, code: string): void {
    if (code === "ca_pin_mismatch") alert({ peerId, userId, name, from: state, to: state, code });
  }

  async function revoke(row: PeerRow, reason: "grant_revoked" | "crl"): Promise<void> {
    const revoked = await renewals.end(row, "revoked", reason);
    if (revoked !== undefined) onChange(row, revoked);
  }

  /** Whether the peer's CRL proves it revoked; why it does not is part of the peer's health. */
  async function askCrl(row: PeerRow): Promise<boolean> {
    const reading = await proof.lookFor(row);
    if (reading.kind === "revoked") await revoke(row, "crl");
    else health.failed(row, "peer_unreachable", reading.reason);
    return reading.kind === "revoked";
  }

  /** One at a time a peer in this process; across replicas the rows see to it. */
  async function renew(row: PeerRow, isDue: boolean): Promise<PeerRow> {
    const underWay = renewing.get(row.id);
    if (underWay !== undefined) return await underWay;
    const renewed = renewOne(row, isDue);
    renewing.set(row.id, renewed);
    try {
      const after = await renewed;
      health.succeeded(after);
      cached.forget(row.userId);
      return after;
    } catch (error) {
      if (error instanceof Problem && !mayBeRefusal(error)) health.failed(row, error.code);
      throw error;
    } finally {
      renewing.delete(row.id);
    }
  }

  function later(work: () => Promise<unknown>): void {
    // What fails here is met again by the next query, or by the renewal.
    const done: Promise<void> = work()
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => afterwards.delete(done));
    afterwards.add(done);
  }

  /** What a query tells of its peer beside its answer. */
  function observe(row: PeerRow, failure: Problem | undefined): void {
    if (failure === undefined) {
      health.succeeded(row);
      const hasStopped = row.renewAt === null && row.renewError !== null;
      // Whatever had stopped its renewal is over.
      if (hasStopped) later(async () => await renewals.resume(row).finally(() => cached.forget(row.userId)));
      return;
    }
    health.failed(row, failure.code);
    if (failure.code === "grant_revoked") later(() => revoke(row, "grant_revoked"));
    else if (failure.code === "certificate_superseded") {
      later(async () => await renewSuperseded(row).finally(() => cached.forget(row.userId)));
    } else if (mayBeRefusal(failure)) later(() => askCrl(row));
  }

  function connect(peer: PeerRow & EnrolledPeer): Source {
    return createPeerSource(
      { id: peer.id, name: peer.name, grantId: peer.remoteGrantId },
      {
        // Looked up at each call: a connection long unused may have been closed.
        async call(verb, body, signal, check) {
          try {
            const answer = await connections.to(peer).call(verb, body, signal, check);
            observe(peer, undefined);
            return answer;
          } catch (error) {
            // Given up because nobody waits for it any more: that tells nothing of the peer.
            if (error instanceof Problem && !isCancelled(signal)) observe(peer, error);
            throw error;
          }
        },
      },
    );
  }

  function sourceOfRow(row: PeerRow): Source {
    const peer = enrolledPeerOf(row);
    if (row.state === "revoked") return createClosedSource(row, () => peerProblem("peer_revoked"));
    if (row.state === "expired" || peer === undefined || peer.notAfter <= clock.now()) {
      const code = row.renewError === "clock_skew" ? "clock_skew" : "peer_expired";
      return createClosedSource(row, () => peerProblem(code));
    }
    const warning = peerWarning(row);
    return warning === undefined ? connect(peer) : { ...connect(peer), warning };
  }

  const shown = (row: PeerRow) => peerOf(row, health.of(row));

  async function find(userId: string, name: string): Promise<PeerRow> {
    const row = await rows.findByName(userId, name);
    if (row === undefined) throw peerProblem("peer_not_found");
    return row;
  }

  return {
    async add(userId, inviteUrl, name) {
      try {
        return shown(await join(userId, inviteUrl, name));
      } finally {
        cached.forget(userId);
      }
    },

    check: (inviteUrl) => checkInvite(inviteUrl, clock),

    list: async (userId) => (await rows.listOf(userId)).map(shown),

    countTroubledOfOthers: (userId) => rows.countTroubledOfOthers(userId),

    get: async (userId, name) => shown(await find(userId, name)),

    async renew(userId, name) {
      const row = await find(userId, name);
      if (row.state === "pending") throw peerProblem("peer_not_confirmed");
      if (row.state === "revoked") throw peerProblem("peer_revoked");
      return shown(await renew(row, true));
    },

    async remove(userId, name) {
      const row = await rows.removeByName(userId, name);
      if (row === undefined) throw peerProblem("peer_not_found");
      cached.forget(userId);
      connections.drop(row.id);
      health.forget(row.id);
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

    forgetUser(userId) {
      cached.forget(userId);
      connections.dropOf(userId);
    },

    renewDuePeers: run,

    async close() {
      await Promise.allSettled(renewing.values());
      await connections.close();
      await Promise.all(afterwards);
      await health.flush();
    },
  };
}
