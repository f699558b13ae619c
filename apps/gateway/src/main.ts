import { loadConfig, type LoadOptions } from "@mosaicstack/config";
import { systemClock } from "@mosaicstack/foundation";
import { composeGateway, type Gateway, type GatewayUrls } from "./compose.ts";
import { createLog } from "./logging.ts";

/** What whoever starts a gateway wants to know of it. */
export interface Announcement extends GatewayUrls {
  /** The code for `mosaic setup`, while there is no administrator. A secret: for whoever started the process. */
  readonly setupCode?: string;
}

export interface RunOptions extends LoadOptions {
  /** Called once, when it serves. */
  readonly onReady: (announcement: Announcement) => void;
  /** Where the log goes. Default: this process's stderr. */
  readonly logDestination?: { write(line: string): void };
  /** Ends the run; in place of the process's signals. */
  readonly signal?: AbortSignal;
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

/**
 * The whole life of a gateway process: configuration, start, serving until SIGTERM or SIGINT, draining.
 * @throws Problem of what stopped the start; nothing stays open then
 */
export async function runGateway(options: RunOptions): Promise<void> {
  const { onReady, logDestination, signal, ...where } = options;
  const { config, secrets, warnings } = await loadConfig(where);
  const log = createLog(config.log, logDestination);
  for (const { path, message } of warnings) log.warn({ path }, message);
  const gateway: Gateway = await composeGateway({ config, secrets, clock: systemClock, log });
  try {
    await gateway.start();
    const { setupCode } = gateway;
    onReady({ ...gateway.urls(), ...(setupCode === undefined ? {} : { setupCode }) });
    await (signal === undefined ? signalled() : aborted(signal));
    log.info("stopping");
  } finally {
    await gateway.stop();
  }
}
