import { hostname } from "node:os";
import { resolve } from "node:path";
import { readTextInput } from "./files.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { DEFAULT_URL, type GatewayTarget, readGatewayUrl } from "./gateway-target.ts";
import type { Host } from "./host.ts";
import type { Invocation } from "./invocation.ts";
import { cliProblem } from "./problems.ts";
import { isProfileName, type Profile, readProfiles, saveProfile } from "./profiles.ts";
import { readSecret } from "./secret-input.ts";

/** Who somebody is, as the gateway tells them. */
export interface Me {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
}

/** Where to sign in, and which profile will remember it. */
export interface SignInPlace {
  readonly target: Pick<GatewayTarget, "url" | "ca">;
  /** Absolute, so that it is found from everywhere. */
  readonly caFile: string | undefined;
  readonly profileName: string;
}

/** The gateway that was named, or the profile's, or this machine's; and a profile's name that is free for it. */
export async function signInPlace({ host, options }: Invocation): Promise<SignInPlace> {
  const { environment } = host;
  const { profiles } = await readProfiles(environment.configDirectory);
  const named = options.profile ?? environment.profile;
  if (named !== undefined && !isProfileName(named)) {
    throw cliProblem("usage_invalid", {
      detail: `${JSON.stringify(named)} can't be the name of a profile.`,
      remedy: "Use letters, digits, dots, hyphens and underscores, at most 63.",
    });
  }
  const known = profiles.find(({ name }) => name === named);
  const url = readGatewayUrl(options.url ?? environment.url ?? known?.url ?? DEFAULT_URL);
  const caFile = options.caFile ?? environment.caFile ?? known?.caFile;
  return {
    target: { url, ca: caFile === undefined ? undefined : await readTextInput(host, caFile) },
    caFile: caFile === undefined ? undefined : resolve(host.directory, caFile),
    profileName: named ?? profileNameFor(url, profiles),
  };
}

function profileNameFor(url: string, profiles: readonly Profile[]): string {
  const same = profiles.find((profile) => profile.url === url);
  if (same !== undefined) return same.name;
  if (profiles.length === 0) return "default";
  const { hostname: name, port } = new URL(url);
  const base = `${name}${port === "" ? "" : `-${port}`}`.replaceAll(/[^a-z0-9._-]/giu, "").replace(/^[._-]+/u, "");
  return base === "" ? "gateway" : base.slice(0, 60);
}

/** Remembers a key in a profile once the gateway has said whose it is. */
export async function rememberKey(
  host: Host,
  place: SignInPlace,
  { apiKey, apiKeyId }: { readonly apiKey: string; readonly apiKeyId?: string },
): Promise<Me> {
  const gateway = createGateway({ ...place.target, apiKey }, host.signal);
  const { body } = await gateway.call<Me>("GET", "/api/v1/me");
  await saveProfile(host.environment.configDirectory, {
    name: place.profileName,
    url: place.target.url,
    apiKey,
    ...(apiKeyId === undefined ? {} : { apiKeyId }),
    ...(place.caFile === undefined ? {} : { caFile: place.caFile }),
  });
  return body;
}

/** Signs in with a password, makes an API key for this machine, and ends the session again. */
export async function keyByPassword(
  gateway: Gateway,
  credentials: { readonly email: string; readonly password: string },
): Promise<{ readonly apiKey: string; readonly apiKeyId: string }> {
  const { headers } = await gateway.call("POST", "/api/auth/sign-in/email", { body: credentials });
  const setCookies = headers["set-cookie"];
  const cookie = (Array.isArray(setCookies) ? setCookies : []).map((each) => each.split(";", 1)[0]).join("; ");
  if (cookie === "") throw cliProblem("answer_unreadable", { detail: "Signing in gave no session." });
  // The cookie alone is what another site's page could send too: the origin shows that this is none.
  const session = { cookie, origin: gateway.url };
  const { body } = await gateway.call<{ id: string; key: string }>("POST", "/api/v1/api-keys", {
    body: { name: `mosaic on ${hostname()}`.slice(0, 200) },
    headers: session,
  });
  await gateway.call("POST", "/api/auth/sign-out", { body: {}, headers: session });
  return { apiKey: body.key, apiKeyId: body.id };
}

/** A new password, asked twice where it is asked. */
export async function newPassword(
  invocation: Invocation,
  file: string | undefined,
  what = "password",
): Promise<string> {
  const { host, ask } = invocation;
  const password = await readSecret(host, ask, { file, flag: "--password-file", what });
  if (file === undefined && (await ask.secret("The same again")) !== password) {
    throw cliProblem("usage_invalid", {
      detail: "The two passwords differ.",
      remedy: "Nothing was changed. Try again.",
    });
  }
  return password;
}
