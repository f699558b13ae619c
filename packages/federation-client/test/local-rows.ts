import { Problem } from "@mosaicstack/foundation";
import {
  type ListAnswer,
  type Reader,
  type Row,
  searchResponseSchema,
  type Source,
} from "@mosaicstack/federation-protocol";

/** A gateway's own rows, by user, in memory: the port the gateway's reader of its database implements too. */
export interface LocalRows {
  readonly reader: Reader;
  readonly source: (userId: string) => Source;
  /** Every read the reader was asked, as the source it was asked under. */
  readonly reads: string[];
  /** What the next reads reject with. */
  failure: Problem | undefined;
  /** How long each read takes. */
  delayMs: number;
}

export function createLocalRows(rowsOf: (userId: string) => readonly Row[]): LocalRows {
  const ordered = (userId: string) =>
    rowsOf(userId)
      .map((row) => ({ ...row, _source: "local" }))
      .toSorted((one, other) => (one.id < other.id ? 1 : -1));

  async function begin(resource: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, local.delayMs));
    if (local.failure !== undefined) throw local.failure;
    if (resource !== "tasks") {
      throw new Problem("unknown_resource", { status: 404, title: "There is no resource of that name.", remedy: "-" });
    }
  }

  const report = (rows: number, truncated: boolean) =>
    [{ source: "local", status: "ok", took_ms: 0, rows, truncated }] as const;

  const local: LocalRows = {
    reads: [],
    failure: undefined,
    delayMs: 0,
    reader: {
      async list(userId, { source, resource, limit, positions }): Promise<ListAnswer> {
        local.reads.push(`list ${source}`);
        await begin(resource);
        const before = positions?.["local"];
        const left = ordered(userId).filter(({ id }) => before !== null && (before === undefined || id < before));
        const page = left.slice(0, limit);
        const more = left.length > limit;
        return {
          rowsJson: JSON.stringify(page),
          next: more ? { local: page.at(-1)?.id ?? null } : undefined,
          retry: undefined,
          partial: false,
          sources: report(page.length, more),
        };
      },
      async get(userId, { source, resource, id }) {
        local.reads.push(`get ${source}`);
        await begin(resource);
        const row = ordered(userId).find((one) => one.id === id);
        const rowJson = row === undefined ? undefined : JSON.stringify(row);
        return { rowJson, partial: false, sources: report(row === undefined ? 0 : 1, false) };
      },
      async search(userId, { source, query, limit }) {
        local.reads.push(`search ${source}`);
        await begin("tasks");
        const found = ordered(userId).filter((row) => JSON.stringify(row).includes(query));
        const page = found.slice(0, limit).map((row) => ({ resource: "tasks", row, snippet: query }));
        const more = found.length > limit;
        return { rowsJson: JSON.stringify(page), more, partial: false, sources: report(page.length, more) };
      },
      capabilities(_userId, source) {
        local.reads.push(`capabilities ${source}`);
        return Promise.resolve({
          capabilities: { local: { resources: [] } },
          partial: false,
          sources: report(0, false),
        });
      },
    },
    source: (userId) => ({
      name: "local",
      place: "local",
      async list({ resource, limit, before }) {
        const positions = before === undefined ? undefined : { local: before };
        const answer = await local.reader.list(userId, { source: "local", resource, limit, filters: {}, positions });
        return { rows: JSON.parse(answer.rowsJson) as Row[], more: answer.next !== undefined, limit };
      },
      async search({ query, limit, resources, team }) {
        const answer = await local.reader.search(userId, { source: "local", query, limit, resources, team });
        return searchResponseSchema.parse({ rows: JSON.parse(answer.rowsJson), more: answer.more, limit });
      },
      get: () => Promise.reject(new Error("own rows are read through the reader")),
      capabilities: () => Promise.resolve({ resources: [] }),
    }),
  };
  return local;
}
