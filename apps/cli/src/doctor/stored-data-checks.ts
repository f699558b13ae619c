import type { DatabaseAccess } from "@mosaicstack/config";
import type { ReadStore, Store } from "@mosaicstack/storage";
import { checkStoredAuthority } from "./authority-check.ts";
import { LIMIT_MS } from "./bounded.ts";
import { type Check, fault, faulty, ok } from "./check.ts";

export const SEAL_KEY = "seal key";

/**
 * Looks into a database whose migrations are all applied: opens it as the start would, reads which keys its values are
 * sealed with (each names its own) and the root certificate, opens no sealed value, and writes nothing.
 *
 * @param sealSecret what the gateway would seal with; undefined: there is none
 * @param isFederated whether the tier has what federation needs of a database
 * @param hasOwnAuthority whether the gateway is its own certificate authority
 */
export async function checkStoredData(options: {
  readonly access: DatabaseAccess;
  readonly sealSecret: string;
  readonly isFederated: boolean;
  readonly hasOwnAuthority: boolean;
  readonly now: Date;
}): Promise<readonly Check[]> {
  const { access, sealSecret, isFederated, hasOwnAuthority, now } = options;
  const { createSealer, openPostgres } = await import("@mosaicstack/storage");
  const limits = { poolSize: 1, connectTimeoutMs: LIMIT_MS, statementTimeoutMs: LIMIT_MS, migrationWaitMs: LIMIT_MS };
  let store: Store;
  try {
    store = await openPostgres({ ...access, ...limits, vector: isFederated });
  } catch (error) {
    return [faulty("stored data", error)];
  }
  try {
    return [
      await checkSealKey(store, createSealer({ secret: sealSecret }).keyId),
      ...(hasOwnAuthority ? [checkStoredAuthority(await storedRoot(store), now)] : []),
    ];
  } catch (error) {
    return [faulty("stored data", error)];
  } finally {
    await store.close();
  }
}

/** @param keyId of what the gateway would seal with */
export async function checkSealKey(store: ReadStore, keyId: string): Promise<Check> {
  const name = SEAL_KEY;
  const { countSealedOtherwise } = await import("@mosaicstack/storage");
  const others = await countSealedOtherwise(store, keyId);
  if (others.length === 0) return ok(name, "what is sealed in the database is sealed with it");
  const counted = others.map(({ one, several, count }) => `${count} ${count === 1 ? one : several}`).join(", ");
  return fault(name, "seal_key_differs", `Sealed with another key than the one configured: ${counted}.`);
}

export async function storedRoot(store: ReadStore): Promise<string | undefined> {
  const [row] = await store.query<{ root: string }>("select root_pem as root from certificate_authorities limit 1", []);
  return row?.root;
}
