import type { Config } from "@mosaicstack/config";
import { createGateway } from "../gateway.ts";
import type { ConfigFlags } from "../gateway-config.ts";
import type { GatewayTarget } from "../gateway-target.ts";
import type { Host } from "../host.ts";
import { judgeAuthority } from "./authority-check.ts";
import { bounded } from "./bounded.ts";
import { type Check, fault, skipped } from "./check.ts";
import {
  checkConfiguration,
  type ConfigurationFindings,
  dialled,
  localUrlOf,
  urlOfConfig,
} from "./configuration-check.ts";
import { checkFederation } from "./federation-checks.ts";
import { checkGateway, checkListener } from "./gateway-checks.ts";
import { checkMachine } from "./machine-checks.ts";
import { checkPorts } from "./port-check.ts";
import { checkFederationListener, checkPeopleCertificate } from "./server-certificate-check.ts";
import { checkServices } from "./service-checks.ts";

/** Whom to examine. */
export interface Patient {
  readonly target: GatewayTarget;
  /** Whether somebody gave the gateway's address: in a flag, a variable or a profile. */
  readonly isAddressed: boolean;
  readonly flags: ConfigFlags;
}

/** All that was found. */
export interface Examination {
  /** Undefined: the configuration is another machine's, or not valid. */
  readonly tier: Config["tier"] | undefined;
  readonly checks: readonly Check[];
}

/**
 * Looks at a gateway, running or not: at its configuration and what it keeps where that is here, at the services it needs,
 * and at its listeners from outside. Changes nothing; each check ends in time, and those that need not wait do not.
 *
 * @throws Problem `interrupted`
 */
export async function examine(host: Host, { target, isAddressed, flags }: Patient): Promise<Examination> {
  // A gateway elsewhere has its configuration elsewhere.
  const isHere = target.from === "the default" || flags.file !== undefined || isThisMachine(target.url);
  const { checks: configuration, loaded }: ConfigurationFindings = isHere
    ? await checkConfiguration(host, flags)
    : { checks: [skipped("configuration", `${target.url} is another machine's`)], loaded: undefined };
  const config = loaded?.config;
  const configured = config === undefined ? undefined : urlOfConfig(config);
  const reached = isAddressed || configured === undefined ? target : { ...target, url: configured };

  const asked = checkListener(host, createGateway(reached, host.signal));
  const [services, listener] = await Promise.all([
    loaded === undefined ? [] : checkServices(host, loaded),
    asked.then(async (checks) => await acrossPublicUrl(host, checks, reached, config)),
  ]);
  const isUp = listener.every(({ status }) => status !== "fault");
  // What is wrong with a gateway of another address is not told by this configuration.
  const isConfigured = config !== undefined && (reached.url === configured || reached.url === localUrlOf(config));
  const isMissing = isConfigured && listener.some(({ code }) => code !== undefined && MISSING.has(code));

  const [machine, rest] = await Promise.all([
    loaded === undefined ? [] : checkMachine(host, loaded, !isMissing),
    isUp
      ? checkRunning(host, reached, { config: isConfigured ? config : undefined, services })
      : isMissing
        ? bounded(host, "ports", async () => await checkPorts(config))
        : [],
  ]);
  return { tier: config?.tier, checks: [...configuration, ...machine, ...services, ...listener, ...rest] };
}

/** What a listener's fault is called where our own gateway is not behind it. */
const MISSING: ReadonlySet<string> = new Set(["gateway_unreachable", "gateway_timeout", "answer_unreadable"]);

function isThisMachine(url: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(url).hostname);
}

/** Tells a gateway that is down from one that its public address does not lead to. */
async function acrossPublicUrl(
  host: Host,
  listener: readonly Check[],
  reached: GatewayTarget,
  config: Config | undefined,
): Promise<readonly Check[]> {
  const [first] = listener;
  const local = config === undefined ? undefined : localUrlOf(config);
  if (first?.status !== "fault" || local === undefined || reached.url !== config?.http.publicUrl) return listener;
  // The key is for the public address.
  const [behind] = await checkListener(
    host,
    createGateway({ url: local, apiKey: undefined, ca: reached.ca }, host.signal),
  );
  if (behind?.status === "fault" && behind.code !== "gateway_untrusted") return listener;
  const detail = `The gateway answers at ${local}, and not at ${reached.url}. ${first.detail}`;
  return [fault("listener", "public_url_unreachable", detail)];
}

/** A gateway that answers: whether it serves, its certificates, and federation as the signed-in user sees it. */
async function checkRunning(
  host: Host,
  reached: GatewayTarget,
  { config, services }: { readonly config: Config | undefined; readonly services: readonly Check[] },
): Promise<readonly Check[]> {
  const gateway = createGateway(reached, host.signal);
  const [outside, certificate] = await Promise.all([
    checkGateway(host, gateway, reached),
    bounded(host, "certificate", async () => await checkPeopleCertificate(host, reached.url)),
  ]);
  const isSignedIn = outside.some(({ name, status }) => name === "sign-in" && status === "ok");
  const federation = isSignedIn ? await checkFederation(host, gateway) : { checks: [], endpoint: undefined };
  const endpoint = federation.endpoint ?? endpointOf(config);
  const peering =
    endpoint === undefined
      ? []
      : await bounded(host, "federation listener", async () => {
          const { checks, root } = await checkFederationListener(host, endpoint);
          const isKnown = services.some(({ name }) => name === "certificate authority");
          return root === undefined || isKnown ? checks : [...checks, judgeAuthority(root, host.clock.now())];
        });
  return [...outside, ...certificate, ...peering, ...federation.checks];
}

/** Where a gateway of this configuration answers peers. */
function endpointOf(config: Config | undefined): string | undefined {
  if (config?.tier !== "federated") return undefined;
  const { host, port, publicUrl } = config.federation;
  if (publicUrl !== undefined || port === 0) return publicUrl;
  return `https://${dialled(host)}:${port}`;
}
