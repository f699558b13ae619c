// An embedded federated gateway as the benchmark changes it, until SIGTERM: the composition of apps/gateway with another
// store, or without its audit. Its configuration is the mosaic.config.json of the working directory.
import { mkdir } from "node:fs/promises";
import { register } from "node:module";

/** Its first argument, as JSON. */
export interface GatewayInput {
  /** Where its rows are; absent: where its configuration says. */
  readonly databaseUrl?: string | undefined;
  /** Puts a queue in place of the audit's that takes everything and does nothing: silent-audit-queue.ts. */
  readonly withoutAudit: boolean;
}

const { databaseUrl, withoutAudit } = JSON.parse(process.argv[2] ?? "") as GatewayInput;
if (withoutAudit) register("./without-audit-hooks.mjs", import.meta.url);

// Only now, so that the hooks see what is loaded.
const { loadConfig } = await import("@mosaicstack/config");
const { systemClock } = await import("@mosaicstack/foundation");
const { composeGateway, createLog } = await import("@mosaicstack/gateway");
const { openPlace } = await import("./databases.ts");

const { config, secrets } = await loadConfig();
if ("dataDirectory" in config) await mkdir(config.dataDirectory, { recursive: true });
const gateway = await composeGateway({
  config,
  secrets,
  clock: systemClock,
  log: createLog(config.log),
  ...(databaseUrl === undefined ? {} : { openStore: () => openPlace({ engine: "postgres", url: databaseUrl }) }),
});
await gateway.start();
console.log(`setup code  ${gateway.setupCode ?? "none"}\nMosaic gateway is ready.`);
process.once("SIGTERM", () => void gateway.stop());
