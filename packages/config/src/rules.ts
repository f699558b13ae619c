import { isIPv4 } from "node:net";
import type { ConfigFault, ConfigWarning, Origin } from "./config.ts";
import { correct } from "./fault.ts";
import { readEmbeddingsUrl } from "./embeddings-access.ts";
import type { Entry } from "./layer.ts";
import type { GivenSecrets } from "./secret.ts";
import type { Variant } from "./tier-schemas.ts";

type Settings = ReadonlyMap<string, Entry>;

function originOf(settings: Settings, path: string): { readonly origin?: Origin } {
  const origin = settings.get(path)?.origin;
  return origin === undefined || origin.kind === "default" ? {} : { origin };
}

function queueFaults(settings: Settings, variant: Variant, hasPassword: boolean): ConfigFault[] {
  const kind = settings.get("queue.kind")?.value;
  const fault = (path: string, message: string, remedy: string): ConfigFault => ({
    path,
    ...originOf(settings, path),
    message,
    remedy,
  });
  if (variant === "embedded" && kind !== "in-process") {
    return [fault("queue.kind", 'must be "in-process" with "embedded": true', 'Take it out, or take "embedded" out.')];
  }
  if (variant !== "federated") return [];
  if (kind !== "bullmq") {
    const message = 'must be "bullmq": tier federated runs jobs on Valkey';
    return [fault("queue.kind", message, 'Take it out and set VALKEY_URL, or set "embedded": true.')];
  }
  const url = settings.get("queue.url")?.value;
  if (url === undefined) {
    const message = "is not set, and tier federated needs Valkey";
    return [fault("queue.url", message, 'Set VALKEY_URL or VALKEY_URL_FILE, or set "embedded": true.')];
  }
  if (typeof url === "string" && url.includes("@") && !hasPassword) {
    const message = "names a user and no password";
    return [fault("queue.url", message, "Set VALKEY_PASSWORD; a password without a user is redis://:password@host.")];
  }
  return [];
}

function tlsFaults(settings: Settings, variant: Variant): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const certificate = settings.has("http.tls.certificateFile");
  if (certificate !== settings.has("http.tls.keyFile")) {
    const [there, missing] = certificate ? ["certificateFile", "keyFile"] : ["keyFile", "certificateFile"];
    faults.push({
      path: `http.tls.${missing}`,
      ...originOf(settings, `http.tls.${there}`),
      message: `is not set, and http.tls.${there} is`,
      remedy: "Set both.",
    });
  }
  if (settings.get("http.tls")?.value === "auto" && (variant === "local" || variant === "standalone")) {
    faults.push({
      path: "http.tls",
      ...originOf(settings, "http.tls"),
      message: '"auto" takes a certificate of the gateway\'s own authority, which only tier federated has',
      remedy: "Name a certificateFile and a keyFile, or change the tier.",
    });
  }
  return faults;
}

function databaseFaults(settings: Settings, variant: Variant, hasMigrationPassword: boolean): ConfigFault[] {
  if (variant !== "standalone" && variant !== "federated") return [];
  const faults: ConfigFault[] = [];
  if (!settings.has("database.host")) {
    faults.push({
      path: "database.host",
      message: `is not set, and tier ${variant} needs PostgreSQL`,
      remedy: "Set DATABASE_URL or DATABASE_URL_FILE, or database.host in the file.",
    });
  }
  if (settings.has("database.caFile") && settings.get("database.tls")?.value === "off") {
    faults.push({
      path: "database.caFile",
      ...originOf(settings, "database.caFile"),
      message: "is set, and database.tls is off",
      remedy: 'Set database.tls to "verify", or take database.caFile out.',
    });
  }
  if (hasMigrationPassword && !settings.has("database.migrationUser")) {
    faults.push({
      path: "POSTGRES_MIGRATION_PASSWORD",
      message: "is set, and database.migrationUser is not",
      remedy: "Set MOSAIC_DATABASE_MIGRATION_USER to the role it belongs to, or unset it.",
    });
  }
  return faults;
}

/** Three settings that make a step-ca, and of which none is of use alone. */
const STEP_CA = ["certificateAuthority.url", "certificateAuthority.rootFile", "STEP_CA_PROVISIONER_KEY"];

function authorityFaults(settings: Settings, hasKey: boolean): ConfigFault[] {
  const isSet = (path: string): boolean => (path === "STEP_CA_PROVISIONER_KEY" ? hasKey : settings.has(path));
  const given = STEP_CA.find(isSet);
  if (given === undefined) return [];
  return STEP_CA.filter((path) => !isSet(path)).map((path) => ({
    path,
    message: `is not set, and ${given} is`,
    remedy: "Set both for step-ca, as docs/federation/SETUP.md has it, or neither.",
  }));
}

function embeddingsFaults({ embeddings }: GivenSecrets): ConfigFault[] {
  const reading = embeddings === undefined ? undefined : readEmbeddingsUrl(embeddings.reveal());
  if (reading?.kind !== "malformed") return [];
  const origin = { kind: "environment", variable: "EMBEDDINGS_URL" } as const;
  const remedy = "Set it to https://:key@host/v1?model=name, the key percent-encoded.";
  return [{ path: "EMBEDDINGS_URL", origin, message: reading.reason, remedy }];
}

/** What can only be seen of several settings together. */
export function crossFaults(settings: Settings, variant: Variant, given: GivenSecrets): ConfigFault[] {
  const faults = [
    ...queueFaults(settings, variant, given.queuePassword !== undefined),
    ...databaseFaults(settings, variant, given.databaseMigrationPassword !== undefined),
    ...tlsFaults(settings, variant),
    ...authorityFaults(settings, given.provisionerKey !== undefined),
    ...embeddingsFaults(given),
  ];
  const port = settings.get("federation.port");
  if (port !== undefined && port.value !== 0 && port.value === settings.get("http.port")?.value) {
    const message = "is http.port too, and the two listeners can't share one";
    faults.push({
      path: "federation.port",
      ...originOf(settings, "federation.port"),
      message,
      remedy: correct("federation.port", port.origin),
    });
  }
  return faults;
}

function isLoopback(host: unknown): boolean {
  return (
    typeof host === "string" && (host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127.")))
  );
}

/** What works and should not stay so. */
export function settingWarnings(settings: Settings, saidTier: unknown): ConfigWarning[] {
  const warnings: ConfigWarning[] = [];
  if (saidTier === "team") {
    warnings.push({ path: "tier", message: '"team" is a deprecated name of "standalone"; write "standalone"' });
  }
  const publicUrl = settings.get("http.publicUrl")?.value;
  const behindHttps = typeof publicUrl === "string" && publicUrl.startsWith("https:");
  if (settings.get("http.tls")?.value === "off" && !isLoopback(settings.get("http.host")?.value) && !behindHttps) {
    const message =
      "other machines can connect without TLS: passwords and API keys travel in clear text; set http.tls, or http.publicUrl to the https address of the proxy in front";
    warnings.push({ path: "http.host", message });
  }
  return warnings;
}
