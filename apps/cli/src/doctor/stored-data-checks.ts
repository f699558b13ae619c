import type { DatabaseAccess } from "@mosaicstack/config";
import type { Store } from "@mosaicstack/storage";
import { checkStoredAuthority } from "./authority-check.ts";
import { LIMIT_MS } from "./bounded.ts";
import { type Check, fault, faulty, ok } from "./check.ts";

/**
 * Looks into a database whose migrations are all applied: opens it as the start would, reads which keys its values are
 * sealed with (each names its own) and the root certificate, opens no sealed value, and writes nothing.
 *
 * @param sealSecret what the gateway would seal with; undefined: there is none
 * @param hasAuthority whether the tier has a certificate authority
 */
export async function checkStoredData(options: {
  readonly access: DatabaseAccess;
  readonly sealSecret: string;
  readonly hasAuthority: boolean;
  readonly now: Date;
}): Promise<readonly Check[]> {
  const { access, sealSecret, hasAuthority, now } = options;
  const { createSealer, openPostgres } = await import("@mosaicstack/storage");
  const limits = { poolSize: 1, connectTimeoutMs: LIMIT_MS, statementTimeoutMs: LIMIT_MS, migrationWaitMs: LIMIT_MS };
  let store: Store;
  try {
    store = await openPostgres({ ...access, ...limits, vector: hasAuthority });
  } catch (error) {
    return [faulty("stored data", error)];
  }
  try {
    return [
      await checkSealKey(store, createSealer({ secret: sealSecret }).keyId),
      ...(hasAuthority ? [checkStoredAuthority(await storedRoot(store), now)] : []),
    ];
  } catch (error) {
    return [faulty("stored data", error)];
  } finally {
    await store.close();
  }
}

async function checkSealKey(store: Store, keyId: string): Promise<Check> {
  const name = "seal key";
  const { countSealedOtherwise } = await import("@mosaicstack/storage");
  const others = await countSealedOtherwise(store, keyId);
  if (others.length === 0) return ok(name, "what is sealed in the database is sealed with it");
  const counted = others.map(({ one, several, count }) => `${count} ${count === 1 ? one : several}`).join(", ");
  return fault(name, "seal_key_differs", `Sealed with another key than the one configured: ${counted}.`);
}

async function storedRoot(store: Store): Promise<string | undefined> {
  const [row] = await store.query<{ root: string }>("select root_pem as root from certificate_authorities limit 1", []);
  return row?.root;
}
