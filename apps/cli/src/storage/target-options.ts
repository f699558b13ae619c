import type { MigrationTargetOptions } from "@mosaicstack/storage";
import { readTextInput } from "../files.ts";
import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";

/** What the command line says of the target. */
export interface TargetFlags {
  readonly targetUrl?: string;
  readonly targetCaFile?: string;
}

/** Where the target is. Holds a password: never printed. */
export type TargetAddress = Pick<MigrationTargetOptions, "host" | "port" | "name" | "user" | "tls" | "password" | "ca">;

const SHAPE =
  "Such as postgresql://mosaic@db.example:5432/mosaic, with ?sslmode=verify-full where it is not this machine.";
const ELSEWHERE =
  "Leave the password out, and give it in MOSAIC_TARGET_PASSWORD_FILE or MOSAIC_TARGET_PASSWORD; or the whole URL in " +
  "MOSAIC_TARGET_DATABASE_URL_FILE or MOSAIC_TARGET_DATABASE_URL. Change the password that was on the command line.";

/**
 * The target from `--target-url` or the environment; undefined where neither names one. No message quotes a URL: a part
 * of it may be a password.
 * @throws Problem usage_invalid, also for a password on the command line, which every user of the machine sees
 */
export async function readTarget(host: Host, flags: TargetFlags): Promise<TargetAddress | undefined> {
  const { target } = host.environment;
  const inVariable = await readSecretVariable(host, "MOSAIC_TARGET_DATABASE_URL", target.url, target.urlFile);
  const alone = await readSecretVariable(host, "MOSAIC_TARGET_PASSWORD", target.password, target.passwordFile);
  const { targetUrl } = flags;
  if (targetUrl !== undefined && inVariable !== undefined) {
    throw invalid("The target is given twice: by --target-url and by MOSAIC_TARGET_DATABASE_URL.", "Give it once.");
  }
  const url = targetUrl ?? inVariable;
  if (url === undefined) return undefined;
  const from = targetUrl === undefined ? "MOSAIC_TARGET_DATABASE_URL" : "--target-url";
  const { readDatabaseUrl } = await import("@mosaicstack/config");
  const reading = readDatabaseUrl(url);
  if (reading.kind === "fault") throw invalid(`${from} ${reading.message}.`, SHAPE);
  const { host: at, port, name, user, tls } = reading.parts;
  if (targetUrl !== undefined && reading.password !== undefined) {
    throw invalid("--target-url has a password in it, and everybody on this machine can see command lines.", ELSEWHERE);
  }
  if (name === undefined) throw invalid(`${from} names no database.`, SHAPE);
  if (user === undefined) throw invalid(`${from} names no user.`, SHAPE);
  if (alone !== undefined && reading.password !== undefined && alone !== reading.password) {
    throw invalid("MOSAIC_TARGET_PASSWORD differs from the password in MOSAIC_TARGET_DATABASE_URL.", "Give it once.");
  }
  const password = reading.password ?? alone;
  return {
    host: at,
    port,
    name,
    user,
    tls: tls ?? "off",
    ...(password === undefined ? {} : { password }),
    ...(flags.targetCaFile === undefined ? {} : { ca: await readTextInput(host, flags.targetCaFile) }),
  };
}

async function readSecretVariable(
  host: Host,
  name: string,
  value: string | undefined,
  file: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return value;
  if (value !== undefined) throw invalid(`${name} is set, and so is ${name}_FILE.`, "Unset one of the two.");
  const text = (await readTextInput(host, file)).trim();
  if (text === "") throw invalid(`${name}_FILE names an empty file.`, "Write the value into that file.");
  return text;
}

function invalid(detail: string, remedy: string): Error {
  return cliProblem("usage_invalid", { detail, remedy });
}
