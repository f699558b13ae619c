import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { GatewayServices } from "@mosaicstack/harness";

/** A gateway in a process of its own, started by the command as a stranger would. Whoever starts it stops it. */
export interface GatewayProcess {
  readonly people: string;
  readonly federation: string;
  readonly setupCode: string | undefined;
  /** What it wrote to its standard error so far: its log. */
  log(): string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it has drained. */
  stop(): Promise<void>;
}

const COMMAND = join(import.meta.dirname, "../../apps/cli/bin/mosaic.js");

/** Resolves when it serves. @throws Error with its log where it ends before */
export async function startGatewayProcess(options: {
  readonly services: GatewayServices;
  readonly secret: string;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<GatewayProcess> {
  const { database, valkey } = options.services;
  const folder = await mkdtemp(join(tmpdir(), "mosaic-process-"));
  const child = spawn(process.execPath, [COMMAND, "start", "--json", "--until-input-ends"], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      TMPDIR: tmpdir(),
      MOSAIC_TIER: "federated",
      MOSAIC_HTTP_PORT: "0",
      MOSAIC_FEDERATION_PORT: "0",
      MOSAIC_DATABASE_HOST: database.host,
      MOSAIC_DATABASE_PORT: String(database.port),
      MOSAIC_DATABASE_NAME: database.name,
      MOSAIC_DATABASE_USER: database.user,
      POSTGRES_PASSWORD: database.password,
      VALKEY_URL: `redis://${valkey.host}:${valkey.port}/${valkey.database}`,
      VALKEY_PASSWORD: valkey.password,
      BETTER_AUTH_SECRET: options.secret,
      ...options.environment,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const ended = (async () => {
    const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    await rm(folder, { recursive: true, force: true });
    return `it ended with ${status ?? signal}`;
  })();
  const ready = await new Promise<Record<"people" | "federation" | "setup_code", string>>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => {
      resolve((JSON.parse(line) as { ready: Record<"people" | "federation" | "setup_code", string> }).ready);
    });
    ended.then((reason) => reject(new Error(`${reason}:\n${log}`)), reject);
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    people: ready.people,
    federation: ready.federation,
    setupCode: ready.setup_code,
    log: () => log,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}
