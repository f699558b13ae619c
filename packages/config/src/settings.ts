import { isIP } from "node:net";
import { z } from "zod";

/** The largest PostgreSQL or TCP port. */
const LAST_PORT = 65_535;
const HOST_NAME = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?$/i;

/** Whether a text is a host name or an IP address (IPv6 without brackets). */
export function isHost(text: string): boolean {
  return isIP(text) > 0 || (text.length <= 253 && HOST_NAME.test(text));
}

/** Whether a text is `scheme://host[:port]` and nothing more: no path, no query, no user. */
function isOrigin(text: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(text) || text.includes("?") || text.includes("#")) return false;
  const url = new URL(text);
  return schemes.includes(url.protocol) && url.username === "" && url.password === "" && url.pathname === "/";
}

// Each kind has one sentence for all that can be wrong with it. zod's own would be as true, and never as plain.
const wholeNumber = (least: number, most: number, description: string) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error }).describe(description);
};

const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values, description: string) =>
  z.enum(values, { error: `must be one of ${values.map((value) => `"${value}"`).join(", ")}` }).describe(description);

const text = (error: string, description: string) => z.string({ error }).min(1, { error }).describe(description);

const host = (description: string) => {
  const error = "must be a host name or an IP address (IPv6 without brackets)";
  return z.string({ error }).refine(isHost, { error }).describe(description);
};

const origin = (schemes: readonly string[], description: string) => {
  const error = `must be an address without a path, such as ${schemes.at(-1)}//mosaic.example:8443`;
  return z
    .string({ error })
    .refine((value) => isOrigin(value, schemes), { error, abort: true })
    .overwrite((value) => new URL(value).origin)
    .describe(description);
};

/** Settings that name a file or folder. A relative one starts where it was written: beside the file, or in the working directory. */
export const PATH_SETTINGS: ReadonlySet<string> = new Set([
  "dataDirectory",
  "certificateAuthority.rootFile",
  "database.caFile",
  "http.tls.certificateFile",
  "http.tls.keyFile",
]);

export const tier = oneOf(
  ["local", "standalone", "federated", "team"],
  "Where data lives: local (embedded, one folder), standalone (PostgreSQL), federated (PostgreSQL with pgvector and Valkey, and other gateways). `team` is a deprecated name of standalone.",
);

export const embedded = z
  .boolean({ error: "must be true or false" })
  .describe("Tier federated in this one process and one folder: no PostgreSQL, no Valkey.");

export const dataDirectory = text(
  "must be the path of a folder",
  "The folder that holds everything an embedded gateway keeps.",
);

const certificateFile = text("must be the path of a PEM file", "The certificate and its chain, PEM.");
const keyFile = text("must be the path of a PEM file", "The certificate's private key, PEM.");
const tlsMode = oneOf(
  ["off", "auto"],
  "HTTPS for people and agents: off, auto (a certificate of this gateway's own authority; tier federated only), or an object with certificateFile and keyFile.",
);

export const http = z.strictObject({
  host: host("The address people and agents connect to; 0.0.0.0 is every IPv4 address of the machine.").default(
    "127.0.0.1",
  ),
  port: wholeNumber(0, LAST_PORT, "The port for dashboard, REST and MCP; 0 takes any free one.").default(14_242),
  publicUrl: origin(
    ["http:", "https:"],
    "The address people open, where it differs from host and port: behind a proxy, or by name.",
  ).exactOptional(),
  tls: z
    .union([tlsMode, z.strictObject({ certificateFile, keyFile })])
    .describe(tlsMode.description ?? "")
    .default("off"),
  maxBodyBytes: wholeNumber(1024, 67_108_864, "The largest request body accepted, in bytes.").default(1_048_576),
});

export const log = z.strictObject({
  level: oneOf(
    ["silent", "fatal", "error", "warn", "info", "debug", "trace"],
    "The least important lines still written.",
  ).default("info"),
  format: oneOf(["json", "pretty"], "One JSON object a line, or lines for people.").default("json"),
});

const databaseHostError = "must be a host name, an IP address, or the absolute path of a socket's folder";

/** What a gateway gets. A database URL is taken apart into these. */
export const database = z.strictObject({
  host: z
    .string({ error: databaseHostError })
    .refine((value) => value.startsWith("/") || isHost(value), { error: databaseHostError })
    .describe("Where PostgreSQL is: a host name, an IP address, or the absolute path of a socket's folder."),
  port: wholeNumber(1, LAST_PORT, "PostgreSQL's port.").default(5432),
  name: text("must be the name of a database", "The database's name.").default("mosaic"),
  user: text("must be the name of a database role", "The role to connect as.").default("mosaic"),
  tls: oneOf(
    ["off", "require", "verify"],
    "Encryption to PostgreSQL: off, require (encrypted, certificate not checked), verify (certificate and name checked).",
  ).default("off"),
  caFile: text(
    "must be the path of a PEM file",
    "The authority that signed PostgreSQL's certificate, PEM. Otherwise those Node trusts.",
  ).exactOptional(),
  poolSize: wholeNumber(1, 500, "The most connections this process holds open.").default(10),
  migrationUser: text(
    "must be the name of a database role",
    "The role that owns the tables and changes them on an upgrade, so that user needs no right to. Otherwise user does.",
  ).exactOptional(),
});

export const databaseUrl = text(
  "must be a postgresql:// URL",
  "PostgreSQL in one line, instead of host, port, name and user. In the file without a password.",
);

export const queueUrl = text("must be a redis:// or rediss:// URL", "Where Valkey is. In the file without a password.");

export const queueKind = oneOf(
  ["bullmq", "in-process"],
  "What runs jobs: bullmq (on Valkey), or in-process where the gateway is embedded.",
);

export const certificateAuthority = z.strictObject({
  url: origin(
    ["https:"],
    "The step-ca that signs certificates, set up as in deploy/step-ca. Otherwise the gateway signs them itself.",
  ).exactOptional(),
  rootFile: text("must be the path of a PEM file", "The root certificate of that step-ca, PEM.").exactOptional(),
});

export const federation = z.strictObject({
  host: host("The address peers connect to.").default("127.0.0.1"),
  port: wholeNumber(0, LAST_PORT, "The port for peers, mutual TLS; 0 takes any free one.").default(14_443),
  publicUrl: origin(
    ["https:"],
    "The address peers dial, where it differs from host and port. A proxy in between must pass TCP through.",
  ).exactOptional(),
  certificateLifetimeDays: wholeNumber(1, 90, "How long a peer's certificate lives; it renews itself before.").default(
    7,
  ),
  inviteLifetimeMinutes: wholeNumber(1, 15, "How long an invite may be redeemed.").default(15),
  deadlineMs: wholeNumber(100, 60_000, "How long a blended query waits for its peers, in milliseconds.").default(2000),
  maxRowsPerQuery: wholeNumber(1, 1000, "The most rows in one answer to a peer, whatever its grant says.").default(200),
});
