import type { ConfigFault, Origin } from "./config.ts";

/** One value somebody gave, before anyone judged it. */
export interface Entry {
  readonly path: string;
  readonly value: unknown;
  readonly origin: Origin;
}

/** What one source of settings said, and what was wrong with it. */
export interface Layer {
  readonly entries: readonly Entry[];
  readonly faults: readonly ConfigFault[];
}

/** Variables by name, as `process.env` has them. An empty one counts as not set, as compose files write it. */
export type Environment = Readonly<Record<string, string | undefined>>;
