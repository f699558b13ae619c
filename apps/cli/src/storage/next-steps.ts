import { access } from "node:fs/promises";
import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import type { TargetTier } from "./open-source.ts";
import type { TargetAddress } from "./target-options.ts";

/** What is left to do for the gateway to run on the target. Holds no secret, only where one is. */
export interface NextSteps {
  /** The parts of mosaic.config.json that change. */
  readonly config: object;
  /** Variables the gateway needs. A text in angle brackets is for the reader to fill in. */
  readonly variables: Readonly<Record<string, string>>;
  readonly steps: readonly string[];
}

export async function nextSteps(loaded: LoadedConfig, to: TargetTier, target: TargetAddress): Promise<NextSteps> {
  const { config, secrets, file } = loaded;
  const { host, port, name, user, tls } = target;
  const variables: Record<string, string> = {};
  const generated = "dataDirectory" in config ? join(config.dataDirectory, "secrets", "auth-secret") : undefined;
  const isGenerated = generated !== undefined && secrets.authSecret === undefined && (await isThere(generated));
  if (isGenerated) variables["BETTER_AUTH_SECRET_FILE"] = generated;
  else variables["BETTER_AUTH_SECRET_FILE"] = "<a file with the BETTER_AUTH_SECRET this gateway has now>";
  if (secrets.sealKey !== undefined) {
    variables["MOSAIC_SEAL_KEY_FILE"] = "<a file with the MOSAIC_SEAL_KEY this gateway has now>";
  }
  if (target.password !== undefined) variables["POSTGRES_PASSWORD_FILE"] = "<a file with the database user's password>";
  return {
    config: {
      tier: to,
      database: { host, port, name, user, ...(tls === "off" ? {} : { tls }) },
      ...(to === "federated" ? { queue: { url: "redis://<where Valkey is>:6379" } } : {}),
    },
    variables,
    steps: [
      `Put this into ${file ?? "mosaic.config.json"}; dataDirectory and embedded go, everything else stays.`,
      isGenerated
        ? "Set the variables. The secret has to be the one generated there: nothing sealed can be opened with another. Keep a copy of that file."
        : "Set the variables. The secrets have to be the ones the gateway has now: nothing sealed can be opened with others.",
      "mosaic gateway doctor",
      "mosaic start",
      "Keep the source until you are sure: it is as it was, and the old configuration still runs on it.",
    ],
  };
}

/** The steps as text for people. */
export function nextStepsText({ config, variables, steps }: NextSteps): string {
  const [first = "", second = "", ...rest] = steps;
  const indented = (text: string): string => text.replaceAll(/^/gmu, "       ");
  return [
    "Next:",
    `  1. ${first}`,
    indented(JSON.stringify(config, null, 2)),
    `  2. ${second}`,
    ...Object.entries(variables).map(([name, value]) => indented(`${name}=${value}`)),
    ...rest.map((step, index) => `  ${index + 3}. ${step}`),
  ].join("\n");
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
