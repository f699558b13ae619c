import { postgresql } from "./postgresql.ts";
import { removeServer, runningProcess, startServer } from "./server.ts";
import { inNewDirectory, type RunningService, type Service } from "./service.ts";
import { alone, readState, SOFTWARE_CACHE, writeState } from "./state.ts";
import { stepCa } from "./step-ca.ts";
import { valkey } from "./valkey.ts";

const SERVICES: readonly Service[] = [postgresql, valkey, stepCa];

type Report = (line: string) => void;

/** What came of starting services. One that failed is no reason to give up the others; it's the caller's to fail. */
export interface StartedServices {
  /** All that run, and were not given. */
  readonly running: readonly RunningService[];
  /** The names of those this call started. */
  readonly started: readonly string[];
  /** Of those the environment names: somebody's own, left alone. */
  readonly given: readonly { readonly name: string; readonly variable: string; readonly host: string }[];
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** The services that run now, of those an earlier command started. */
export function runningServices(): readonly RunningService[] {
  return readState().filter(({ directory }) => runningProcess(directory) !== undefined);
}

/**
 * Starts whatever of them doesn't run yet, together.
 *
 * @param environment a service whose variables are all in it is not started
 * @param names which. Default: all.
 * @throws Error for a name that is no service's
 */
export function startServices(
  report: Report,
  environment: Readonly<Record<string, string | undefined>> = {},
  names?: readonly string[],
): Promise<StartedServices> {
  const wanted = chosen(names);
  const isGiven = ({ variables }: Service): boolean => variables.every((variable) => environment[variable]);
  return alone(report, async () => {
    const running = [...runningServices()];
    const missing = wanted.filter((service) => !isGiven(service) && !running.some(({ name }) => name === service.name));
    const outcomes = await Promise.allSettled(missing.map((service) => start(service, report)));
    const fresh = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    running.push(...fresh);
    await writeState(running);
    return {
      running: running.filter(({ name }) => !wanted.some((service) => service.name === name && isGiven(service))),
      started: fresh.map(({ name }) => name),
      given: wanted.filter(isGiven).map(({ name, variables: [variable = ""] }) => {
        return { name, variable, host: hostOf(environment[variable] ?? "") };
      }),
      failed: outcomes.flatMap((outcome, index) => {
        if (outcome.status === "fulfilled") return [];
        const reason = outcome.reason instanceof Error ? outcome.reason.message : String(outcome.reason);
        return [{ name: missing[index]?.name ?? "", reason }];
      }),
    };
  });
}

/**
 * Stops what an earlier command started, and removes its data.
 *
 * @param names which. Default: all.
 * @throws Error for a name that is no service's
 */
export function stopServices(report: Report, names?: readonly string[]): Promise<readonly RunningService[]> {
  const wanted = chosen(names);
  return alone(report, async () => {
    const known = readState();
    const stopping = known.filter(({ name }) => wanted.some((service) => service.name === name));
    for (const { name, directory } of stopping) {
      const service = wanted.find((candidate) => candidate.name === name);
      if (service !== undefined) await removeServer(directory, service.endsOn);
    }
    await writeState(known.filter((running) => !stopping.includes(running)));
    return stopping;
  });
}

async function start(service: Service, report: Report): Promise<RunningService> {
  return inNewDirectory(service.name, async (directory) => {
    const server = await service.prepare(directory, { cache: SOFTWARE_CACHE, report });
    await startServer(server, { outlives: true });
    const { name, description, host, port, environment } = server;
    return { name, description, directory, host, port, environment };
  });
}

function chosen(names: readonly string[] | undefined): readonly Service[] {
  const unknown = names?.find((name) => !SERVICES.some((service) => service.name === name));
  if (unknown !== undefined) {
    throw new Error(`${unknown} is no service. There are: ${SERVICES.map(({ name }) => name).join(", ")}`);
  }
  return SERVICES.filter(({ name }) => names?.includes(name) ?? true);
}

/** Without the user and password that a URL may hold. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "an address that is no URL";
}
