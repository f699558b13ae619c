import {
  getResponseSchema,
  listResponseSchema,
  type Reader,
  searchResponseSchema,
  type Source,
} from "@mosaicstack/federation-protocol";
import { resourceProblem } from "@mosaicstack/resources";

/** This gateway's own rows as one source among others. */
export function localSource(reader: Reader, userId: string): Source {
  return {
    name: "local",
    place: "local",
    async list({ resource, limit, before, filters }) {
      const positions = before === undefined ? undefined : { local: before };
      const answer = await reader.list(userId, { source: "local", resource, limit, filters: filters ?? {}, positions });
      return listResponseSchema.parse({
        rows: JSON.parse(answer.rowsJson) as unknown,
        more: answer.next !== undefined,
        limit,
      });
    },
    async get({ resource, id }) {
      const { rowJson } = await reader.get(userId, { source: "local", resource, id });
      if (rowJson === undefined) throw resourceProblem("not_found");
      return getResponseSchema.parse({ row: JSON.parse(rowJson) as unknown });
    },
    async search({ query, resources, limit, team }) {
      const answer = await reader.search(userId, { source: "local", query, resources, limit, team });
      const rows = JSON.parse(answer.rowsJson) as unknown;
      const warning = answer.sources.find((report) => report.warning !== undefined)?.warning;
      return {
        ...searchResponseSchema.parse({ rows, more: answer.more, limit }),
        ...(warning === undefined ? {} : { warning }),
      };
    },
    async capabilities() {
      const { capabilities } = await reader.capabilities(userId, "local");
      if (capabilities["local"] === undefined) throw resourceProblem("not_found");
      return capabilities["local"];
    },
  };
}
