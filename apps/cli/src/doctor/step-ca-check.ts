import { X509Certificate } from "node:crypto";
import type { ProvisionerFinding } from "@mosaicstack/certificate-authority";
import type { LoadedConfig } from "@mosaicstack/config";
import { Problem } from "@mosaicstack/foundation";
import { judgeAuthority } from "./authority-check.ts";
import { LIMIT_MS } from "./bounded.ts";
import { type Check, fault, faulty, ok, warning } from "./check.ts";

const NAME = "certificate authority";
/** As the gateway asks, and deploy/step-ca names them. */
const PROVISIONERS = ["mosaic", "mosaic-listener"];

/** Looks at the step-ca of the configuration, where it names one: that it is there, of the pinned root, and knows the gateway's key. */
export async function checkStepCa({ config, secrets }: LoadedConfig, now: Date): Promise<readonly Check[]> {
  if (config.tier !== "federated" || config.certificateAuthority.kind !== "step-ca") return [];
  const { url } = config.certificateAuthority;
  const [{ stepCaAccess }, { probeProvisioners, probeStepCa }] = await Promise.all([
    import("@mosaicstack/config"),
    import("@mosaicstack/certificate-authority"),
  ]);
  try {
    const access = await stepCaAccess(config.certificateAuthority, secrets);
    const { latencyMs } = await probeStepCa(access, { timeoutMs: LIMIT_MS });
    const latency = Math.round(latencyMs);
    const root = judgeAuthority(new X509Certificate(access.rootPem), now);
    const authority = root.status === "ok" ? ok(NAME, `step-ca at ${url}, ${latency} ms; root ${root.detail}`) : root;
    return [{ ...authority, latency_ms: latency }, ...(await checkProvisioners(access, probeProvisioners))];
  } catch (error) {
    return [isOfAnotherRoot(error) ? fault(NAME, "authority_root_differs", error.details.detail) : faulty(NAME, error)];
  }
}

type Probe = typeof import("@mosaicstack/certificate-authority").probeProvisioners;

async function checkProvisioners(access: Parameters<Probe>[0], probe: Probe): Promise<readonly Check[]> {
  try {
    return (await probe(access, PROVISIONERS, { timeoutMs: LIMIT_MS })).map(judgeProvisioner);
  } catch (error) {
    return [faulty("provisioners", error)];
  }
}

function judgeProvisioner({ name: called, kind }: ProvisionerFinding): Check {
  const name = `provisioner ${called}`;
  switch (kind) {
    case "good":
      return ok(name, "it is there, with this gateway's key");
    case "missing":
      return fault(name, "provisioner_missing", `step-ca has no JWK provisioner called ${called}.`);
    case "another key":
      return fault(name, "provisioner_key_differs", `step-ca knows ${called} by another key than this gateway's.`);
    case "renews by itself":
      return warning(name, "provisioner_renews", `${called} renews certificates without asking the gateway.`);
  }
}

function isOfAnotherRoot(error: unknown): error is Problem {
  return error instanceof Problem && error.details["cause"] === "its certificate is not of the pinned root";
}
