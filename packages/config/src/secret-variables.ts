import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ConfigFault, ConfigWarning, Origin } from "./config.ts";
import type { Environment } from "./layer.ts";
import type { GivenSecrets } from "./secret.ts";
import type { Variant } from "./tier-schemas.ts";

/** A variable that may hold a secret; it has a twin with `_FILE` that names a file holding it. */
export interface SecretVariable {
  readonly variable: string;
  /** Where the text goes: a member of Secrets, or a setting whose URL may carry a password. */
  readonly target: keyof GivenSecrets | "database.url" | "queue.url";
  readonly leastLength: number;
  readonly variants: readonly Variant[];
  readonly description: string;
}

const EVERY_VARIANT: readonly Variant[] = ["local", "standalone", "federated", "embedded"];

/** Every variable that may hold a secret. None has a default. */
export const SECRET_VARIABLES: readonly SecretVariable[] = [
  {
    variable: "BETTER_AUTH_SECRET",
    target: "authSecret",
    leastLength: 32,
    variants: EVERY_VARIANT,
    description: "Signs sessions, 32 characters or more. Embedded gateways generate it; the others need it.",
  },
  {
    variable: "MOSAIC_SEAL_KEY",
    target: "sealKey",
    leastLength: 32,
    variants: EVERY_VARIANT,
    description:
      "Seals credentials and private keys at rest, 32 characters or more. Otherwise derived from BETTER_AUTH_SECRET.",
  },
  {
    variable: "DATABASE_URL",
    target: "database.url",
    leastLength: 1,
    variants: ["standalone", "federated"],
    description: "PostgreSQL in one line, the password included.",
  },
  {
    variable: "POSTGRES_PASSWORD",
    target: "databasePassword",
    leastLength: 1,
    variants: ["standalone", "federated"],
    description: "The database role's password.",
  },
  {
    variable: "POSTGRES_MIGRATION_PASSWORD",
    target: "databaseMigrationPassword",
    leastLength: 1,
    variants: ["standalone", "federated"],
    description: "The password of database.migrationUser.",
  },
  {
    variable: "VALKEY_URL",
    target: "queue.url",
    leastLength: 1,
    variants: ["federated"],
    description: "Valkey in one line, the password included.",
  },
  {
    variable: "VALKEY_PASSWORD",
    target: "queuePassword",
    leastLength: 1,
    variants: ["federated"],
    description: "Valkey's password.",
  },
  {
    variable: "STEP_CA_PROVISIONER_KEY",
    target: "provisionerKey",
    leastLength: 1,
    variants: ["federated", "embedded"],
    description: "The private key of step-ca's provisioners: a JWK, or a JWE that the password opens.",
  },
  {
    variable: "STEP_CA_PROVISIONER_PASSWORD",
    target: "provisionerPassword",
    leastLength: 1,
    variants: ["federated", "embedded"],
    description: "What opens STEP_CA_PROVISIONER_KEY, where it is encrypted.",
  },
  {
    variable: "EMBEDDINGS_URL",
    target: "embeddings",
    leastLength: 1,
    variants: ["federated", "embedded"],
    description:
      "Search by meaning: an OpenAI-compatible endpoint in one line, key and model included: `https://:key@host/v1?model=name`.",
  },
];

/** A secret's text and the variable it came by. Lives only while a configuration is loaded. */
export interface GivenText {
  readonly text: string;
  readonly origin: Origin & { readonly kind: "environment" };
}

export interface SecretReading {
  readonly given: ReadonlyMap<SecretVariable["target"], GivenText>;
  readonly faults: readonly ConfigFault[];
  readonly warnings: readonly ConfigWarning[];
}

const MOST_BYTES = 65_536;

type Reading = GivenText | ConfigFault | undefined;

// The path is not repeated in a fault: whoever puts the secret itself into the _FILE variable would find it in a log.
async function readSecretFile(variable: string, path: string): Promise<GivenText | ConfigFault> {
  const origin = { kind: "environment", variable } as const;
  const refused = (message: string, remedy: string): ConfigFault => ({ path: variable, origin, message, remedy });
  try {
    const found = await stat(path);
    if (!found.isFile()) return refused("names something that is no file", "Name the file that holds the secret.");
    if (found.size > MOST_BYTES)
      return refused("names a file larger than 64 KiB", "Name the file that holds the secret alone.");
    const text = (await readFile(path, "utf8")).trim();
    return text === "" ? refused("names an empty file", "Write the secret into that file.") : { text, origin };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return refused(`names a file that can't be read (${code})`, "Name a file that the gateway's user may read.");
  }
}

async function readOne(secret: SecretVariable, environment: Environment, directory: string): Promise<Reading> {
  const { variable, leastLength } = secret;
  const direct = environment[variable] ?? "";
  const file = environment[`${variable}_FILE`] ?? "";
  if (direct !== "" && file !== "") {
    const message = `is set, and so is ${variable}_FILE`;
    return { path: variable, origin: { kind: "environment", variable }, message, remedy: "Unset one of the two." };
  }
  if (direct === "" && file === "") return undefined;
  const found: GivenText | ConfigFault =
    direct === ""
      ? await readSecretFile(`${variable}_FILE`, resolve(directory, file))
      : { text: direct, origin: { kind: "environment", variable } };
  if (!("text" in found) || found.text.length >= leastLength) return found;
  return {
    path: found.origin.variable,
    origin: found.origin,
    message: `has fewer than ${leastLength} characters`,
    remedy: "Make one with: openssl rand -base64 48",
  };
}

/** Reads the secrets a variant uses. One it doesn't use is a warning, since DATABASE_URL and its like are set for others too. */
export async function readSecretVariables(
  environment: Environment,
  variant: Variant,
  directory: string,
): Promise<SecretReading> {
  const given = new Map<SecretVariable["target"], GivenText>();
  const faults: ConfigFault[] = [];
  const warnings: ConfigWarning[] = [];
  for (const secret of SECRET_VARIABLES) {
    if (secret.variants.includes(variant)) {
      const found = await readOne(secret, environment, directory);
      if (found === undefined) continue;
      if ("text" in found) given.set(secret.target, found);
      else faults.push(found);
      continue;
    }
    for (const path of [secret.variable, `${secret.variable}_FILE`]) {
      if ((environment[path] ?? "") !== "") warnings.push({ path, message: "is set, and this tier does not use it" });
    }
  }
  return { given, faults, warnings };
}
