import { Problem } from "@mosaicstack/foundation";
import type { Gateway } from "../gateway.ts";
import type { GatewayTarget } from "../gateway-target.ts";
import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";
import type { Me } from "../sign-in.ts";
import { bounded, LIMIT_MS } from "./bounded.ts";
import { type Check, faulty, ok, skipped, warning } from "./check.ts";

/** The version of the REST API this command speaks. */
const API_VERSION = "1";
const WORST_SKEW_MS = 60_000;

/** Whether a gateway answers at all, and what time it has. */
export async function checkListener(host: Host, gateway: Gateway): Promise<readonly Check[]> {
  return await bounded(host, "listener", async () => {
    try {
      const { headers } = await gateway.call("GET", "/healthz", { timeoutMs: LIMIT_MS });
      return [ok("listener", `${gateway.url} answers`), clockCheck(host, headers["date"])];
    } catch (error) {
      return [withoutDoctor(faulty("listener", error))];
    }
  });
}

/** Looks at a gateway that answers from outside: can it serve, is it ours, who is signed in. */
export async function checkGateway(host: Host, gateway: Gateway, target: GatewayTarget): Promise<readonly Check[]> {
  const checks = await Promise.all([
    bounded(host, "readiness", async () => [await checkReadiness(gateway)]),
    bounded(host, "version", async () => [await checkVersion(gateway)]),
    bounded(host, "sign-in", async () => [await checkSignIn(gateway, target)]),
  ]);
  return checks.flat();
}

/** Whoever reads this runs the doctor already. */
function withoutDoctor(check: Check): Check {
  switch (check.code) {
    case "gateway_unreachable":
      return { ...check, remedy: "Start it with `mosaic start`, or give its address with --url." };
    case "gateway_timeout":
      return { ...check, remedy: "Look at the gateway's log and at how busy its machine is, then try again." };
    default:
      return check;
  }
}

/** Certificates of peers are judged by the clock: a wrong one breaks federation first. */
function clockCheck(host: Host, date: string | string[] | undefined): Check {
  const there = Date.parse(String(date));
  if (Number.isNaN(there)) return skipped("clock", "the gateway did not say what time it has");
  const skew = Math.abs(there - host.clock.now().getTime());
  // The header has whole seconds.
  if (skew <= WORST_SKEW_MS) return ok("clock", "the gateway's and this machine's agree");
  const seconds = Math.round(skew / 1000);
  return warning("clock", "clock_skew", `The gateway's clock and this machine's are ${seconds} s apart.`);
}

/** What `/readyz` answers. */
interface Readiness {
  readonly services?: readonly {
    readonly service: string;
    readonly status: string;
    readonly since?: string;
    readonly cause?: string;
  }[];
}

async function checkReadiness(gateway: Gateway): Promise<Check> {
  const name = "readiness";
  try {
    const { body } = await gateway.call<Readiness>("GET", "/readyz", { timeoutMs: LIMIT_MS });
    const lacking = body.services?.find(({ status }) => status !== "ok");
    if (lacking === undefined) return ok(name, "it can serve: its database answers");
    const { service, since, cause = "no cause told" } = lacking;
    const when = since === undefined ? "" : ` since ${since}`;
    const code = service === "audit" ? "audit_degraded" : "coordination_degraded";
    return warning(name, code, `The gateway's ${service} does not work${when}: ${cause}.`);
  } catch (error) {
    return faulty(name, error);
  }
}

async function checkVersion(gateway: Gateway): Promise<Check> {
  try {
    const { body } = await gateway.call<{ info?: { title?: string; version?: string } }>("GET", "/openapi.json", {
      timeoutMs: LIMIT_MS,
    });
    const { title, version } = body.info ?? {};
    if (title !== "Mosaic gateway")
      throw cliProblem("answer_unreadable", { detail: `${gateway.url} is not a Mosaic gateway.` });
    if (version === API_VERSION) return ok("version", `API version ${API_VERSION}, as this command speaks it`);
    return warning(
      "version",
      "version_differs",
      `The gateway speaks API version ${version ?? "?"}, this command ${API_VERSION}.`,
    );
  } catch (error) {
    return faulty("version", error);
  }
}

async function checkSignIn(gateway: Gateway, target: GatewayTarget): Promise<Check> {
  if (target.apiKey === undefined) return skipped("sign-in", "there is no API key; `mosaic login` makes one");
  try {
    const { body } = await gateway.call<Me>("GET", "/api/v1/me", { timeoutMs: LIMIT_MS });
    return ok("sign-in", `${body.name} <${body.email}>, ${body.role}`);
  } catch (error) {
    const check = faulty("sign-in", error);
    if (!(error instanceof Problem) || error.status !== 401) return check;
    return { ...check, remedy: "The key was withdrawn or has ended: sign in again with `mosaic login`." };
  }
}
