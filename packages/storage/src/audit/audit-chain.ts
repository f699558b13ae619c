import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import type { Sealer } from "../sealing.ts";
import { federationAuditChain } from "../schema/index.ts";
import type { Store } from "../store.ts";
import { inOrder } from "./audit-text.ts";

/** Where a chain ends: the last entry's position (0: there is none yet) and hash. */
export interface AuditHead {
  readonly position: number;
  readonly hash: string;
}

/** The keyed hashes of the audit. Pure, microseconds each; the key never leaves it. */
export interface AuditChain {
  /** The hash of the entry at `position` with this text, behind the one that has the hash `previous`. */
  link(position: number, previous: string, text: string): string;
  /** What the head's row carries, so that nobody without the key can make another entry the last one. */
  mac(head: AuditHead): string;
  /** Whether a row of the head is one this chain wrote. */
  isHead(head: AuditHead, mac: string): boolean;
  /**
   * A request's question as the audit keeps it: equal questions have equal hashes, and nobody without the key can tell a question
   * from its hash, be it the only search for a rare word.
   *
   * @param request as its schema parsed it: defaults filled in. The order of its members does not matter.
   */
  queryHash(verb: string, request: unknown): string;
  /** The key as the head's row keeps it. */
  readonly sealedKey: string;
}

/** There is one chain a database, so its row has a fixed id: of two replicas that start at once, one's insert wins. */
export const AUDIT_CHAIN_ID = "00000000-0000-7000-8000-000000000001";
const binding = { table: "federation_audit_chain", column: "sealed_key", rowId: AUDIT_CHAIN_ID };

/** The hash before the first entry. */
export const NO_HASH = "";

/**
 * Opens the database's chain, making its key on first use. The key is random and sealed in the head's row: changing the seal's key
 * seals it anew, and the chain goes on.
 *
 * @throws Problem `unsealing_failed`
 */
export async function openAuditChain(dependencies: {
  readonly store: Pick<Store, "db">;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Promise<AuditChain> {
  const { store, sealer, clock } = dependencies;
  const stored = async () =>
    (await store.db.select({ sealedKey: federationAuditChain.sealedKey }).from(federationAuditChain).limit(1))[0]
      ?.sealedKey;
  let sealedKey = await stored();
  if (sealedKey === undefined) {
    sealedKey = sealer.seal(randomBytes(32).toString("base64url"), binding);
    const made = createAuditChain(sealer.open(sealedKey, binding), sealedKey);
    const head = { position: 0, hash: NO_HASH };
    await store.db
      .insert(federationAuditChain)
      .values({ id: AUDIT_CHAIN_ID, ...head, mac: made.mac(head), sealedKey, at: clock.now() })
      .onConflictDoNothing();
    sealedKey = (await stored()) ?? sealedKey;
  }
  return createAuditChain(sealer.open(sealedKey, binding), sealedKey);
}

/** @param secret the chain's key, at least 32 random bytes as text */
export function createAuditChain(secret: string, sealedKey: string): AuditChain {
  const derive = (info: string) => Buffer.from(hkdfSync("sha256", secret, "", info, 32));
  const entries = derive("mosaic audit v1 entries");
  const heads = derive("mosaic audit v1 heads");
  const queries = derive("mosaic audit v1 queries");
  const mac = ({ position, hash }: AuditHead) => keyed(heads, `${position}\n${hash}`);
  return {
    link: (position, previous, text) => keyed(entries, `${position}\n${previous}\n${text}`),
    mac,
    isHead(head, given) {
      const [wanted, found] = [Buffer.from(mac(head)), Buffer.from(given)];
      return wanted.length === found.length && timingSafeEqual(wanted, found);
    },
    queryHash: (verb, request) => keyed(queries, `${verb}\n${JSON.stringify(inOrder(request))}`),
    sealedKey,
  };
}

/** HMAC-SHA-256 (RFC 2104), base64url. */
function keyed(key: Buffer, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64url");
}
