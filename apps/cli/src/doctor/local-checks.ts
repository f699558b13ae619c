import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config, LoadedConfig } from "@mosaicstack/config";
import { isId } from "@mosaicstack/foundation";
import { type ConfigFlags, loadGatewayConfig } from "../gateway-config.ts";
import type { Host } from "../host.ts";
import { type Check, faulty, ok, warning } from "./check.ts";

/** What was read of this machine's configuration. */
export interface LocalFindings {
  readonly checks: readonly Check[];
  /** Undefined: it is not valid. */
  readonly config: Config | undefined;
}

/** Looks at the configuration and at the folder that keeps the data, without touching either. */
export async function checkThisMachine(host: Host, flags: ConfigFlags): Promise<LocalFindings> {
  let loaded: LoadedConfig;
  try {
    loaded = await loadGatewayConfig(host, flags);
  } catch (error) {
    return { checks: [faulty("configuration", error)], config: undefined };
  }
  const { config, file, warnings } = loaded;
  const embedded = config.tier === "federated" && config.embedded ? ", embedded" : "";
  const checks: Check[] = [ok("configuration", `tier ${config.tier}${embedded}, ${file ?? "no file: all defaults"}`)];
  for (const { path, message } of warnings) {
    checks.push(warning("configuration", "config_warning", `${path}: ${message}`, `Correct ${path}.`));
  }
  if ("dataDirectory" in config) checks.push(await checkDataDirectory(config.dataDirectory));
  return { checks, config };
}

/** The address a gateway of this configuration listens at, as seen from this machine. */
export function urlOfConfig({ http }: Config): string | undefined {
  if (http.port === 0) return http.publicUrl;
  if (http.publicUrl !== undefined) return http.publicUrl;
  const everywhere = http.host === "0.0.0.0" || http.host === "::";
  const host = everywhere ? "127.0.0.1" : http.host.includes(":") ? `[${http.host}]` : http.host;
  return `${http.tls === "off" ? "http" : "https"}://${host}:${http.port}`;
}

async function checkDataDirectory(directory: string): Promise<Check> {
  const name = "data directory";
  const mode = await stat(directory).then(
    (found) => (found.isDirectory() ? found.mode : "not a folder"),
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "unknown"),
  );
  if (mode === "ENOENT") return ok(name, `${directory} is not there yet; the first start makes it`);
  if (typeof mode === "string") {
    return {
      name,
      status: "fault",
      code: "data_directory_unusable",
      detail: `${directory} can't be used (${mode}).`,
      remedy: "Check the path and its permissions.",
    };
  }
  const holder = await lockHolder(directory);
  if (holder === undefined) return ok(name, `${directory}, open by nobody`);
  if (isRunning(holder.pid)) return ok(name, `${directory}, open by process ${holder.pid} since ${holder.since}`);
  return ok(name, `${directory}, left open by process ${holder.pid}, which has ended; the next start recovers it`);
}

interface Holder {
  readonly pid: number;
  readonly since: string;
}

/** Who has an embedded database open: the lock is a folder with one file, named by a token, that says so. */
async function lockHolder(directory: string): Promise<Holder | undefined> {
  for (const lock of [join(directory, "lock"), join(directory, "database", "lock")]) {
    const names = await readdir(lock).catch(() => []);
    const token = names.find(isId);
    if (token === undefined) continue;
    try {
      const { pid, since } = JSON.parse(await readFile(join(lock, token), "utf8")) as Partial<
        Record<keyof Holder, unknown>
      >;
      if (typeof pid === "number" && typeof since === "string") return { pid, since };
    } catch {
      // Released in between: nobody has it open.
    }
  }
  return undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, and runs.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
