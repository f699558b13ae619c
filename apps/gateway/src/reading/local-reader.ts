import type { LocalCapabilities, Reader, SourceReport } from "@mosaicstack/federation-protocol";
import { isId } from "@mosaicstack/foundation";
import { everythingOf, getRow, listRows, narrowTo, registry, resourceNamed } from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";
import { gatewayProblem } from "../problems.ts";
import { type EmbedQuery, searchRows } from "./local-search.ts";
import { searchedByWordsOnly } from "./words-only.ts";

/** The name of this gateway's own rows among the sources. */
export const LOCAL_SOURCE = "local";

function ownCapabilities(): LocalCapabilities {
  return {
    resources: registry.map(({ name, filters, search, writing }) => ({
      name,
      verbs: [
        "list",
        "get",
        ...(search === undefined ? [] : ["search"]),
        ...(writing === undefined ? [] : ["create", "update", "delete"]),
      ],
      filters: [...Object.keys(filters), "team"],
    })),
  };
}

const CAPABILITIES = ownCapabilities();

/** Reads this gateway's own rows as a user. `all` asks no more than `local` here: there is no peer to ask. */
export function createLocalReader(store: ReadStore, embedQuery?: EmbedQuery): Reader {
  function report(startedAt: number, rows: number, truncated: boolean): SourceReport {
    const took = Math.round((performance.now() - startedAt) * 10) / 10;
    return { source: LOCAL_SOURCE, status: "ok", took_ms: took, rows, truncated };
  }

  function refuseOtherSources(source: string): void {
    if (source !== LOCAL_SOURCE && source !== "all") throw gatewayProblem("unknown_source");
  }

  return {
    async list(userId, { source, resource, limit, filters, positions }) {
      refuseOtherSources(source);
      const definition = resourceNamed(resource);
      const startedAt = performance.now();
      // Of a gateway that had peers then: what they owe could not be given, nor told of.
      if (Object.keys(positions ?? {}).some((place) => place !== LOCAL_SOURCE)) throw gatewayProblem("cursor_invalid");
      const before = positions?.[LOCAL_SOURCE];
      if (before === null) {
        const sources = [report(startedAt, 0, false)];
        return { rowsJson: "[]", next: undefined, retry: undefined, partial: false, sources };
      }
      const { team, ...own } = filters;
      const page = await listRows(
        store,
        definition,
        narrowTo(everythingOf(userId), team),
        { limit, before, filters: own },
        "native",
      );
      return {
        rowsJson: page.json,
        next: page.more ? { [LOCAL_SOURCE]: page.lastId } : undefined,
        retry: undefined,
        partial: false,
        sources: [report(startedAt, page.count, page.more)],
      };
    },

    async get(userId, { source, resource, id }) {
      refuseOtherSources(source);
      const definition = resourceNamed(resource);
      const startedAt = performance.now();
      const rowJson = isId(id) ? await getRow(store, definition, everythingOf(userId), id, "native") : undefined;
      return { rowJson, partial: false, sources: [report(startedAt, rowJson === undefined ? 0 : 1, false)] };
    },

    async search(userId, { source, query, resources, team, limit }) {
      refuseOtherSources(source);
      const startedAt = performance.now();
      const visibility = narrowTo(everythingOf(userId), team);
      const found = await searchRows(store, { text: query, resources, visibility }, limit, embedQuery);
      return {
        rowsJson: `[${found.rows.map(({ json }) => json).join(",")}]`,
        more: found.more,
        partial: false,
        sources: [
          {
            ...report(startedAt, found.rows.length, found.more),
            ...(found.wordsOnly ? { warning: searchedByWordsOnly } : {}),
          },
        ],
      };
    },

    capabilities(_userId, source) {
      refuseOtherSources(source);
      const sources = [report(performance.now(), 0, false)];
      return Promise.resolve({ capabilities: { [LOCAL_SOURCE]: CAPABILITIES }, partial: false, sources });
    },
  };
}
