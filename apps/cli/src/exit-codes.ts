import { Problem } from "@mosaicstack/foundation";

/** Every status the command ends with. `mosaic help exit-codes` prints this table. */
export const exitCodes = {
  ok: { status: 0, meaning: "The command did what it was asked to." },
  failure: { status: 1, meaning: "Something failed that no other status names." },
  usage: {
    status: 2,
    meaning: "The command line or a value in it is not valid, or an answer is needed and nobody can be asked.",
  },
  config: { status: 3, meaning: "The configuration, or a profile, is not valid." },
  denied: { status: 4, meaning: "Not signed in, or not allowed." },
  notFound: { status: 5, meaning: "What was named does not exist, or is not visible to you." },
  conflict: { status: 6, meaning: "It exists already, or its state does not allow this." },
  unreachable: { status: 7, meaning: "The gateway, or a gateway behind it, did not answer." },
  partial: {
    status: 8,
    meaning: "There is a result, and something is missing from it: a source failed, or some rows did.",
  },
  rateLimited: { status: 9, meaning: "Too many requests; the message says when to try again." },
  interrupted: { status: 130, meaning: "Stopped by Ctrl-C." },
} as const;

/** A name in {@link exitCodes}. */
export type ExitName = keyof typeof exitCodes;

/** Codes whose HTTP status alone would give the wrong exit status. Everything else goes by its HTTP status. */
const BY_CODE: Readonly<Record<string, ExitName>> = {
  config_invalid: "config",
  config_unreadable: "config",
  secret_missing: "config",
  secret_file_exposed: "config",
  secret_file_damaged: "config",
  secret_conflict: "config",
  profile_unknown: "config",
  profiles_damaged: "config",
  tls_unusable: "config",
  data_directory_locked: "conflict",
  gateway_untrusted: "unreachable",
  interrupted: "interrupted",
};

const BY_HTTP_STATUS: Readonly<Record<number, ExitName>> = {
  400: "usage",
  401: "denied",
  403: "denied",
  404: "notFound",
  405: "usage",
  409: "conflict",
  410: "conflict",
  412: "conflict",
  413: "usage",
  415: "usage",
  422: "usage",
  429: "rateLimited",
  502: "unreachable",
  503: "unreachable",
  504: "unreachable",
};

/** The exit status that tells a script what sort of failure this was. Anything but a Problem is a plain failure. */
export function exitNameOf(error: unknown): ExitName {
  if (!(error instanceof Problem)) return "failure";
  return BY_CODE[error.code] ?? BY_HTTP_STATUS[error.status] ?? "failure";
}
