import type { ConfigFault, EffectiveSetting } from "./config.ts";
import { type GivenSecrets, Secret } from "./secret.ts";
import { type GivenText, SECRET_VARIABLES, type SecretReading } from "./secret-variables.ts";
import type { Variant } from "./tier-schemas.ts";

/** The secrets of a configuration, with a row for each that says where it came from and not what it is. */
export interface ChosenSecrets {
  readonly secrets: GivenSecrets;
  readonly settings: readonly EffectiveSetting[];
  readonly faults: readonly ConfigFault[];
}

/** The passwords that URLs carried. */
export interface UrlPasswords {
  readonly databasePassword?: GivenText;
  readonly queuePassword?: GivenText;
}

/** A password given alone and one in a URL must agree: compose files set both, and to the same. */
export function chooseSecrets(given: SecretReading["given"], inUrls: UrlPasswords, variant: Variant): ChosenSecrets {
  const secrets: { -readonly [Name in keyof GivenSecrets]: GivenSecrets[Name] } = {};
  const settings: EffectiveSetting[] = [];
  const faults: ConfigFault[] = [];
  for (const { variable, target, variants } of SECRET_VARIABLES) {
    if (target === "database.url" || target === "queue.url" || !variants.includes(variant)) continue;
    const alone = given.get(target);
    const inUrl = target === "databasePassword" || target === "queuePassword" ? inUrls[target] : undefined;
    if (alone !== undefined && inUrl !== undefined && alone.text !== inUrl.text) {
      faults.push({
        path: variable,
        origin: alone.origin,
        message: `differs from the password in ${inUrl.origin.variable}`,
        remedy: "Give the password once, or the same one twice.",
      });
    }
    const chosen = alone ?? inUrl;
    if (chosen === undefined) continue;
    secrets[target] = new Secret(chosen.text);
    settings.push({ path: variable, value: "[secret]", origin: chosen.origin });
  }
  return { secrets, settings, faults };
}

/** Why a tier without a data directory can't start: it has nowhere of its own to keep a generated secret. */
export function missingAuthSecret(secrets: SecretReading, variant: Variant): ConfigFault[] {
  const judged =
    secrets.given.has("authSecret") || secrets.faults.some(({ path }) => path.startsWith("BETTER_AUTH_SECRET"));
  if (judged || variant === "local" || variant === "embedded") return [];
  return [
    {
      path: "BETTER_AUTH_SECRET",
      message: `is not set, and tier ${variant} keeps no folder to generate one in`,
      remedy:
        "Set BETTER_AUTH_SECRET, or BETTER_AUTH_SECRET_FILE with the path of a file that holds it. Make one with: openssl rand -base64 48",
    },
  ];
}
