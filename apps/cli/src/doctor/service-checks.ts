import type { DatabaseAccess, LoadedConfig } from "@mosaicstack/config";
import type { Host } from "../host.ts";
import { bounded, LIMIT_MS } from "./bounded.ts";
import { type Check, faulty, ok } from "./check.ts";
import { checkDatabase } from "./database-checks.ts";
import { checkQueue } from "./queue-check.ts";
import { checkStepCa } from "./step-ca-check.ts";
import { checkStoredData } from "./stored-data-checks.ts";

/** Of a tier whose database is a service. */
type ServedConfig = Exclude<LoadedConfig["config"], { readonly dataDirectory: string }>;

/** Looks at the services a gateway of this configuration needs, whether or not it runs. */
export async function checkServices(host: Host, loaded: LoadedConfig): Promise<readonly Check[]> {
  const { config, secrets } = loaded;
  const now = host.clock.now();
  const authority = bounded(host, "certificate authority", async () => await checkStepCa(loaded, now));
  const [services, ofAuthority] = await Promise.all([
    "dataDirectory" in config ? [] : checkDatabaseAndQueue(host, { config, secrets }),
    authority,
  ]);
  return [...services, ...ofAuthority];
}

async function checkDatabaseAndQueue(
  host: Host,
  { config, secrets }: Pick<LoadedConfig, "secrets"> & { readonly config: ServedConfig },
): Promise<readonly Check[]> {
  const [{ databaseAccess, queueAccess }] = await Promise.all([
    import("@mosaicstack/config"),
    // Loaded before any check's time runs.
    import("@mosaicstack/storage"),
    import("@mosaicstack/coordination"),
  ]);
  const isFederated = config.tier === "federated";
  const sealSecret = (secrets.sealKey ?? secrets.authSecret)?.reveal();
  const database = async (): Promise<readonly Check[]> => {
    let access: DatabaseAccess;
    try {
      access = await databaseAccess(config.database, secrets);
    } catch (error) {
      return [faulty("postgresql", error)];
    }
    return await checkDatabaseAndData(host, access, {
      isFederated,
      hasOwnAuthority: isFederated && config.certificateAuthority.kind === "embedded",
      sealSecret,
    });
  };
  const queue = async (): Promise<readonly Check[]> =>
    isFederated ? await bounded(host, "valkey", async () => await checkQueue(queueAccess(config.queue, secrets))) : [];
  return (await Promise.all([database(), queue()])).flat();
}

async function checkDatabaseAndData(
  host: Host,
  access: DatabaseAccess,
  {
    isFederated,
    hasOwnAuthority,
    sealSecret,
  }: { readonly isFederated: boolean; readonly hasOwnAuthority: boolean; readonly sealSecret: string | undefined },
): Promise<readonly Check[]> {
  let isReadable = false;
  const [database, migrating] = await Promise.all([
    bounded(host, "postgresql", async () => {
      const found = await checkDatabase(access, isFederated);
      ({ isReadable } = found);
      return found.checks;
    }),
    bounded(host, "migrating role", async () => await checkMigratingRole(access)),
  ]);
  const checks = [...database, ...migrating];
  if (!isReadable || sealSecret === undefined || migrating.some(({ status }) => status === "fault")) return checks;
  const now = host.clock.now();
  const data = await bounded(
    host,
    "stored data",
    async () => await checkStoredData({ access, sealSecret, isFederated, hasOwnAuthority, now }),
  );
  return [...checks, ...data];
}

/** Whether the role that migrates is let in. */
async function checkMigratingRole({ migrateAs, ...access }: DatabaseAccess): Promise<readonly Check[]> {
  if (migrateAs === undefined) return [];
  const { probePostgres } = await import("@mosaicstack/storage");
  const { password: _runtime, ...place } = access;
  try {
    await probePostgres({ ...place, ...migrateAs, connectTimeoutMs: LIMIT_MS });
    return [ok("migrating role", "it is let in")];
  } catch (error) {
    return [faulty("migrating role", error)];
  }
}
