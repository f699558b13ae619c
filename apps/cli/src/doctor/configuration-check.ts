import type { Config, ConfigFault, LoadedConfig } from "@mosaicstack/config";
import { Problem } from "@mosaicstack/foundation";
import { type ConfigFlags, loadGatewayConfig } from "../gateway-config.ts";
import type { Host } from "../host.ts";
import { type Check, faulty, ok, warning } from "./check.ts";

/** What was read of this machine's configuration. */
export interface ConfigurationFindings {
  readonly checks: readonly Check[];
  /** Undefined: it is not valid. */
  readonly loaded: LoadedConfig | undefined;
}

const NAME = "configuration";

/** Reads the configuration that `mosaic start` would run with here. */
export async function checkConfiguration(host: Host, flags: ConfigFlags): Promise<ConfigurationFindings> {
  let loaded: LoadedConfig;
  try {
    loaded = await loadGatewayConfig(host, flags);
  } catch (error) {
    return { checks: faultsOf(error), loaded: undefined };
  }
  const { config, file, warnings } = loaded;
  return {
    checks: [
      ok(NAME, `tier ${tierName(config)}, ${file ?? "no file: all defaults"}`),
      ...warnings.map(({ path, message }) =>
        warning(NAME, "config_warning", `${path}: ${message}`, `Correct ${path}.`),
      ),
    ],
    loaded,
  };
}

function tierName(config: Config): string {
  return config.tier === "federated" && config.embedded ? "federated, embedded" : config.tier;
}

/** One check for each fault of the configuration, so that each has its own code and remedy. */
function faultsOf(error: unknown): readonly Check[] {
  const whole = faulty(NAME, error);
  const faults = error instanceof Problem ? error.details["faults"] : undefined;
  if (!Array.isArray(faults) || faults.length === 0) return [whole];
  return (faults as readonly ConfigFault[]).map(({ path, message, remedy }) => ({
    ...whole,
    code: path === "BETTER_AUTH_SECRET" && message.startsWith("is not set") ? "secret_missing" : "config_invalid",
    detail: `${path}: ${message}`,
    remedy,
  }));
}

/** The address a gateway of this configuration listens at, as seen from this machine; undefined: it takes any free port. */
export function localUrlOf({ http }: Config): string | undefined {
  if (http.port === 0) return undefined;
  return `${http.tls === "off" ? "http" : "https"}://${dialled(http.host)}:${http.port}`;
}

/** The address people open, as far as the configuration tells. */
export function urlOfConfig(config: Config): string | undefined {
  return config.http.publicUrl ?? localUrlOf(config);
}

/** What to dial for a listener on `host`, from this machine; an IPv6 address in brackets. */
export function dialled(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
