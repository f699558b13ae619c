import { type CertificateAuthorityConfig, type GivenSecrets, stepCaAccess } from "@mosaicstack/config";
import { type CertificateAuthority, openStepCaAuthority } from "@mosaicstack/certificate-authority";
import { openStoredAuthority } from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import type { Sealer, Store } from "@mosaicstack/storage";

/** As deploy/step-ca names it; the provisioner for listeners has this name with `-listener` after it. */
const PROVISIONER = "mosaic";

/** The authority the configuration names: the gateway's own, or a step-ca. @throws Problem of the configuration or the authority */
export async function openAuthority(dependencies: {
  readonly config: CertificateAuthorityConfig;
  readonly secrets: GivenSecrets;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
}): Promise<CertificateAuthority> {
  const { config, secrets, store, sealer, clock } = dependencies;
  if (config.kind === "embedded") return await openStoredAuthority({ store, sealer, clock });
  return await openStepCaAuthority({ ...(await stepCaAccess(config, secrets)), provisioner: PROVISIONER, clock });
}
