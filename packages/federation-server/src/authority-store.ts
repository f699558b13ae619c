import {
  type CertificateAuthority,
  createEmbeddedAuthority,
  openEmbeddedAuthority,
} from "@mosaicstack/certificate-authority";
import type { Clock } from "@mosaicstack/foundation";
import { schema, type Sealer, type Store } from "@mosaicstack/storage";
import { revokedSerialsOf } from "./revoked-serials.ts";

/** There is one embedded CA a database, so its row has a fixed id: of two replicas that start at once, one's insert wins. */
const authorityId = "00000000-0000-7000-8000-000000000001";
const binding = { table: "certificate_authorities", column: "sealed_key", rowId: authorityId };

/** Opens the gateway's own CA, making it on first use. Its key is sealed before it is stored. */
export async function openStoredAuthority(dependencies: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Promise<CertificateAuthority> {
  const { store, sealer, clock } = dependencies;
  const { certificateAuthorities } = schema;
  const stored = async () => (await store.db.select().from(certificateAuthorities).limit(1))[0];
  let row = await stored();
  if (row === undefined) {
    const made = await createEmbeddedAuthority({ clock });
    await store.db
      .insert(certificateAuthorities)
      .values({
        id: authorityId,
        rootPem: made.rootPem,
        sealedKey: sealer.seal(made.privateKeyPem, binding),
        createdAt: clock.now(),
      })
      .onConflictDoNothing();
    row = await stored();
  }
  if (row === undefined) throw new Error("the certificate authority was stored and is not there");
  return await openEmbeddedAuthority({
    rootPem: row.rootPem,
    privateKeyPem: sealer.open(row.sealedKey, binding),
    clock,
    revokedSerials: revokedSerialsOf(store, clock),
  });
}
