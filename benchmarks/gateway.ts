import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Running, startProcess } from "./child-process.ts";
import type { GatewayInput } from "./gateway-process.ts";

const ROOT = join(import.meta.dirname, "..");
const BUNDLE = join(ROOT, "dist/mosaic/app");
const TSX = import.meta.resolve("tsx");

/** The bundle where `npm run build` has made one, else the sources. */
let isBuilt = existsSync(join(BUNDLE, "mosaic.js")) && existsSync(join(BUNDLE, "migrations"));

/** From now on gateways are started from the sources: a bundle may be older than they are. */
export function startFromSources(): void {
  isBuilt = false;
}

/** How gateways are started here, for the report. */
export function launchedFrom(): string {
  return isBuilt
    ? "the bundle (dist/mosaic), as npm run build left it"
    : "the sources, through tsx: npm run build makes the bundle";
}

/** A gateway to be started any number of times: its folder, its configuration and its database. */
export interface GatewayHome {
  readonly folder: string;
  readonly url: string;
  /** Its configuration says PGlite; with this its rows are on PostgreSQL. */
  readonly databaseUrl?: string;
  /** Composed from the sources by `gateway-process.ts`, also where that is not needed for the database. */
  readonly composed?: "with audit" | "without audit";
  /** What its configuration leaves to the environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A PostgreSQL database and a Valkey, by their URLs, for a gateway of the federated tier that is not embedded. */
export interface ServiceUrls {
  readonly database: string;
  readonly valkey: string;
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

/** The same for a federated gateway as a company runs it: nothing embedded but its certificate authority. */
export async function makeServedHome(folder: string, services: ServiceUrls): Promise<GatewayHome> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const config = { tier: "federated", http: { port }, federation: { port: await freePort() } };
  writeFileSync(join(folder, "mosaic.config.json"), JSON.stringify(config, null, 2));
  const environment = {
    DATABASE_URL: services.database,
    VALKEY_URL: services.valkey,
    BETTER_AUTH_SECRET: randomBytes(32).toString("hex"),
  };
  return { folder, url: `http://127.0.0.1:${port}`, environment };
}

/** Where the same gateway would be with other ports and a copy of its files; the gateway must not be running. */
export async function copyHome(home: GatewayHome, folder: string): Promise<GatewayHome> {
  await cp(home.folder, folder, { recursive: true });
  const [port, federationPort] = [await freePort(), await freePort()];
  const file = join(folder, "mosaic.config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as { http: object; federation: object };
  const changed = {
    ...config,
    dataDirectory: join(folder, "data"),
    http: { ...config.http, port },
    federation: { ...config.federation, port: federationPort },
  };
  writeFileSync(file, JSON.stringify(changed, null, 2));
  return { ...home, folder, url: `http://127.0.0.1:${port}` };
}

/** Where a home's gateway answers peers, as its configuration has it. */
export function peerUrlOf({ folder }: GatewayHome): string {
  const config = JSON.parse(readFileSync(join(folder, "mosaic.config.json"), "utf8")) as {
    federation: { port: number };
  };
  return `https://127.0.0.1:${config.federation.port}`;
}

/** Starts it in a process of its own and waits until it serves. */
export async function startGateway({ folder, databaseUrl, composed, environment }: GatewayHome): Promise<Running> {
  const command = [isBuilt ? join(BUNDLE, "mosaic.js") : join(ROOT, "apps/cli/bin/mosaic.js"), "start"];
  const input: GatewayInput = { databaseUrl, withoutAudit: composed === "without audit" };
  const script = join(import.meta.dirname, "gateway-process.ts");
  const isComposed = databaseUrl !== undefined || composed !== undefined;
  return await startProcess(isComposed ? ["--import", TSX, script, JSON.stringify(input)] : command, {
    directory: folder,
    ready: /gateway is ready[^]*\n/,
    logFile: join(folder, "log"),
    environment: { NODE_ENV: "production", ...environment },
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
