import type { Clock } from "@mosaicstack/foundation";
import type { Environment } from "./environment.ts";

/** A stream that may be a terminal. */
export type Inlet = NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
export type Outlet = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

/** The machine as the command sees it; a test hands in another. */
export interface Host {
  readonly stdin: Inlet;
  readonly stdout: Outlet;
  readonly stderr: Outlet;
  readonly environment: Environment;
  /** The working directory: what relative paths start from. */
  readonly directory: string;
  readonly clock: Clock;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Leaves Ctrl-C to the caller, for a command that runs until then and drains by itself. */
  readonly releaseSignals: () => void;
}
