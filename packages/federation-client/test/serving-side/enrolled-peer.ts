import { newId } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import type { ScriptedPeer } from "@mosaicstack/harness";
import type { Sealer } from "@mosaicstack/storage";
import type { EnrolledPeer } from "../../src/peer-connections.ts";
import { keyBinding } from "../../src/peer-key.ts";

/** A peer as it stands in a row once it was enrolled at the gateway; it's in no database. */
export async function enrolledPeerOf(gateway: ScriptedPeer, sealer: Sealer): Promise<EnrolledPeer> {
  const { privateKeyPem, csrPem } = await createSigningRequest();
  const id = newId();
  return {
    id,
    userId: newId(),
    name: "work",
    state: "active",
    endpoint: gateway.endpoint,
    rootPem: gateway.authority.rootPem,
    certificatePem: await gateway.authority.client(csrPem, gateway),
    chainPem: [],
    sealedKey: sealer.seal(privateKeyPem, keyBinding(id)),
    remoteGrantId: gateway.grantId,
    notAfter: new Date(Date.now() + 86_400_000),
  };
}
