import { type EmbeddingsAccess, embeddingsAccess, type GivenSecrets } from "@mosaicstack/config";
import type { Coordination } from "@mosaicstack/coordination";
import type { Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";
import type { EmbedQuery } from "../reading/local-search.ts";
import { embedRows } from "./embed-rows.ts";
import { createEmbeddingProvider, EmbeddingFailure } from "./provider.ts";

const EVERY_MS = 60_000;
/** A search does not wait longer for its query's vector: it goes on with the words alone. */
const QUERY_MS = 1_000;

/** Search by meaning: rows are embedded in the background, a query when it is asked. */
export interface Embedding {
  readonly embedQuery: EmbedQuery;
  /** Schedules the job that embeds rows: one replica runs it. */
  start(): Promise<void>;
  /** Ends what is under way. */
  stop(): void;
}

/** @param dependencies.everyMs from one look for rows without a vector to the next. Default one minute */
export function createEmbedding(dependencies: {
  readonly access: EmbeddingsAccess;
  readonly store: Store;
  readonly coordination: Coordination;
  readonly log: FastifyBaseLogger;
  readonly everyMs?: number;
}): Embedding {
  const { access, store, coordination, log, everyMs = EVERY_MS } = dependencies;
  const provider = createEmbeddingProvider(access);
  const stopping = new AbortController();

  async function run(): Promise<void> {
    try {
      const count = await embedRows(store, provider, stopping.signal);
      if (count > 0) log.info({ rows: count, model: provider.model }, "rows embedded for search");
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (!(error instanceof EmbeddingFailure)) throw error;
      log.warn({ reason: error.message, model: provider.model }, "rows could not be embedded; tried again in a minute");
    }
  }

  return {
    async embedQuery(text) {
      try {
        const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(QUERY_MS)]);
        const [embedding] = await provider.embed([text], signal);
        return embedding === undefined ? undefined : { model: provider.model, embedding };
      } catch (error) {
        if (!(error instanceof EmbeddingFailure)) throw error;
        log.info({ reason: error.message }, "searched without the query's vector");
        return undefined;
      }
    },
    start: () => coordination.schedule({ name: "embed-rows", everyMs, work: run }),
    stop: () => stopping.abort(),
  };
}

/** Undefined where the configuration names no provider. */
export function composeEmbedding(
  dependencies: { readonly secrets: GivenSecrets } & Omit<Parameters<typeof createEmbedding>[0], "access" | "everyMs">,
): Embedding | undefined {
  const access = embeddingsAccess(dependencies.secrets);
  return access === undefined ? undefined : createEmbedding({ ...dependencies, access });
}
