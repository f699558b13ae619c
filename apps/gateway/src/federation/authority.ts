import { type CertificateAuthorityConfig, type GivenSecrets, stepCaAccess } from "@mosaicstack/config";
import { type CertificateAuthority, openStepCaAuthority } from "@mosaicstack/certificate-authority";
import {
  openServerCertificateKeeper,
  openStoredAuthority,
  type ServerCertificateKeeper,
} from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import type { Sealer, Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";

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

/** The certificate of the listeners, and what becomes of it in the log. @throws Problem of the authority where none can be had */
export async function openServerCertificate(dependencies: {
  readonly authority: CertificateAuthority;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** Of the gateway's public addresses. */
  readonly urls: readonly (string | undefined)[];
}): Promise<ServerCertificateKeeper> {
  const { log, urls, ...parts } = dependencies;
  return await openServerCertificateKeeper({
    ...parts,
    hostnames: urls.flatMap((url) => (url === undefined ? [] : [hostnameOf(url)])),
    onUnusable: (reason) => log.info({ reason }, "the stored server certificate is not used: another is made"),
    onKept: (until, error) =>
      log.warn(
        { until: until.toISOString(), code: error.code, err: error },
        `the server certificate could not be renewed: the stored one is used, until ${until.toISOString()}`,
      ),
    onFault: (error) => log.error({ err: error }, "the server certificate could not be renewed"),
  });
}

function hostnameOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, "$1");
}
