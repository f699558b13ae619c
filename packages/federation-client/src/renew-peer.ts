import { X509Certificate } from "node:crypto";
import { type Clock, Problem } from "@mosaicstack/foundation";
import { createSigningRequest, renewalWindow, signingRequestFor } from "@mosaicstack/federation-protocol";
import type { Sealer } from "@mosaicstack/storage";
import type { PeerConnection } from "./peer-connection.ts";
import { type EnrolledPeer, enrolledPeerOf, type PeerConnections } from "./peer-connections.ts";
import { keyBinding, type KeySlot } from "./peer-key.ts";
import type { PeerRow } from "./peer-store.ts";
import { peerProblem } from "./problems.ts";
import { outcomeOf, refusesPair } from "./renewal-outcome.ts";
import { chooseRenewAt, isDegraded, type Random, retryAt } from "./renewal-schedule.ts";
import type { RenewalStore } from "./renewal-store.ts";
import { mayBeRefusal } from "./transport-problem.ts";
import { verifyRenewal } from "./verify-renewal.ts";

/** More than the serving side waits for its CA. */
const RENEWAL_TIMEOUT_MS = 30_000;
const CONFIRMATION_TIMEOUT_MS = 10_000;

/**
 * Renews one peer, in steps of which each leaves what the next one needs in the row, so that it can stop anywhere and goes on
 * from there (trust decisions 5 to 7): the next key, sealed and stored; its certificate, asked for over the pair in use and
 * verified; the swap, one statement; the first use, after which the previous pair is forgotten. A key that was asked for is
 * asked for again until it is answered: another one would look like a stolen key.
 *
 * A peer that says it has moved is asked at its previous address until it has answered at the new one.
 *
 * @param dependencies.onChange after each change of a row
 * @param dependencies.askCrl whether the peer's CRL proves the certificate revoked; it has then been written down
 * @returns renews; only confirms the last renewal where that is still to be done, or `isDue` is false. What it rejects with has been written down.
 */
export function createPeerRenewal(dependencies: {
  readonly rows: RenewalStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly connections: Pick<PeerConnections, "to" | "apart">;
  readonly onChange: (before: PeerRow, after: PeerRow) => void;
  readonly askCrl: (row: PeerRow) => Promise<boolean>;
}): (row: PeerRow, isDue: boolean) => Promise<PeerRow> {
  const { rows, sealer, clock, random, connections, onChange, askCrl } = dependencies;

  const move = (row: PeerRow, sealed: string, from: KeySlot, to: KeySlot) =>
    sealer.seal(sealer.open(sealed, keyBinding(row.id, from)), keyBinding(row.id, to));

  async function stored(before: PeerRow, change: Promise<PeerRow | undefined>): Promise<PeerRow | undefined> {
    const after = await change;
    if (after !== undefined) onChange(before, after);
    return after;
  }

  async function current(row: PeerRow): Promise<PeerRow> {
    const found = await rows.find(row);
    if (found !== undefined) return found;
    throw peerProblem("peer_not_found", { detail: "The peer was removed meanwhile." });
  }

  async function withNextKey(row: PeerRow): Promise<PeerRow> {
    if (row.sealedNextKey !== null) return row;
    const { privateKeyPem } = await createSigningRequest();
    const kept = await rows.keepNextKey(row, sealer.seal(privateKeyPem, keyBinding(row.id, "next")));
    return kept ?? (await current(row));
  }

  /** Asks, verifies and swaps. */
  async function ask(asking: PeerRow): Promise<PeerRow> {
    const row = await withNextKey(asking);
    const peer = enrolled(row);
    if (row.sealedNextKey === null) throw peerProblem("peer_unreachable", { detail: "It was renewed meanwhile." });
    const { csrPem, spkiSha256 } = await signingRequestFor(sealer.open(row.sealedNextKey, keyBinding(row.id, "next")));
    const answer = await connections.to(peer).renew(csrPem, AbortSignal.timeout(RENEWAL_TIMEOUT_MS));
    const { remoteNow } = answer;
    const now = clock.now();
    if (answer.kind === "refused") throw new Refused(answer.problem, remoteNow);
    let verified;
    try {
      verified = verifyRenewal(answer.response, remoteNow, { ...peer, generation: row.generation, spkiSha256, now });
    } catch (error) {
      throw error instanceof Problem ? new Refused(error, remoteNow) : error;
    }
    const keys = {
      sealedKey: move(row, row.sealedNextKey, "next", "active"),
      sealedNextKey: null,
      sealedPreviousKey: move(row, row.sealedKey, "active", "previous"),
    };
    const renewAt = chooseRenewAt(verified.window, { now, notAfter: verified.notAfter }, random);
    return (await stored(row, rows.swap(row, verified, keys, renewAt))) ?? (await current(row));
  }

  /** The first use of the pair. Where it is refused and the other one may not be, they change places. */
  async function confirm(row: PeerRow): Promise<PeerRow> {
    if (row.previousCertificatePem === null && row.previousEndpoint === null) return row;
    const peer = enrolled(row);
    const isFound = await answersWhereItSays(row, peer);
    if (isFound) return (await stored(row, rows.confirm(row, whenNext(row, peer)))) ?? (await current(row));
    try {
      await use(connections.to(peer), peer);
    } catch (error) {
      if (!(error instanceof Problem) || !refusesPair(error) || !(await exchange(row, error.code))) throw error;
      throw new Exchanged(error);
    }
    const at = row.previousEndpoint === null ? "confirm" : "confirmAtPrevious";
    return (await stored(row, rows[at](row, whenNext(row, peer)))) ?? (await current(row));
  }

  /** Whether a peer that has moved answers there. Whatever keeps it from that, its previous address has the last word. */
  async function answersWhereItSays(row: PeerRow, peer: EnrolledPeer): Promise<boolean> {
    if (row.previousEndpoint === null || row.endpoint === null) return false;
    const connection = connections.apart(peer, row.endpoint);
    try {
      await use(connection, peer);
      return true;
    } catch (error) {
      if (error instanceof Problem) return false;
      throw error;
    } finally {
      await connection.close();
    }
  }

  /** The moment chosen at the swap; or another, where the attempts to confirm it stand in its place. */
  function whenNext({ renewAt, renewAttempts }: PeerRow, { certificatePem }: EnrolledPeer): Date | null {
    if (renewAttempts === 0) return renewAt;
    const { notBefore, notAfter } = lifeOf(certificatePem);
    return chooseRenewAt(renewalWindow(notBefore, notAfter), { now: clock.now(), notAfter }, random);
  }

  /**
   * After a fall-back the newer key is also the next one, since that is the one key that the peer will certify for this
   * generation; after another exchange it is in use again.
   */
  async function exchange(row: PeerRow, code: string): Promise<boolean> {
    const { sealedPreviousKey, previousCertificatePem, previousNotAfter } = row;
    const now = clock.now();
    const isGood = previousNotAfter !== null && previousNotAfter > now;
    if (!isGood || sealedPreviousKey === null || previousCertificatePem === null) return false;
    const isFallBack = row.sealedNextKey === null;
    const keys = {
      sealedKey: move(row, sealedPreviousKey, "previous", "active"),
      sealedNextKey: isFallBack ? move(row, row.sealedKey, "active", "next") : null,
      sealedPreviousKey: move(row, row.sealedKey, "active", "previous"),
    };
    const failures = row.renewAttempts + 1;
    const exchanged = await stored(
      row,
      rows.exchange(row, keys, {
        generation: row.generation + (isFallBack ? -1 : 1),
        code,
        renewAt: retryAt(now, failures, random),
        isDegraded: isDegraded(failures, lifeOf(previousCertificatePem), now),
      }),
    );
    return exchanged !== undefined;
  }

  /** Writes down what a failure means. @returns what the caller is told */
  async function judge(row: PeerRow, failure: Problem, remoteNow: Date | undefined): Promise<Problem> {
    const { certificatePem, notAfter } = enrolled(row);
    const now = clock.now();
    if (mayBeRefusal(failure) && (await askCrl(row))) return peerProblem("peer_revoked", { cause: failure });
    const outcome = outcomeOf(failure, { remoteNow, now }, { notAfter });
    const failures = row.renewAttempts + 1;
    const { code } = outcome.problem;
    // Somebody asked before it was due, and too soon after the last time: that says nothing of the peer.
    if (code === "peer_rate_limited" && row.renewAt !== null && row.renewAt > now) return outcome.problem;
    switch (outcome.kind) {
      case "revoked":
        await stored(row, rows.end(row, "revoked", code));
        return peerProblem("peer_revoked", { cause: failure });
      case "expired":
        await stored(row, rows.end(row, "expired", outcome.reason));
        return outcome.problem;
      case "stopped":
        await stored(row, rows.fail(row, { code, renewAt: null, isDegraded: true }));
        return outcome.problem;
      case "retry-with-another-key":
        await rows.dropNextKey(row);
        break;
      case "retry":
    }
    const renewAt = retryAt(now, failures, random);
    await stored(row, rows.fail(row, { code, renewAt, isDegraded: isDegraded(failures, lifeOf(certificatePem), now) }));
    return outcome.problem;
  }

  return async (row, isDue) => {
    let at = row;
    try {
      const wasRenewed = isRenewed(at);
      at = await confirm(at);
      if (!isDue || wasRenewed) return at;
      at = await ask(at);
      return await confirm(at);
    } catch (error) {
      if (error instanceof Exchanged) throw error.problem;
      const failure = error instanceof Refused ? error.problem : error;
      if (!(failure instanceof Problem) || failure.code === "peer_not_found") throw error;
      throw await judge(await current(at), failure, error instanceof Refused ? error.remoteNow : undefined);
    }
  };
}

/** @throws Problem where it does not answer for the peer's grant */
async function use(connection: PeerConnection, peer: EnrolledPeer): Promise<void> {
  await connection.call("capabilities", {}, AbortSignal.timeout(CONFIRMATION_TIMEOUT_MS), ({ grant }) => {
    if (grant.id !== peer.remoteGrantId) {
      throw peerProblem("peer_incompatible", { detail: "It answered for another grant." });
    }
  });
}

/** Whether a renewal is done but for its confirmation. After a fall-back it is to be asked for again. */
function isRenewed({ previousCertificatePem, sealedNextKey }: PeerRow): boolean {
  return previousCertificatePem !== null && sealedNextKey === null;
}

/** A refusal with the clock of whoever refused. */
class Refused extends Error {
  readonly problem: Problem;
  readonly remoteNow: Date | undefined;
  constructor(problem: Problem, remoteNow: Date | undefined) {
    super(problem.message);
    this.problem = problem;
    this.remoteNow = remoteNow;
  }
}

/** The pair was refused, and the other one is in use now: that has been written down. */
class Exchanged extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

function enrolled(row: PeerRow): EnrolledPeer {
  const peer = enrolledPeerOf(row);
  if (peer === undefined) throw peerProblem("peer_not_confirmed");
  return peer;
}

function lifeOf(certificatePem: string): { readonly notBefore: Date; readonly notAfter: Date } {
  const { validFrom, validTo } = new X509Certificate(certificatePem);
  return { notBefore: new Date(validFrom), notAfter: new Date(validTo) };
}
