import { X509Certificate } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import { followChain, readCertificateRevocationList, serialOf } from "@mosaicstack/federation-protocol";
import { notableSkew } from "./clock-skew.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { type EnrolledPeer, enrolledPeerOf } from "./peer-connections.ts";
import type { PeerRow } from "./peer-store.ts";
import type { RenewalStore } from "./renewal-store.ts";
import { fetchRevocationList, type FetchedList } from "./revocation-list-request.ts";

/** The least time between two fetches of one peer's CRL. */
const MIN_INTERVAL_MS = 60_000;
const MAX_PEERS = 10_000;

/** Why a peer's CRL proves nothing. */
export type NoProof =
  | "not_on_crl"
  | "crl_not_published"
  | "crl_unreachable"
  | "crl_invalid"
  | "crl_wrong_signer"
  | "crl_stale"
  | "crl_older"
  /** By the peer's clock our certificate is not valid, by ours it is. */
  | "clock_skew";

export type ProofReading =
  | { readonly kind: "revoked"; readonly serial: string }
  | { readonly kind: "unproven"; readonly reason: NoProof };

/** Looks for proof that a peer has revoked us, where it ends connections without a word (trust decision 8). */
export interface RevocationProof {
  /** At most once a minute a peer; in between, what came of it last. Never throws but for the database. */
  lookFor(row: PeerRow): Promise<ProofReading>;
}

/** @param rows remembers the newest list seen, so that an older one proves nothing */
export function createRevocationProof(rows: Pick<RenewalStore, "recordListNumber">, clock: Clock): RevocationProof {
  interface Entry {
    readonly at: number;
    readonly certificatePem: string | null;
    readonly reading: Promise<ProofReading>;
  }
  const entries = new LeastRecentlyUsed<Entry>(MAX_PEERS);
  /** By peer: a row that is read from a cache may not have it yet. */
  const newest = new Map<string, bigint>();

  async function read(row: PeerRow): Promise<ProofReading> {
    const peer = enrolledPeerOf(row);
    if (peer === undefined || row.crlUrl === null) return unproven("crl_not_published");
    let fetched: FetchedList;
    try {
      fetched = await fetchRevocationList(row.crlUrl, peer.rootPem);
    } catch {
      return unproven("crl_unreachable");
    }
    const now = clock.now();
    const issuerPem = issuerOf(peer, now);
    if (issuerPem === undefined) return unproven("crl_wrong_signer");
    const list = readCertificateRevocationList(fetched.der, { issuerPem, now });
    if (list.kind === "invalid") {
      const isForeign = list.reason === "it is of another issuer" || list.reason === "it is not signed by its issuer";
      return unproven(isForeign ? "crl_wrong_signer" : "crl_invalid");
    }
    if (list.kind === "stale") return unproven("crl_stale");
    const seen = newest.get(row.id) ?? 0n;
    const stored = row.crlNumber === null ? 0n : BigInt(row.crlNumber);
    if (list.number < stored || list.number < seen) return unproven("crl_older");
    if (list.number > stored) await rows.recordListNumber(row, list.number);
    newest.set(row.id, list.number);
    const certificate = new X509Certificate(peer.certificatePem);
    const serial = serialOf(certificate);
    if (list.has(serial)) return { kind: "revoked", serial };
    return unproven(isSkewed(certificate, fetched.remoteNow, now) ? "clock_skew" : "not_on_crl");
  }

  return {
    lookFor(row) {
      const at = clock.now().getTime();
      const known = entries.get(row.id);
      const isFresh = known !== undefined && Math.abs(at - known.at) < MIN_INTERVAL_MS;
      if (isFresh && known.certificatePem === row.certificatePem) return known.reading;
      const entry = { at, certificatePem: row.certificatePem, reading: read(row) };
      entries.set(row.id, entry);
      return entry.reading;
    },
  };
}

function unproven(reason: NoProof): ProofReading {
  return { kind: "unproven", reason };
}

/** The CA that issued our certificate, by a chain to the pinned root. Undefined: there is none that is valid now. */
function issuerOf({ certificatePem, chainPem, rootPem }: EnrolledPeer, now: Date): string | undefined {
  const chain = followChain(new X509Certificate(certificatePem), { chainPem, rootPem, now });
  return chain.kind === "chained" ? chain.issuer.toString() : undefined;
}

/** Whether the peer's clock explains a refusal: the certificate is valid by one clock only. */
function isSkewed({ validFrom, validTo }: X509Certificate, remoteNow: Date | undefined, now: Date): boolean {
  if (remoteNow === undefined || notableSkew(remoteNow, now) === 0) return false;
  const isValid = (at: Date) => new Date(validFrom) <= at && at < new Date(validTo);
  return isValid(now) !== isValid(remoteNow);
}
