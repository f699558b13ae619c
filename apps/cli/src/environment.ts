import { homedir } from "node:os";
import { join } from "node:path";

/** What the command takes from its environment. This file is the only one that reads it. */
export interface Environment {
  /** MOSAIC_URL: the gateway's address. */
  readonly url: string | undefined;
  /** MOSAIC_API_KEY. */
  readonly apiKey: string | undefined;
  /** MOSAIC_API_KEY_FILE: a file that holds the key. */
  readonly apiKeyFile: string | undefined;
  /** MOSAIC_PROFILE: which profile to use. */
  readonly profile: string | undefined;
  /** MOSAIC_CA_FILE: a CA certificate to trust besides the usual ones, PEM. */
  readonly caFile: string | undefined;
  /** Where `storage migrate-tier` writes to, and the password where the URL has none. */
  readonly target: TargetEnvironment;
  /** Where profiles are kept: `mosaic` in the XDG configuration folder. */
  readonly configDirectory: string;
  /** Whether colours are unwanted: NO_COLOR is set, or the terminal is dumb. */
  readonly plain: boolean;
  /** Every variable, for the configuration of a gateway. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Each as it is, or a file that holds it. */
export interface TargetEnvironment {
  /** MOSAIC_TARGET_DATABASE_URL, the password included. */
  readonly url: string | undefined;
  /** MOSAIC_TARGET_DATABASE_URL_FILE. */
  readonly urlFile: string | undefined;
  /** MOSAIC_TARGET_PASSWORD. */
  readonly password: string | undefined;
  /** MOSAIC_TARGET_PASSWORD_FILE. */
  readonly passwordFile: string | undefined;
}

/** The MOSAIC_* variables that are the command's own, and not settings of a gateway. */
export const OWN_VARIABLES: readonly string[] = [
  "MOSAIC_URL",
  "MOSAIC_API_KEY",
  "MOSAIC_API_KEY_FILE",
  "MOSAIC_PROFILE",
  "MOSAIC_CA_FILE",
  "MOSAIC_TARGET_DATABASE_URL",
  "MOSAIC_TARGET_DATABASE_URL_FILE",
  "MOSAIC_TARGET_PASSWORD",
  "MOSAIC_TARGET_PASSWORD_FILE",
];

/** Reads the environment. An empty variable is one that is not set. */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const given = (name: string): string | undefined => (variables[name] === "" ? undefined : variables[name]);
  const home = given("HOME") ?? homedir();
  // The XDG specification has a relative path ignored.
  const xdg = given("XDG_CONFIG_HOME");
  const base = xdg?.startsWith("/") === true ? xdg : (given("APPDATA") ?? join(home, ".config"));
  return {
    url: given("MOSAIC_URL"),
    apiKey: given("MOSAIC_API_KEY"),
    apiKeyFile: given("MOSAIC_API_KEY_FILE"),
    profile: given("MOSAIC_PROFILE"),
    caFile: given("MOSAIC_CA_FILE"),
    target: {
      url: given("MOSAIC_TARGET_DATABASE_URL"),
      urlFile: given("MOSAIC_TARGET_DATABASE_URL_FILE"),
      password: given("MOSAIC_TARGET_PASSWORD"),
      passwordFile: given("MOSAIC_TARGET_PASSWORD_FILE"),
    },
    configDirectory: join(base, "mosaic"),
    plain: given("NO_COLOR") !== undefined || given("TERM") === "dumb",
    variables,
  };
}
