import type { BullmqQueueConfig, DatabaseConfig } from "./config.ts";
import { isHost } from "./settings.ts";

/** A URL taken apart, its password kept aside. A message never quotes the URL: a part of it may be a password. */
export type UrlReading<Parts> =
  | { readonly kind: "parts"; readonly parts: Parts; readonly password?: string }
  | { readonly kind: "fault"; readonly message: string };

type DatabaseParts = Pick<DatabaseConfig, "host" | "port"> & Partial<Pick<DatabaseConfig, "name" | "user" | "tls">>;

const ESCAPE = "percent-encode special characters in the password, e.g. # as %23, / as %2F, ? as %3F, @ as %40";

/** libpq's names; `allow` and `prefer` fall back to no encryption without a word, so they have no counterpart. */
const SSL_MODES: ReadonlyMap<string, DatabaseConfig["tls"]> = new Map([
  ["disable", "off"],
  ["require", "require"],
  ["verify-ca", "verify"],
  ["verify-full", "verify"],
]);

function fault(message: string): { readonly kind: "fault"; readonly message: string } {
  return { kind: "fault", message };
}

interface Taken {
  readonly protocol: string;
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly password: string;
  /** Without its leading slash. */
  readonly path: string;
  readonly query: URLSearchParams;
}

function takeApart(text: string, protocols: readonly string[]): Taken | { kind: "fault"; message: string } {
  const shape = `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`;
  if (!URL.canParse(text)) return fault(`${shape}; ${ESCAPE}`);
  const url = new URL(text);
  if (!protocols.includes(url.protocol)) return fault(shape);
  // An unescaped #, / or ? ends the authority early: what follows is the rest of a password, taken for something public.
  if (
    text.includes("#") ||
    url.pathname.includes("@") ||
    url.search.includes("@") ||
    url.pathname.lastIndexOf("/") > 0
  ) {
    return fault(`has more in it than a URL of this kind; ${ESCAPE}`);
  }
  try {
    return {
      protocol: url.protocol,
      host: decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, "$1")),
      port: url.port,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      path: decodeURIComponent(url.pathname.slice(1)),
      query: url.searchParams,
    };
  } catch {
    return fault(`has a % that starts no escape; ${ESCAPE}`);
  }
}

/** Takes a `postgresql://user:password@host:port/name?sslmode=…` apart. A socket's folder is `?host=/path`. */
export function readDatabaseUrl(text: string): UrlReading<DatabaseParts> {
  const taken = takeApart(text, ["postgresql:", "postgres:"]);
  if ("kind" in taken) return taken;
  if ([...taken.query.keys()].some((name) => name !== "sslmode" && name !== "host")) {
    return fault("has a parameter that is not known here; sslmode and host are");
  }
  const mode = taken.query.get("sslmode");
  const tls = mode === null ? undefined : SSL_MODES.get(mode);
  if (mode !== null && tls === undefined) return fault(`has an sslmode other than ${[...SSL_MODES.keys()].join(", ")}`);
  const host = taken.query.get("host") ?? taken.host;
  if (!host.startsWith("/") && !isHost(host)) return fault("names no host");
  const parts: DatabaseParts = {
    host,
    port: taken.port === "" ? 5432 : Number(taken.port),
    ...(taken.path === "" ? {} : { name: taken.path }),
    ...(taken.user === "" ? {} : { user: taken.user }),
    ...(tls === undefined ? {} : { tls }),
  };
  return { kind: "parts", parts, ...(taken.password === "" ? {} : { password: taken.password }) };
}

/** Takes a `redis[s]://user:password@host:port/database` apart; `valkey[s]://` is the same. */
export function readQueueUrl(text: string): UrlReading<BullmqQueueConfig> {
  const taken = takeApart(text, ["redis:", "rediss:", "valkey:", "valkeys:"]);
  if ("kind" in taken) return taken;
  if (!isHost(taken.host)) return fault("names no host");
  if (taken.query.size > 0) return fault("has parameters, and none is known here");
  if (!/^\d{0,4}$/.test(taken.path)) return fault("has a path that is not the number of a database");
  const parts: BullmqQueueConfig = {
    kind: "bullmq",
    host: taken.host,
    port: taken.port === "" ? 6379 : Number(taken.port),
    database: Number(taken.path),
    ...(taken.user === "" ? {} : { username: taken.user }),
    tls: taken.protocol === "rediss:" || taken.protocol === "valkeys:",
  };
  return { kind: "parts", parts, ...(taken.password === "" ? {} : { password: taken.password }) };
}

/** The URL of a queue as it may be shown: without its password. */
export function showQueueUrl(queue: BullmqQueueConfig): string {
  const user = queue.username === undefined ? "" : `${encodeURIComponent(queue.username)}@`;
  const host = queue.host.includes(":") ? `[${queue.host}]` : queue.host;
  return `${queue.tls ? "rediss" : "redis"}://${user}${host}:${queue.port}/${queue.database}`;
}
