import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Running, startProcess } from "./child-process.ts";

const ROOT = join(import.meta.dirname, "..");
const BUNDLE = join(ROOT, "dist/mosaic/app");
const TSX = import.meta.resolve("tsx");

/** The bundle where `npm run build` has made one, else the sources. */
const isBuilt = existsSync(join(BUNDLE, "mosaic.js")) && existsSync(join(BUNDLE, "migrations"));

/** How gateways are started here, for the report. */
export const launchedFrom = isBuilt
  ? "the bundle (dist/mosaic), as npm run build left it"
  : "the sources, through tsx: npm run build makes the bundle";

/** A gateway to be started any number of times: its folder, its configuration and its database. */
export interface GatewayHome {
  readonly folder: string;
  readonly url: string;
  /** Its configuration says PGlite; with this its rows are on PostgreSQL. */
  readonly databaseUrl?: string;
}

export type HomeTier = "local" | "federated";

/** Writes a configuration with free ports into a new folder; the rest of it is what a user gets without saying anything. */
export async function makeHome(folder: string, tier: HomeTier, databaseUrl?: string): Promise<GatewayHome> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const federated = tier === "federated" ? { embedded: true, federation: { port: await freePort() } } : {};
  const config = { tier, dataDirectory: join(folder, "data"), http: { port }, ...federated };
  writeFileSync(join(folder, "mosaic.config.json"), JSON.stringify(config, null, 2));
  return { folder, url: `http://127.0.0.1:${port}`, ...(databaseUrl === undefined ? {} : { databaseUrl }) };
}

/** Starts it in a process of its own and waits until it serves. */
export async function startGateway({ folder, databaseUrl }: GatewayHome): Promise<Running> {
  const embedded = [isBuilt ? join(BUNDLE, "mosaic.js") : join(ROOT, "apps/cli/bin/mosaic.js"), "start"];
  const onPostgres = (url: string) => ["--import", TSX, join(import.meta.dirname, "gateway-process.ts"), url];
  return await startProcess(databaseUrl === undefined ? embedded : onPostgres(databaseUrl), {
    directory: folder,
    ready: /gateway is ready[^]*\n/,
    logFile: join(folder, "log"),
    environment: { NODE_ENV: "production" },
  });
}

/** Starts a TypeScript file of this folder, and waits for its first line. */
export async function startScript(file: string, argument: string, folder: string): Promise<Running> {
  mkdirSync(folder, { recursive: true });
  return await startProcess(["--import", TSX, join(import.meta.dirname, file), argument], {
    directory: folder,
    ready: /\n/,
    logFile: join(folder, "log"),
    environment: { NODE_ENV: "production" },
  });
}

/** Free when asked; whoever takes it before the gateway does makes its start fail, which says so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
