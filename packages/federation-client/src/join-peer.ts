import { type Clock, newId, Problem } from "@mosaicstack/foundation";
import {
  createSigningRequest,
  hashToken,
  type Invite,
  isPeerName,
  readInvite,
  signingRequestFor,
  type Source,
} from "@mosaicstack/federation-protocol";
import type { Sealer } from "@mosaicstack/storage";
import { redeemInvite } from "./enrollment.ts";
import { type EnrolledPeer, enrolledPeerOf } from "./peer-connections.ts";
import { keyBinding } from "./peer-key.ts";
import { freeName, peerNameOf } from "./peer-name.ts";
import type { PeerRow, PeerStore } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { verifyEnrollment } from "./verify-enrollment.ts";

/** More would make each query of `all` a burst. */
const MAX_PEERS = 50;
const ENROLLMENT_TIMEOUT_MS = 20_000;
const CONFIRMATION_TIMEOUT_MS = 10_000;

/**
 * Turns an invite into an active peer, in three steps of which each leaves what the next one needs in the row, so that it
 * can stop anywhere and the same invite goes on from there (trust decisions 2 and 6):
 * begin (new key, sealed and stored), enroll (certificate, verified and stored), confirm (first query over mutual TLS).
 *
 * @param dependencies.connect the enrolled peer as a source
 */
export function createPeerJoining(dependencies: {
  readonly rows: PeerStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly connect: (peer: EnrolledPeer) => Source;
}): (userId: string, inviteUrl: string, name: string | undefined) => Promise<PeerRow> {
  const { rows, sealer, clock, connect } = dependencies;

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
      const verified = verifyEnrollment(answer, { caFingerprint: row.caFingerprint, spkiSha256, now: clock.now() });
      return (await rows.recordEnrollment(row, verified)) ?? (await current(row));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "invite_not_usable") throw error;
      // A second call with the same invite may have finished it meanwhile.
      const found = await current(row);
      if (enrolledPeerOf(found) !== undefined) return found;
      // Nothing will ever come of this key.
      await rows.removeUnfinished(row);
      throw error;
    }
  }

  /** The first query: the serving side takes it as the end of the invite, and this side knows that the whole way works. */
  async function confirm(row: PeerRow): Promise<PeerRow> {
    if (row.state === "active" || row.state === "degraded") return row;
    if (row.state === "revoked") throw peerProblem("peer_revoked");
    const peer = enrolledPeerOf(row);
    if (row.state === "expired" || peer === undefined || peer.notAfter <= clock.now())
      throw peerProblem("peer_expired");
    await connect(peer).capabilities(AbortSignal.timeout(CONFIRMATION_TIMEOUT_MS));
    return (await rows.activate(row)) ?? (await current(row));
  }

  async function current(row: PeerRow): Promise<PeerRow> {
    const found = await rows.findByToken(row.userId, row.tokenHash);
    if (found !== undefined) return found;
    throw peerProblem("peer_not_found", { detail: "The peer was removed while it was being added." });
  }

  return async (userId, inviteUrl, name) => {
    const reading = readInvite(inviteUrl);
    if (reading.kind === "malformed") {
      throw peerProblem("invite_malformed", { detail: `This is not an invite: ${reading.reason}.` });
    }
    if (name !== undefined && !isPeerName(name)) throw peerProblem("peer_name_invalid");
    const begun = await begin(userId, reading.invite, name);
    return await confirm(await enroll(begun, reading.invite));
  };
}
