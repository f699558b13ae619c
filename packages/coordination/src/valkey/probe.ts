import { Problem } from "@mosaicstack/foundation";
import { Redis } from "ioredis";
import { problem } from "../problems.ts";
import type { ValkeyAddress } from "./address.ts";
import { type ConnectionOptions, redisOptions } from "./connections.ts";
import { explainValkeyError, unreachable } from "./failure.ts";
import { speaksOtherTransport } from "./other-transport.ts";

/** What a Valkey that answers is like. */
export interface ValkeyFindings {
  /** One command, there and back. */
  readonly latencyMs: number;
  readonly product: "valkey" | "redis";
  /** The product's own version, e.g. `8.1.3`. */
  readonly version: string;
  /** BullMQ needs `noeviction`: under any other, a full Valkey forgets jobs. */
  readonly evictionPolicy: string;
  readonly tls: boolean;
}

/** Of the time the probe has, what is kept for finding out why nothing was heard. */
const SECOND_LOOK_MS = 500;

/** BullMQ's floor for Redis; every Valkey answers as Redis 7.2. */
const OLDEST_REDIS: readonly [major: number, minor: number] = [6, 2];

/** What `probeValkey` does, once ioredis is loaded. */
export async function askValkey(address: ValkeyAddress, timeoutMs: number): Promise<ValkeyFindings> {
  const once: ConnectionOptions = {
    ...redisOptions(address),
    connectionName: "mosaic-probe",
    connectTimeout: timeoutMs,
    enableReadyCheck: false,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  };
  const connection = new Redis(once);
  let fault: Error | undefined;
  // A refused SELECT is told here alone: ioredis goes on, with the wrong database.
  connection.on("error", (error: Error) => (fault ??= error));
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, refuse) => {
    const limitMs = Math.max(timeoutMs - SECOND_LOOK_MS, timeoutMs / 2);
    timer = setTimeout(() => refuse(new Error(`timed out after ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([ask(connection, address, () => fault), tooLate]);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw await diagnose(address, fault ?? error, Math.min(SECOND_LOOK_MS, timeoutMs / 2));
  } finally {
    clearTimeout(timer);
    connection.disconnect();
  }
}

async function ask(connection: Redis, address: ValkeyAddress, fault: () => Error | undefined): Promise<ValkeyFindings> {
  await connection.connect();
  const facts = readInfo(await connection.info());
  const startedAt = performance.now();
  await connection.ping();
  const latencyMs = performance.now() - startedAt;
  const refused = fault();
  if (refused !== undefined) throw refused;

  if (facts.get("loading") === "1") throw new Error("LOADING");
  if (facts.get("role") === "slave" && facts.get("slave_read_only") !== "0") throw new Error("READONLY");
  const answersAs = facts.get("redis_version");
  if (answersAs === undefined) throw new Error("INFO names no version");
  const product = facts.get("server_name") === "valkey" || facts.has("valkey_version") ? "valkey" : "redis";
  const version = facts.get("valkey_version") ?? answersAs;
  if (isOlder(answersAs)) throw tooOld(address, product, version);
  return {
    latencyMs,
    product,
    version,
    evictionPolicy: facts.get("maxmemory_policy") ?? "unknown",
    tls: address.tls,
  };
}

/** Looks a second time where the first told nothing: TLS met by plain text, and the reverse, just hang or hang up. */
async function diagnose(address: ValkeyAddress, error: unknown, limitMs: number): Promise<Problem> {
  const { cause } = explainValkeyError(error);
  const isMute = cause === "timed out" || cause === "connection closed";
  if (!isMute || !(await speaksOtherTransport(address, limitMs))) return unreachable(address, error);
  return unreachable(address, new Error(address.tls ? "TLS refused" : "TLS required"));
}

function tooOld({ host, port }: ValkeyAddress, product: string, version: string): Problem {
  return problem("valkey_unusable", {
    detail: `The server at ${host}:${port} is ${product} ${version}, which is too old for jobs (BullMQ).`,
    extensions: { service: "valkey", host, port, cause: "version too old" },
  });
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1]);
}

/** The lines `name:value` that INFO answers. */
function readInfo(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0 && !line.startsWith("#")) facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}
