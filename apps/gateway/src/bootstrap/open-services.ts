import { join } from "node:path";
import { type Config, databaseAccess, type GivenSecrets, queueAccess } from "@mosaicstack/config";
import { connectValkey, type Coordination, createInProcessCoordination } from "@mosaicstack/coordination";
import type { Clock } from "@mosaicstack/foundation";
import { openPglite, openPostgres, type Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";

/** The database of a tier, migrated. @throws Problem of the engine */
export async function openStore(config: Config, secrets: GivenSecrets): Promise<Store> {
  if ("dataDirectory" in config) {
    return await openPglite({
      dataDirectory: join(config.dataDirectory, "database"),
      vector: config.tier === "federated",
    });
  }
  return await openPostgres({
    ...(await databaseAccess(config.database, secrets)),
    vector: config.tier === "federated",
  });
}

/** What the replicas of this gateway share: through Valkey where the tier has it, within this process elsewhere. */
export async function openCoordination(dependencies: {
  readonly config: Config;
  readonly secrets: GivenSecrets;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}): Promise<Coordination> {
  const { config, secrets, clock, log } = dependencies;
  const onFault = (name: string, error: unknown): void => log.error({ err: error }, `${name} failed`);
  if (config.tier !== "federated" || config.embedded) return createInProcessCoordination({ onFault });
  return await connectValkey({
    address: queueAccess(config.queue, secrets),
    clock,
    onFault,
    onState(state) {
      if (state.status === "ok") log.info("Valkey is back");
      else log.warn({ cause: state.cause }, "Valkey is lost: jobs wait, other replicas hear of changes later");
    },
  });
}
