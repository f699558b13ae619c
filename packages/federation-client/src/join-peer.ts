import { type Clock, newId, Problem } from "@mosaicstack/foundation";
import {
  createSigningRequest,
  hashToken,
  type Invite,
  isPeerName,
  signingRequestFor,
  type Source,
} from "@mosaicstack/federation-protocol";
import type { Sealer } from "@mosaicstack/storage";
import { inviteOf } from "./check-invite.ts";
import { isSpent, redeemInvite } from "./enrollment.ts";
import { type EnrolledPeer, enrolledPeerOf } from "./peer-connections.ts";
import { keyBinding } from "./peer-key.ts";
import { freeName, peerNameOf } from "./peer-name.ts";
import type { PeerRow, PeerStore } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { chooseRenewAt, type Random } from "./renewal-schedule.ts";
import type { RenewalStore } from "./renewal-store.ts";
import { type VerifiedEnrollment, verifyEnrollment } from "./verify-enrollment.ts";

/** More would make each query of `all` a burst. */
const MAX_PEERS = 50;
const ENROLLMENT_TIMEOUT_MS = 20_000;
const CONFIRMATION_TIMEOUT_MS = 10_000;

/**
 * Turns an invite into an active peer, in three steps of which each leaves what the next one needs in the row, so that it
 * can stop anywhere and the same invite goes on from there (trust decisions 2 and 6):
 * begin (new key, sealed and stored), enroll (certificate, verified and stored), confirm (first query over mutual TLS).
 * An invite for a grant that the user has a peer of renews that peer's trust: it keeps its name.
 *
 * @param dependencies.connect the enrolled peer as a source
 * @param dependencies.onRefused hears why a row stays without a certificate, each time
 */
export function createPeerJoining(dependencies: {
  readonly rows: PeerStore;
  readonly renewals: Pick<RenewalStore, "confirm">;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: (peer: PeerRow & EnrolledPeer) => Source;
  readonly onRefused: (row: PeerRow, code: string) => void;
}): (userId: string, inviteUrl: string, name: string | undefined) => Promise<PeerRow> {
  const { rows, renewals, sealer, clock, random, connect, onRefused } = dependencies;

  /** The pending row that holds the invite's new key: found again, or made. */
  async function begin(userId: string, invite: Invite, wanted: string | undefined): Promise<PeerRow> {
    const tokenHash = hashToken(invite.token);
    for (let attempt = 0; attempt < 5; attempt++) {
      const begun = await rows.findByToken(userId, tokenHash);
      if (begun !== undefined) return (await rows.retarget(begun, invite)) ?? (await current(begun));
      const taken = new Set((await rows.listOf(userId)).map(({ name }) => name));
      if (taken.size >= MAX_PEERS) throw peerProblem("too_many_peers");
      if (wanted !== undefined && taken.has(wanted)) throw peerProblem("peer_name_taken");
      const id = newId();
      const { privateKeyPem } = await createSigningRequest();
      const made = await rows.insertPending({
        id,
        userId,
        name: wanted ?? freeName(peerNameOf(invite.enrollUrl), taken),
        tokenHash,
        enrollUrl: invite.enrollUrl,
        caFingerprint: invite.caFingerprint,
        sealedKey: sealer.seal(privateKeyPem, keyBinding(id)),
      });
      // Otherwise somebody else came first, with the same invite or the same name: look again.
      if (made !== undefined) return made;
    }
    throw peerProblem("peer_name_taken");
  }

  /** Gets the certificate for the row's key, and stores it once all of it is verified. */
  async function enroll(row: PeerRow, invite: Invite): Promise<PeerRow> {
    if (enrolledPeerOf(row) !== undefined) return row;
    const { csrPem, spkiSha256 } = await signingRequestFor(sealer.open(row.sealedKey, keyBinding(row.id)));
    try {
      const answer = await redeemInvite(invite, csrPem, ENROLLMENT_TIMEOUT_MS);
      const verified = verifyEnrollment(answer, {
        enrollUrl: invite.enrollUrl,
        caFingerprint: row.caFingerprint,
        spkiSha256,
        now: clock.now(),
      });
      return (await store(row, verified)) ?? (await current(row));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (isSpent(error)) {
        // A second call with the same invite may have finished it meanwhile.
        const found = await current(row);
        if (enrolledPeerOf(found) !== undefined) return found;
      }
      await rows.recordRefusal(row, error.code);
      onRefused(row, error.code);
      // Nothing will ever come of this key.
      if (isSpent(error)) await rows.removeUnfinished(row);
      throw error;
    }
  }

  async function store(row: PeerRow, verified: VerifiedEnrollment): Promise<PeerRow | undefined> {
    const now = clock.now();
    const renewAt = chooseRenewAt(verified.window, { now, notAfter: verified.notAfter }, random);
    // The sibling may be renewed while it is replaced: then it is read again.
    for (let attempt = 0; attempt < 3; attempt++) {
      const sibling = await rows.findSibling(row, verified.remoteGrantId);
      if (sibling === undefined) return await rows.recordEnrollment(row, verified, renewAt);
      const moved = (sealed: string, fromId: string, slot: "active" | "previous") =>
        sealer.seal(sealer.open(sealed, keyBinding(fromId)), keyBinding(sibling.id, slot));
      const isLive = sibling.state === "active" || sibling.state === "degraded";
      const isGood = isLive && sibling.notAfter !== null && sibling.notAfter > now;
      const sealedKey = moved(row.sealedKey, row.id, "active");
      const sealedPreviousKey = isGood ? moved(sibling.sealedKey, sibling.id, "previous") : null;
      const replaced = await rows.replacePair(sibling, row, verified, { sealedKey, sealedPreviousKey, renewAt });
      if (replaced !== undefined) return replaced;
    }
    return undefined;
  }

  /** The first query: the serving side takes it as the end of the invite, and this side knows that the whole way works. */
  async function confirm(row: PeerRow): Promise<PeerRow> {
    const isLive = row.state === "active" || row.state === "degraded";
    if (isLive && row.previousCertificatePem === null) return row;
    if (row.state === "revoked") throw peerProblem("peer_revoked");
    const peer = enrolledPeerOf(row);
    if (row.state === "expired" || peer === undefined || peer.notAfter <= clock.now())
      throw peerProblem("peer_expired");
    await connect(peer).capabilities(AbortSignal.timeout(CONFIRMATION_TIMEOUT_MS));
    const confirmed = isLive ? await renewals.confirm(row, row.renewAt) : await rows.activate(row);
    return confirmed ?? (await current(row));
  }

  async function current(row: PeerRow): Promise<PeerRow> {
    const found = await rows.findByToken(row.userId, row.tokenHash);
    if (found !== undefined) return found;
    throw peerProblem("peer_not_found", { detail: "The peer was removed while it was being added." });
  }

  return async (userId, inviteUrl, name) => {
    const invite = inviteOf(inviteUrl);
    if (name !== undefined && !isPeerName(name)) throw peerProblem("peer_name_invalid");
    const begun = await begin(userId, invite, name);
    return await confirm(await enroll(begun, invite));
  };
}
