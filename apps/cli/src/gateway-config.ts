import type { LoadedConfig, LoadOptions } from "@mosaicstack/config";
import { OWN_VARIABLES } from "./environment.ts";
import type { Host } from "./host.ts";
import { cliProblem } from "./problems.ts";

/** What was said of a gateway's configuration on the command line. */
export interface ConfigFlags {
  /** `--config`: a file, from the working directory. */
  readonly file: string | undefined;
  /** `--set`: settings by path. */
  readonly settings: Readonly<Record<string, string>> | undefined;
}

/** Collects `--set http.port=0`, given any number of times. */
export function settingFlag(text: string, before: Record<string, string> = {}): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1) {
    throw cliProblem("usage_invalid", {
      detail: `--set takes setting=value, not "${text}".`,
      remedy: "Such as --set http.port=8080; `mosaic config show` lists the settings.",
    });
  }
  return { ...before, [text.slice(0, split)]: text.slice(split + 1) };
}

/** How a gateway's configuration is looked for from here. */
export function configOptions(host: Host, { file, settings }: ConfigFlags): LoadOptions {
  return {
    directory: host.directory,
    environment: host.environment.variables,
    otherVariables: OWN_VARIABLES,
    ...(file === undefined ? {} : { file }),
    ...(settings === undefined ? {} : { flags: settings }),
  };
}

/** Reads the configuration `mosaic start` would run with. @throws Problem `config_invalid` with every fault */
export async function loadGatewayConfig(host: Host, flags: ConfigFlags): Promise<LoadedConfig> {
  const { loadConfig } = await import("@mosaicstack/config");
  return await loadConfig(configOptions(host, flags));
}
