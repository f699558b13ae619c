import { loadConfig, type LoadOptions } from "@mosaicstack/config";
import { Problem, systemClock } from "@mosaicstack/foundation";
import { composeGateway, type Gateway } from "./compose.ts";
import { createLog } from "./logging.ts";

/** What `mosaic start` exits with, as the command line documents it. */
const EXIT = { ok: 0, failure: 1, config: 3 } as const;

export interface RunOptions extends LoadOptions {
  /** Where addresses and the setup code are printed. Default: this process's stdout. */
  readonly print?: (text: string) => void;
  /** Where the log goes. Default: this process's stderr. */
  readonly logDestination?: { write(line: string): void };
  /** Ends the run; in place of the process's signals. */
  readonly signal?: AbortSignal;
}

function greeting(gateway: Gateway): string {
  const { people, federation } = gateway.urls();
  const lines = ["Mosaic gateway is ready.", `  people and agents  ${people}`];
  if (federation !== undefined) lines.push(`  peers              ${federation}`);
  if (gateway.setupCode !== undefined) {
    lines.push(
      "",
      "It has no administrator yet. Whoever has this code becomes it; it works once.",
      `  setup code  ${gateway.setupCode}`,
      `  next        mosaic setup --url ${people}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Resolves at the first SIGTERM or SIGINT. The next one ends the process at once, as it would without us. */
async function signalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    const heard = (): void => {
      process.off("SIGTERM", heard).off("SIGINT", heard);
      resolve();
    };
    process.on("SIGTERM", heard).on("SIGINT", heard);
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Text for people of what stopped a start: what, why, and what to do. */
function explain(error: Problem): string {
  const faults = Array.isArray(error.details["faults"]) ? (error.details["faults"] as readonly unknown[]) : [];
  const listed = faults.flatMap((fault) => {
    const { path, message, remedy } = fault as { path?: string; message?: string; remedy?: string };
    return [`  ${path ?? ""}: ${message ?? ""}${remedy === undefined ? "" : `\n    ${remedy}`}`];
  });
  return [`${error.message} (${error.code})`, ...listed, error.details.remedy, ""].join("\n");
}

function exitCodeOf({ code }: Problem): number {
  const isConfig = /^(?:config|secret)_/.test(code) || code === "tier_unavailable" || code === "tls_unusable";
  return isConfig ? EXIT.config : EXIT.failure;
}

/**
 * The whole life of a gateway process: configuration, start, serving until SIGTERM or SIGINT, draining. Resolves with
 * the exit code: 0 after draining, 3 where the configuration is at fault, 1 where something else stopped the start.
 * @throws what is no Problem: a fault in the program
 */
export async function runGateway(options: RunOptions = {}): Promise<number> {
  const { print = (text: string) => process.stdout.write(text), logDestination, signal, ...where } = options;
  let gateway: Gateway | undefined;
  try {
    const { config, secrets, warnings } = await loadConfig(where);
    const log = createLog(config.log, logDestination);
    for (const { path, message } of warnings) log.warn({ path }, message);
    gateway = await composeGateway({ config, secrets, clock: systemClock, log });
    await gateway.start();
    print(greeting(gateway));
    await (signal === undefined ? signalled() : aborted(signal));
    log.info("stopping");
    await gateway.stop();
    return EXIT.ok;
  } catch (error) {
    await gateway?.stop();
    if (!(error instanceof Problem)) throw error;
    process.stderr.write(explain(error));
    return exitCodeOf(error);
  }
}
