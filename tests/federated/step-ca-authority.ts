import { readFile } from "node:fs/promises";
import { type CertificateAuthority, openStepCaAuthority, type StepCaOptions } from "@mosaicstack/certificate-authority";
import { systemClock } from "@mosaicstack/foundation";
import { startPrivateStepCa } from "../../scripts/services/private-instances.ts";

export type PrivateStepCa = Awaited<ReturnType<typeof startPrivateStepCa>>;

/** What a gateway is given of a step-ca. */
export async function optionsOf(stepCa: PrivateStepCa): Promise<StepCaOptions> {
  const { provisioner, provisionerKeyFile, provisionerPasswordFile } = stepCa.gateway;
  return {
    url: stepCa.url,
    rootPem: stepCa.rootPem,
    provisioner,
    provisionerKey: await readFile(provisionerKeyFile, "utf8"),
    provisionerPassword: await readFile(provisionerPasswordFile, "utf8"),
    clock: systemClock,
  };
}

/** A step-ca of one's own, and the gateway's way to it. */
export async function openPrivateStepCa(): Promise<{
  readonly authority: CertificateAuthority;
  readonly stepCa: PrivateStepCa;
  close(): Promise<void>;
}> {
  const stepCa = await startPrivateStepCa();
  const authority = await openStepCaAuthority(await optionsOf(stepCa));
  return { authority, stepCa, close: () => stepCa.stop() };
}
