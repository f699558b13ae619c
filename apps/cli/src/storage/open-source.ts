import { join } from "node:path";
import type { LoadedConfig } from "@mosaicstack/config";
import type { MigrationSource } from "@mosaicstack/storage";
import { cliProblem } from "../problems.ts";

/** The tiers whose data can be moved to. */
export const TARGET_TIERS = ["federated", "standalone"] as const;
export type TargetTier = (typeof TARGET_TIERS)[number];

/** Where the data is now, in words that fit "from …". No user, no password. */
export function describeSource({ config }: LoadedConfig): string {
  if ("dataDirectory" in config) return `the embedded database in ${config.dataDirectory}`;
  const { host, port, name } = config.database;
  return `the database ${name} on ${host}:${port}`;
}

/**
 * Refuses what is no step up: from local to standalone or federated, from standalone or embedded federated to federated.
 * @throws Problem usage_invalid
 */
export function refuseOtherDirection({ config }: LoadedConfig, to: TargetTier): void {
  if (config.tier === "local" || (config.tier === "standalone" && to === "federated")) return;
  if (config.tier === "federated" && config.embedded && to === "federated") return;
  const now = config.tier === "federated" && config.embedded ? "federated, embedded" : config.tier;
  throw cliProblem("usage_invalid", {
    detail: `The gateway here is of tier ${now}; its data can't be migrated to tier ${to}.`,
    remedy:
      config.tier === "federated" && config.embedded
        ? "Use --to federated: on tier standalone its grants and peers would be without anybody who serves them."
        : "It is on PostgreSQL already: to move it to another server, stop it and use pg_dump and pg_restore.",
  });
}

/** Opens it for reading, and holds it. Only the database's password is taken from the secrets. @throws Problem of the engine */
export async function openSource({ config, secrets }: LoadedConfig): Promise<MigrationSource> {
  const { openPgliteSource, openPostgresSource } = await import("@mosaicstack/storage");
  if ("dataDirectory" in config) return await openPgliteSource(join(config.dataDirectory, "database"));
  const { databaseAccess } = await import("@mosaicstack/config");
  return await openPostgresSource(await databaseAccess(config.database, secrets));
}
