import type { Problem } from "@mosaicstack/foundation";
import { problem } from "../problems.ts";
import type { ValkeyAddress } from "./address.ts";

/** Why Valkey can't be had, in few words, and what to do. */
export interface ValkeyFailure {
  readonly cause: string;
  readonly remedy: string;
}

interface Symptom extends ValkeyFailure {
  /** Matched against the error's code and message. */
  readonly sign: RegExp;
}

const CERTIFICATE =
  /UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT|certificate (?:has expired|is not)|unable to verify/;

/** First match wins: what's more telling stands above. */
const SYMPTOMS: readonly Symptom[] = [
  {
    sign: /ECONNREFUSED/,
    cause: "connection refused",
    remedy: "Start Valkey, or correct queue.url: nothing listens there.",
  },
  {
    sign: /ENOTFOUND|EAI_AGAIN/,
    cause: "unknown host",
    remedy: "Correct queue.url, or check the name service: the name has no address.",
  },
  {
    sign: CERTIFICATE,
    cause: "certificate not trusted",
    remedy:
      "Give Valkey a certificate for this host name from an authority Node trusts, or name the authority's file in NODE_EXTRA_CA_CERTS.",
  },
  {
    sign: /WRONGPASS|invalid password/i,
    cause: "wrong password",
    remedy: "Correct the user and password of the queue (VALKEY_PASSWORD).",
  },
  {
    sign: /NOAUTH|Authentication required/i,
    cause: "password required",
    remedy: "Give the password of the queue (VALKEY_PASSWORD).",
  },
  {
    sign: /NOPERM/,
    cause: "not permitted",
    remedy:
      "Allow the user what BullMQ and publish/subscribe need: +@all -@admin -@dangerous +info ~{mosaic* &{mosaic*",
  },
  {
    sign: /DENIED|protected mode/i,
    cause: "protected mode",
    remedy: "Set a password on Valkey (requirepass): without one it answers its own machine only.",
  },
  {
    sign: /READONLY/,
    cause: "read-only replica",
    remedy: "Point queue.url at the primary: this server is a replica and can't be written to.",
  },
  {
    sign: /LOADING/,
    cause: "loading its data",
    remedy: "Wait: Valkey reads its data from the disk and answers when it's done.",
  },
  {
    sign: /OOM /,
    cause: "out of memory",
    remedy: "Raise Valkey's maxmemory, or remove what else is kept in it.",
  },
  {
    sign: /MISCONF/,
    cause: "can't save to its disk",
    remedy: "Free or repair the disk Valkey saves to: it takes no writes until it can.",
  },
  {
    sign: /max number of clients/,
    cause: "too many connections",
    remedy: "Raise Valkey's maxclients, or close what else is connected.",
  },
  {
    sign: /DB index is out of range|SELECT is not allowed/,
    cause: "no such database",
    remedy: "Choose a database number that Valkey has (its `databases` setting; a cluster has 0 only).",
  },
  {
    sign: /TLS refused|ERR_SSL|EPROTO|SSL routines|TLS connection was established/,
    cause: "TLS refused",
    remedy: "Begin queue.url with redis://, or name the port that takes TLS: it doesn't take TLS at this one.",
  },
  {
    // 21 opens a TLS alert, which is what a TLS server answers to plain text.
    sign: /TLS required|Unknown RESP type 21\b/,
    cause: "TLS required",
    remedy: "Begin queue.url with rediss://, or name a port that takes plain text.",
  },
  {
    sign: /Unknown RESP type|Protocol error|INFO names no version/,
    cause: "not a Valkey or Redis server",
    remedy: "Correct queue.url: what listens there speaks another protocol.",
  },
  {
    sign: /ETIMEDOUT|timed out|Socket timeout/i,
    cause: "timed out",
    remedy: "Check that Valkey answers (valkey-cli ping), and that no firewall drops packets between here and it.",
  },
  {
    sign: /EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN/,
    cause: "no route to the host",
    remedy: "Check the network between here and Valkey, and queue.url.",
  },
  {
    sign: /ECONNRESET|EPIPE|Connection is closed|Connection is unstable|connection closed|Stream isn't writeable/i,
    cause: "connection closed",
    remedy: "See Valkey's log for why it closed the connection; a server with TLS, or another protocol, does so too.",
  },
];

const UNKNOWN: ValkeyFailure = {
  cause: "unexpected answer",
  remedy: "See the log for what Valkey answered, and Valkey's own log.",
};

/** Tells apart why Valkey can't be had. */
export function explainValkeyError(error: unknown): ValkeyFailure {
  const text = textOf(error);
  return SYMPTOMS.find(({ sign }) => sign.test(text)) ?? UNKNOWN;
}

/**
 * An error that may be logged: its name, message and code. ioredis hangs the failed command on its errors, and that of
 * a refused login carries user and password.
 */
export function plainError(
  error: unknown,
  { username, password }: Pick<ValkeyAddress, "username" | "password">,
): Error {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const secrets = [password, username].filter((secret) => secret !== undefined && secret !== "");
  const hide = (text: string): string =>
    secrets.reduce<string>((rest, secret) => rest.replaceAll(String(secret), "[redacted]"), text);
  const code = codeOf(error);
  const plain = new Error(hide(message === "" && code !== undefined ? code : message));
  plain.name = name;
  return code === undefined ? plain : Object.assign(plain, { code });
}

/** The problem `valkey_unreachable`, with what the operator needs and nothing secret. */
export function unreachable(address: ValkeyAddress, error: unknown): Problem {
  const { host, port } = address;
  const { cause, remedy } = explainValkeyError(error);
  return problem("valkey_unreachable", {
    detail: `Valkey at ${host}:${port} can't be reached: ${cause}.`,
    remedy,
    extensions: { service: "valkey", host, port, cause },
    cause: plainError(error, address),
  });
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function textOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return `${codeOf(error) ?? ""} ${name} ${message}`;
}
