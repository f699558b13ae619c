import { readTextInput } from "./files.ts";
import type { Host } from "./host.ts";
import { cliProblem } from "./problems.ts";
import { type Profile, readProfiles } from "./profiles.ts";

/** Where a gateway listens for people when nothing says otherwise. */
export const DEFAULT_URL = "http://127.0.0.1:14242";

/** Which gateway to talk to, and as whom. */
export interface GatewayTarget {
  /** An origin, without a path. */
  readonly url: string;
  readonly apiKey: string | undefined;
  /** A CA certificate to trust besides the usual ones, PEM. */
  readonly ca: string | undefined;
  readonly profile: Profile | undefined;
  /** Where the address was said, for messages. */
  readonly from: string;
}

/** What was said on the command line. */
export interface TargetOptions {
  readonly url?: string | undefined;
  readonly profile?: string | undefined;
  readonly caFile?: string | undefined;
}

/**
 * Reads a gateway's address. Plain http is for this machine alone: an API key travels with every request.
 * @throws Problem `url_invalid`, `plain_http_refused`
 */
export function readGatewayUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw cliProblem("url_invalid", { detail: "The gateway's address must start with https:// or http://." });
  }
  if (url.username !== "" || url.password !== "") {
    throw cliProblem("url_invalid", { detail: "The gateway's address has a user name or password in it." });
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw cliProblem("plain_http_refused", {
      detail: `An API key would cross the network to ${url.hostname} unencrypted.`,
    });
  }
  return url.origin;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/u.test(hostname);
}

/**
 * Chooses the gateway: flag, then environment, then profile, then this machine's own. A profile's key goes to the
 * profile's own gateway and to no other, whatever address is given.
 */
export async function resolveTarget(host: Host, options: TargetOptions): Promise<GatewayTarget> {
  const { environment } = host;
  const { current, profiles, exposed } = await readProfiles(environment.configDirectory);
  if (exposed) {
    host.stderr.write(`warning: other users can read ${environment.configDirectory}/profiles.json: chmod 600 it.\n`);
  }
  const named = options.profile ?? environment.profile;
  const said = options.url ?? environment.url;
  const saidUrl = said === undefined ? undefined : readGatewayUrl(said);
  const profile = chooseProfile(profiles, { named, current, url: saidUrl });
  const url = saidUrl ?? (profile === undefined ? DEFAULT_URL : readGatewayUrl(profile.url));

  const caFile = options.caFile ?? environment.caFile ?? profile?.caFile;
  return {
    url,
    apiKey: await chooseKey(host, options, profile),
    ca: caFile === undefined ? undefined : await readTextInput(host, caFile),
    profile,
    from: describeOrigin(options, environment.url, profile),
  };
}

function chooseProfile(
  profiles: readonly Profile[],
  { named, current, url }: { named: string | undefined; current: string | undefined; url: string | undefined },
): Profile | undefined {
  if (named !== undefined) {
    const profile = profiles.find(({ name }) => name === named);
    if (profile === undefined) throw cliProblem("profile_unknown", { detail: `There is no profile "${named}".` });
    // Another address than the profile's own: its key stays at home.
    return url === undefined || url === profile.url ? profile : undefined;
  }
  if (url === undefined) return profiles.find(({ name }) => name === current);
  const matching = profiles.filter((profile) => profile.url === url);
  return matching.find(({ name }) => name === current) ?? matching[0];
}

/** A flag wins over a variable: a key of the environment is not sent to the gateway of a profile that was asked for. */
async function chooseKey(
  host: Host,
  options: TargetOptions,
  profile: Profile | undefined,
): Promise<string | undefined> {
  if (options.profile !== undefined && profile !== undefined) return profile.apiKey;
  return (await environmentKey(host)) ?? profile?.apiKey;
}

async function environmentKey(host: Host): Promise<string | undefined> {
  const { apiKey, apiKeyFile } = host.environment;
  if (apiKey !== undefined || apiKeyFile === undefined) return apiKey;
  return (await readTextInput(host, apiKeyFile)).trim();
}

function describeOrigin(options: TargetOptions, variable: string | undefined, profile: Profile | undefined): string {
  if (options.url !== undefined) return "--url";
  if (variable !== undefined) return "MOSAIC_URL";
  return profile === undefined ? "the default" : `profile ${profile.name}`;
}
