import { Problem } from "@mosaicstack/foundation";
import { problem } from "./problems.ts";

/** Where a database is, for messages. No user, no password. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
}

/** A rule of the schema that a write would have broken. */
export interface ConstraintViolation {
  readonly kind: "unique" | "foreign_key" | "check" | "not_null";
  /** The constraint's or unique index's name; the column's where `kind` is `not_null`. */
  readonly name: string;
}

/** 23001 is PostgreSQL 18's word for what `on delete restrict` refuses; before, it was 23503. */
const CONSTRAINT_KINDS: Readonly<Record<string, ConstraintViolation["kind"]>> = {
  "23001": "foreign_key",
  "23502": "not_null",
  "23503": "foreign_key",
  "23505": "unique",
  "23514": "check",
};

/**
 * Whether a failed write broke a rule of the schema, the same on both engines and through drizzle's own wrapping.
 * Answer from this: drizzle's message holds the statement's parameters.
 */
export function constraintViolation(error: unknown): ConstraintViolation | undefined {
  for (const cause of causes(error)) {
    const { code, constraint, column } = cause as { code?: unknown; constraint?: unknown; column?: unknown };
    const kind = typeof code === "string" ? CONSTRAINT_KINDS[code] : undefined;
    if (kind === undefined) continue;
    const name = kind === "not_null" ? column : constraint;
    return { kind, name: typeof name === "string" ? name : "" };
  }
  return undefined;
}

/** The problem a store's own call failed with, through drizzle's wrapping; undefined for a fault of the statement. */
export function databaseProblem(error: unknown): Problem | undefined {
  for (const cause of causes(error)) if (cause instanceof Problem) return cause;
  return undefined;
}

/**
 * PostgreSQL's class 08 and 57P, a transaction that idled or ran too long (25P03, 25P04), and what Node says of a socket.
 * After one of these the connection is no good.
 */
export function isConnectionFault(error: unknown): boolean {
  return causes(error).some((cause) => {
    const code = codeOf(cause);
    if (code !== undefined && SQLSTATE.test(code)) return /^(08|57P|25P0[34])/.test(code);
    if (code !== undefined && /^(E[A-Z]+|ERR_SSL_|ERR_TLS_)/.test(code)) return true;
    return /^(Connection terminated|Client has encountered|Client was closed|Query read timeout)/.test(cause.message);
  });
}

/** A statement that ran too long or waited too long for a lock, or a transaction that idled: ended by the server. */
export function isTimeout(error: unknown): boolean {
  return ["57014", "55P03", "25P03", "25P04"].includes(sqlState(error) ?? "");
}

/** That the server's disk is full (53100), as a problem; undefined where it's something else. */
export function fullProblem(error: unknown, { host, port }: DatabaseAddress): Problem | undefined {
  if (sqlState(error) !== "53100") return undefined;
  return problem("database_full", {
    detail: `The disk of PostgreSQL at ${host}:${port} is full.`,
    extensions: { service: "postgresql", host, port, cause: "disk full" },
    cause: error,
  });
}

/** The five characters PostgreSQL names a fault by; undefined where the error isn't the server's. */
export function sqlState(error: unknown): string | undefined {
  return causes(error)
    .map(codeOf)
    .find((code) => code !== undefined && SQLSTATE.test(code));
}

/** What pg says of a server it can't use, as a problem that names no secret. */
export function connectionProblem(
  error: unknown,
  address: DatabaseAddress,
  role: "runtime" | "owner" = "runtime",
): Problem {
  const code = causes(error)
    .map(codeOf)
    .find((found) => found !== undefined);
  const messages = causes(error).map((cause) => cause.message);
  if (messages.includes("timeout exceeded when trying to connect")) return problem("database_busy", { cause: error });
  const told = toldByMessage(messages) ?? CONNECTION_CAUSES[code ?? ""];
  const because = told?.cause ?? code ?? "connection lost";
  const remedy = role === "owner" && told?.remedy === CREDENTIALS ? OWNER_CREDENTIALS : told?.remedy;
  return problem("database_unreachable", {
    detail: `PostgreSQL at ${address.host}:${address.port} can't be reached: ${because}.`,
    ...(remedy === undefined ? {} : { remedy }),
    extensions: { service: "postgresql", host: address.host, port: address.port, cause: because },
    cause: error,
  });
}

/** Where the code says less than the message, or there's none. */
function toldByMessage(messages: readonly string[]): ConnectionCause | undefined {
  if (messages.some((message) => /timeout/i.test(message))) return { cause: "timed out", remedy: RUNS };
  if (messages.some((message) => message.includes("does not support SSL"))) {
    return {
      cause: "the server doesn't offer TLS",
      remedy: "Turn ssl on in the server's configuration, or set database.tls to off.",
    };
  }
  // PostgreSQL 14 and newer, older ones, and what poolers and hosters put before it.
  if (messages.some((message) => /no encryption|SSL off|(SSL|TLS)[^.]* required|sslmode=require/.test(message))) {
    return { cause: "the server doesn't let this user in without TLS", remedy: "Set database.tls to verify." };
  }
  return undefined;
}

interface ConnectionCause {
  readonly cause: string;
  readonly remedy: string;
}

/** Each has a digit, which sets them apart from EPIPE and the like. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
const RUNS = "Check that PostgreSQL runs there and takes connections from this machine.";
const TRUST = "Set database.caFile to the certificate of the authority that signed it.";
const VALIDITY = "Renew the server's certificate, and check the clocks of both machines.";
const CREDENTIALS = "Check the user and password in the configuration, and pg_hba.conf on the server.";
const OWNER_CREDENTIALS =
  "Check database.migrationUser and POSTGRES_MIGRATION_PASSWORD, and pg_hba.conf on the server.";

const CONNECTION_CAUSES: Readonly<Record<string, ConnectionCause>> = {
  ECONNREFUSED: { cause: "connection refused", remedy: RUNS },
  ECONNRESET: { cause: "connection reset", remedy: RUNS },
  EHOSTUNREACH: { cause: "no route to the host", remedy: RUNS },
  ETIMEDOUT: { cause: "timed out", remedy: RUNS },
  ENOENT: { cause: "no such socket", remedy: RUNS },
  ENOTFOUND: { cause: "unknown host name", remedy: "Check the host in the configuration." },
  EAI_AGAIN: { cause: "the host name can't be looked up", remedy: "Check the host in the configuration, and DNS." },
  DEPTH_ZERO_SELF_SIGNED_CERT: { cause: "its certificate is self-signed", remedy: TRUST },
  SELF_SIGNED_CERT_IN_CHAIN: { cause: "its certificate's authority isn't trusted", remedy: TRUST },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { cause: "its certificate's authority isn't trusted", remedy: TRUST },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { cause: "its certificate's authority isn't trusted", remedy: TRUST },
  UNABLE_TO_GET_ISSUER_CERT: { cause: "its certificate's authority isn't trusted", remedy: TRUST },
  CERT_SIGNATURE_FAILURE: { cause: "its certificate's authority isn't trusted", remedy: TRUST },
  INVALID_PURPOSE: {
    cause: "its certificate isn't one for a server",
    remedy: "Give the server a server's certificate.",
  },
  CERT_HAS_EXPIRED: { cause: "its certificate has expired", remedy: VALIDITY },
  CERT_NOT_YET_VALID: { cause: "its certificate isn't valid yet", remedy: VALIDITY },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    cause: "its certificate is for another host name",
    remedy: "Use the name in the certificate as the host.",
  },
  "28P01": { cause: "wrong user or password", remedy: CREDENTIALS },
  "28000": { cause: "the server doesn't let this user in", remedy: CREDENTIALS },
  "3D000": { cause: "no such database", remedy: "Create the database, or correct its name in the configuration." },
  "42501": {
    cause: "this user may not connect to that database",
    remedy: "Grant CONNECT on the database to the user.",
  },
  "53300": {
    cause: "too many connections",
    remedy: "Raise max_connections on the server, or lower database.poolSize.",
  },
  "57P01": { cause: "the server ended the connection", remedy: "Wait until it has restarted; its log says why." },
  "57P02": { cause: "the server crashed", remedy: "Wait until it has restarted; its log says why." },
  "57P03": { cause: "the server is starting or stopping", remedy: "Wait until it's ready." },
};

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let cause = error; cause instanceof Error && !found.includes(cause); cause = cause.cause) {
    found.push(cause);
    // Node tries each address of a host name and reports all failures together.
    if (cause instanceof AggregateError)
      for (const one of cause.errors as unknown[]) if (one instanceof Error) found.push(one);
  }
  return found;
}
