import { Problem } from "@mosaicstack/foundation";
import type { Gateway } from "../gateway.ts";
import type { GatewayTarget } from "../gateway-target.ts";
import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";
import type { Me } from "../sign-in.ts";
import { type Check, faulty, ok, skipped, warning } from "./check.ts";

/** The version of the REST API this command speaks. */
const API_VERSION = "1";
const WORST_SKEW_MS = 60_000;

/** Looks at a gateway from outside: does it answer, can it serve, is it ours, do the clocks agree, who is signed in. */
export async function checkGateway(host: Host, gateway: Gateway, target: GatewayTarget): Promise<readonly Check[]> {
  const listener = await timed(host, async () => await checkListener(host, gateway));
  const [reached] = listener;
  if (reached?.status === "fault") return listener;
  return [
    ...listener,
    ...(await timed(host, async () => [await checkReadiness(gateway)])),
    ...(await timed(host, async () => [await checkVersion(gateway)])),
    ...(await timed(host, async () => [await checkSignIn(gateway, target)])),
  ];
}

async function timed(host: Host, work: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  const started = host.clock.now().getTime();
  const checks = await work();
  const tookMs = host.clock.now().getTime() - started;
  return checks.map((check) => ({ ...check, took_ms: tookMs }));
}

async function checkListener(host: Host, gateway: Gateway): Promise<readonly Check[]> {
  try {
    const { headers } = await gateway.call("GET", "/healthz");
    return [ok("listener", `${gateway.url} answers`), clockCheck(host, headers["date"])];
  } catch (error) {
    return [faulty("listener", error)];
  }
}

/** Certificates of peers are judged by the clock: a wrong one breaks federation first. */
function clockCheck(host: Host, date: string | string[] | undefined): Check {
  const there = Date.parse(String(date));
  if (Number.isNaN(there)) return skipped("clock", "the gateway did not say what time it has");
  const skew = Math.abs(there - host.clock.now().getTime());
  // The header has whole seconds.
  if (skew <= WORST_SKEW_MS) return ok("clock", "the gateway's and this machine's agree");
  return warning(
    "clock",
    "clock_skew",
    `The gateway's clock and this machine's are ${Math.round(skew / 1000)} s apart.`,
    "Set both clocks right (NTP): certificates are judged by them.",
  );
}

async function checkReadiness(gateway: Gateway): Promise<Check> {
  try {
    await gateway.call("GET", "/readyz");
    return ok("readiness", "it can serve: its database answers");
  } catch (error) {
    return faulty("readiness", error);
  }
}

async function checkVersion(gateway: Gateway): Promise<Check> {
  try {
    const { body } = await gateway.call<{ info?: { title?: string; version?: string } }>("GET", "/openapi.json");
    const { title, version } = body.info ?? {};
    if (title !== "Mosaic gateway")
      throw cliProblem("answer_unreadable", { detail: `${gateway.url} is not a Mosaic gateway.` });
    if (version === API_VERSION) return ok("version", `API version ${API_VERSION}, as this command speaks it`);
    return warning(
      "version",
      "version_differs",
      `The gateway speaks API version ${version ?? "?"}, this command ${API_VERSION}.`,
      "Update the older of the two.",
    );
  } catch (error) {
    return faulty("version", error);
  }
}

async function checkSignIn(gateway: Gateway, target: GatewayTarget): Promise<Check> {
  if (target.apiKey === undefined) return skipped("sign-in", "there is no API key; `mosaic login` makes one");
  try {
    const { body } = await gateway.call<Me>("GET", "/api/v1/me");
    return ok("sign-in", `${body.name} <${body.email}>, ${body.role}`);
  } catch (error) {
    const check = faulty("sign-in", error);
    if (!(error instanceof Problem) || error.status !== 401) return check;
    return { ...check, remedy: "The key was withdrawn or has ended: sign in again with `mosaic login`." };
  }
}
