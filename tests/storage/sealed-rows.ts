import { newId } from "@mosaicstack/foundation";
import { type Binding, schema, type Sealer, type Store } from "@mosaicstack/storage";

/** What was sealed, and where. */
export interface SealedText {
  readonly binding: Binding;
  readonly text: string;
}

const AUDIT_CHAIN_ID = "00000000-0000-7000-8000-000000000001";

/** A gateway's sealed values: an authority, a server certificate, the audit chain's key, `count` credentials and peers, each with a key in use and a next one. */
export async function sealedRows(store: Store, sealer: Sealer, count: number): Promise<readonly SealedText[]> {
  const at = new Date();
  const texts: SealedText[] = [];
  const seal = (table: string, column: string, rowId: string): string => {
    const binding = { table, column, rowId };
    const text = `the secret of ${table}.${column} ${rowId}`;
    texts.push({ binding, text });
    return sealer.seal(text, binding);
  };
  const userId = newId();
  const authorityId = "00000000-0000-7000-8000-000000000001";
  const serverCertificateId = "00000000-0000-7000-8000-000000000002";
  await store.transaction(async (db) => {
    await db.insert(schema.users).values({ id: userId, name: "Ada", email: `${userId}@example.org` });
    const sealedKey = seal("certificate_authorities", "sealed_key", authorityId);
    await db.insert(schema.certificateAuthorities).values({ id: authorityId, rootPem: "", sealedKey, createdAt: at });
    const serverKey = seal("federation_server_certificates", "sealed_key", serverCertificateId);
    await db
      .insert(schema.federationServerCertificates)
      .values({ id: serverCertificateId, certificatePem: "", sealedKey: serverKey, notAfter: at, createdAt: at });
    const chainKey = seal("federation_audit_chain", "sealed_key", AUDIT_CHAIN_ID);
    await db
      .insert(schema.federationAuditChain)
      .values({ id: AUDIT_CHAIN_ID, position: 0, hash: "", mac: "", sealedKey: chainKey, at });
    for (let done = 0; done < count; done += 200) {
      const ids = Array.from({ length: Math.min(200, count - done) }, () => [newId(), newId()] as const);
      await db.insert(schema.credentials).values(
        ids.map(([id]) => ({
          id,
          ownerId: userId,
          name: id,
          kind: "token",
          sealedSecret: seal("credentials", "sealed_secret", id),
          createdAt: at,
          updatedAt: at,
        })),
      );
      await db.insert(schema.federationPeers).values(
        ids.map(([, id], index) => ({
          id,
          userId,
          name: `peer-${done + index}`,
          enrollUrl: "https://work.example/enroll",
          tokenHash: id,
          caFingerprint: "ab",
          sealedKey: seal("federation_peers", "sealed_key", id),
          sealedNextKey: seal("federation_peers", "sealed_next_key", id),
          // One of them is in the middle of a renewal.
          ...(done + index === 0 ? { sealedPreviousKey: seal("federation_peers", "sealed_previous_key", id) } : {}),
          createdAt: at,
          updatedAt: at,
        })),
      );
    }
    const request = sealer.seal("a digest", {
      table: "idempotency_keys",
      column: "request_hash",
      rowId: `${userId} k`,
    });
    await db
      .insert(schema.idempotencyKeys)
      .values({ userId, key: "k", requestHash: request, resource: "tasks", resourceId: newId(), createdAt: at });
  });
  return texts;
}

/** Every sealed value that is stored, by where it is. */
export async function storedValues(store: Store): Promise<ReadonlyMap<string, string>> {
  const rows = await store.query<{ place: string; sealed: string }>(
    `select 'certificate_authorities sealed_key ' || id as place, sealed_key as sealed from certificate_authorities
     union all select 'federation_server_certificates sealed_key ' || id, sealed_key from federation_server_certificates
     union all select 'federation_audit_chain sealed_key ' || id, sealed_key from federation_audit_chain
     union all select 'credentials sealed_secret ' || id, sealed_secret from credentials
     union all select 'federation_peers sealed_key ' || id, sealed_key from federation_peers
     union all select 'federation_peers sealed_next_key ' || id, sealed_next_key from federation_peers
     where sealed_next_key is not null
     union all select 'federation_peers sealed_previous_key ' || id, sealed_previous_key from federation_peers
     where sealed_previous_key is not null`,
    [],
  );
  return new Map(rows.map(({ place, sealed }) => [place, sealed]));
}

/** How many of the values open with a sealer. */
export async function openingWith(store: Store, sealer: Sealer, texts: readonly SealedText[]): Promise<number> {
  const stored = await storedValues(store);
  return texts.filter(({ binding, text }) => {
    const sealed = stored.get(`${binding.table} ${binding.column} ${binding.rowId}`) ?? "";
    try {
      return sealer.open(sealed, binding) === text;
    } catch {
      return false;
    }
  }).length;
}
