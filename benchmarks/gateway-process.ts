// An embedded federated gateway whose rows are on PostgreSQL, until SIGTERM: the composition of apps/gateway with another
// store. Its configuration is the mosaic.config.json of the working directory, the database's URL its first argument.
import { mkdir } from "node:fs/promises";
import { loadConfig } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, createLog } from "@mosaicstack/gateway";
import { openPlace } from "./databases.ts";

const { config, secrets } = await loadConfig();
if ("dataDirectory" in config) await mkdir(config.dataDirectory, { recursive: true });
const gateway = await composeGateway({
  config,
  secrets,
  clock: systemClock,
  log: createLog(config.log),
  openStore: () => openPlace({ engine: "postgres", url: process.argv[2] ?? "" }),
});
await gateway.start();
console.log(`setup code  ${gateway.setupCode ?? "none"}\nMosaic gateway is ready.`);
process.once("SIGTERM", () => void gateway.stop());
