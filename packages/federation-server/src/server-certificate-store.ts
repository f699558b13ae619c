import { createHash, createPublicKey } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import { checkIssuedServerCertificate, splitCertificates } from "@mosaicstack/federation-protocol";
import { schema, type Sealer, type Store } from "@mosaicstack/storage";
import { namesOfServer, type ServerCertificate, serverCertificateOf } from "./server-certificate.ts";

/** There is one a database, so its row has a fixed id: of two replicas that store at once, the later one's stays, whole. */
const certificateId = "00000000-0000-7000-8000-000000000002";
const bindingOf = (rowId: string) => ({ table: "federation_server_certificates", column: "sealed_key", rowId });

export type StoredServerCertificate =
  | { readonly kind: "none" }
  | { readonly kind: "good"; readonly certificate: ServerCertificate }
  | {
      readonly kind: "unusable";
      /** A few words for an administrator, e.g. `it has expired`. */
      readonly reason: string;
    };

/** The server certificate in the database, which all replicas of a gateway share. Its key is sealed there. */
export interface ServerCertificateStore {
  /** It is good while it is valid, of the authority's root, for its own key, and for exactly the names that are wished now. */
  read(): Promise<StoredServerCertificate>;
  /** Replaces it. */
  write(certificate: ServerCertificate): Promise<void>;
}

export function createServerCertificateStore(dependencies: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly rootPem: string;
  readonly hostnames: readonly string[];
}): ServerCertificateStore {
  const { store, sealer, clock, rootPem, hostnames } = dependencies;
  const { federationServerCertificates } = schema;

  return {
    async read() {
      const [row] = await store.db.select().from(federationServerCertificates).limit(1);
      if (row === undefined) return { kind: "none" };
      const key = opened(() => sealer.open(row.sealedKey, bindingOf(row.id)));
      if (key === undefined) return { kind: "unusable", reason: "its key cannot be opened" };
      const [certificatePem = "", ...chain] = splitCertificates(row.certificatePem);
      // Its last is the root, which is not believed from here.
      const chainPem = chain.slice(0, -1);
      const reading = checkIssuedServerCertificate(
        { certificatePem, chainPem },
        { rootPem, spkiSha256: spkiOfKey(key), now: clock.now(), ...namesOfServer(hostnames) },
      );
      if (reading.kind === "bad") return { kind: "unusable", reason: reading.reason };
      const { notAfter } = reading;
      const issuedAt = row.createdAt;
      return {
        kind: "good",
        certificate: serverCertificateOf({ certificatePem, chainPem, rootPem, key, issuedAt, notAfter }),
      };
    },
    async write({ cert, key, issuedAt, notAfter }) {
      const values = {
        certificatePem: cert,
        sealedKey: sealer.seal(key, bindingOf(certificateId)),
        notAfter,
        createdAt: issuedAt,
      };
      await store.db
        .insert(federationServerCertificates)
        .values({ id: certificateId, ...values })
        .onConflictDoUpdate({ target: federationServerCertificates.id, set: values });
    },
  };
}

function opened(open: () => string): string | undefined {
  try {
    return open();
  } catch {
    // Which of the checks failed would only help whoever tampers.
    return undefined;
  }
}

/** SHA-256 of its public key, hex; the empty text where it is no key. */
function spkiOfKey(keyPem: string): string {
  try {
    const spki = createPublicKey(keyPem).export({ type: "spki", format: "der" });
    return createHash("sha256").update(spki).digest("hex");
  } catch {
    return "";
  }
}
