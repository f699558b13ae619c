import { isId, Problem } from "@mosaicstack/foundation";
import {
  federationProblem,
  type ListAnswer,
  type ListRead,
  type Reader,
  readSourceSelector,
  type Row,
  type SearchRead,
  type Source,
  type SourceReport,
  type SourceWarning,
} from "@mosaicstack/federation-protocol";
import { blend, type PageRow, type SourcePage } from "./blend.ts";
import { blendFound, type FoundPage } from "./blend-found.ts";
import { askAll, type Outcome, type Question, reportOf } from "./fan-out.ts";
import { withGoneSources } from "./gone-sources.ts";
import type { Peers } from "./peers.ts";
import { withWarnings } from "./peer-warning.ts";
import { peerProblem } from "./problems.ts";

const LOCAL = "local";

/** What one source's list came to. */
interface FetchedPage {
  readonly rows: readonly PageRow[];
  readonly more: boolean;
}

/** What one source's search came to. */
interface SearchedPage extends Omit<FoundPage, "source"> {
  readonly warning: SourceWarning | undefined;
}

/** What a read asks. */
type Selection = { readonly kind: "local" } | { readonly kind: "sources"; readonly sources: readonly Source[] };

/**
 * Reads over this gateway's own rows and those of the user's peers. `local`, and `all` for a user without peers, are the
 * local reader's own answers. A source that does not answer never fails the whole: it is reported, also where it was the
 * only one asked, and the answer is `partial`. What the caller asked wrongly is refused, by the local source's judgement.
 *
 * @param dependencies.localSource the user's own rows as one source among others
 * @param dependencies.deadlineMs bounds every round of asking: one a read, and for `get` one more when the row is not local
 */
export function createBlendedReader(dependencies: {
  readonly local: Reader;
  readonly localSource: (userId: string) => Source;
  readonly peers: Pick<Peers, "sourcesOf" | "sourceOf">;
  readonly deadlineMs: number;
}): Reader {
  const { local, localSource, peers, deadlineMs } = dependencies;

  async function select(userId: string, text: string): Promise<Selection> {
    const selector = readSourceSelector(text);
    switch (selector?.kind) {
      case undefined:
        throw peerProblem("unknown_source");
      case "local":
        return { kind: "local" };
      case "peer":
        return { kind: "sources", sources: [await peers.sourceOf(userId, selector.peer)] };
      case "all": {
        const remote = await peers.sourcesOf(userId);
        return remote.length === 0 ? { kind: "local" } : { kind: "sources", sources: [localSource(userId), ...remote] };
      }
    }
  }

  async function listOf(sources: readonly Source[], read: ListRead): Promise<ListAnswer> {
    const asked = sources.filter(({ place }) => read.positions?.[place] !== null);
    const outcomes = await askAll(asked.map(listQuestion(read)), deadlineMs, (all) => Promise.all(all));
    refuseWrongQuestions(outcomes);
    const page = blend(pagesOf(sources, outcomes), read.limit, read.positions);
    const placeOf = new Map(asked.map(({ name, place }) => [name, place]));
    return {
      rowsJson: `[${page.rows.map(({ json }) => json).join(",")}]`,
      next: page.next,
      retry: page.retry,
      ...completeness(
        outcomes.map((outcome) => {
          const share = page.shares.get(placeOf.get(outcome.source) ?? "");
          return reportOf(outcome, share?.rows, share?.truncated);
        }),
        sources,
      ),
    };
  }

  return {
    async list(userId, read) {
      const selection = await select(userId, read.source);
      if (selection.kind === "local") {
        const own = read.positions?.[LOCAL];
        const positions = own === undefined ? undefined : { [LOCAL]: own };
        const answer = await local.list(userId, { ...read, source: LOCAL, positions });
        return withGoneSources(answer, read.positions, [LOCAL]);
      }
      const { sources } = selection;
      const places = sources.map(({ place }) => place);
      return withGoneSources(await listOf(sources, read), read.positions, places);
    },

    async get(userId, { source, resource, id }) {
      const selection = await select(userId, source);
      const own = { source: LOCAL, resource, id };
      if (selection.kind === "local") return await local.get(userId, own);
      const first: Question<string | undefined>[] = selection.sources.some(({ name }) => name === LOCAL)
        ? [{ source: LOCAL, ask: async () => (await local.get(userId, own)).rowJson }]
        : [];
      const remote = selection.sources.filter(({ name }) => name !== LOCAL).map(getQuestion(resource, id));
      const reports: SourceReport[] = [];
      // Own rows first: a row that is here is not asked for anywhere else.
      for (const questions of [first, remote]) {
        const rowJson = await askAll(questions, deadlineMs, async (outcomes) => {
          for (const pending of outcomes) {
            const outcome = await pending;
            refuseWrongQuestions([outcome]);
            const found = outcome.kind === "answered" ? outcome.answer : undefined;
            reports.push(reportOf(outcome, found === undefined ? 0 : 1));
            if (found !== undefined) return found;
          }
          return undefined;
        });
        if (rowJson !== undefined) return { rowJson, ...completeness(reports, selection.sources) };
      }
      return { rowJson: undefined, ...completeness(reports, selection.sources) };
    },

    async search(userId, read) {
      const selection = await select(userId, read.source);
      if (selection.kind === "local") return await local.search(userId, { ...read, source: LOCAL });
      const outcomes = await askAll(selection.sources.map(searchQuestion(read)), deadlineMs, (all) => Promise.all(all));
      refuseWrongQuestions(outcomes);
      const pages = outcomes.flatMap((one) => (one.kind === "answered" ? [{ source: one.source, ...one.answer }] : []));
      const found = blendFound(pages, read.limit);
      return {
        rowsJson: `[${found.rows.map(({ json }) => json).join(",")}]`,
        more: [...found.shares.values()].some(({ truncated }) => truncated),
        ...completeness(
          outcomes.map((outcome) => {
            const share = found.shares.get(outcome.source);
            const report = reportOf(outcome, share?.rows, share?.truncated);
            const warning = outcome.kind === "answered" ? outcome.answer.warning : undefined;
            return warning === undefined ? report : { ...report, warning };
          }),
          selection.sources,
        ),
      };
    },

    async capabilities(userId, source) {
      const selection = await select(userId, source);
      if (selection.kind === "local") return await local.capabilities(userId, LOCAL);
      const questions = selection.sources.map((one) => ({
        source: one.name,
        ask: (signal: AbortSignal) => one.capabilities(signal),
      }));
      const outcomes = await askAll(questions, deadlineMs, (all) => Promise.all(all));
      const answered = outcomes.flatMap((one) => (one.kind === "answered" ? [[one.source, one.answer] as const] : []));
      const reports = outcomes.map((one) => reportOf(one));
      return { capabilities: Object.fromEntries(answered), ...completeness(reports, selection.sources) };
    },
  };
}

function listQuestion({ resource, limit, filters, positions }: ListRead) {
  return (source: Source): Question<FetchedPage> => ({
    source: source.name,
    async ask(signal) {
      const before = positions?.[source.place];
      const request = { resource, limit, filters, ...(typeof before === "string" ? { before } : {}) };
      const { rows, more } = await source.list(request, signal);
      return { rows: rows.map((row) => ({ id: row.id, json: rowJsonOf(row) })), more };
    },
  });
}

function searchQuestion({ query, resources, team, limit }: SearchRead) {
  return (source: Source): Question<SearchedPage> => ({
    source: source.name,
    async ask(signal) {
      const request = {
        query,
        limit,
        ...(resources === undefined ? {} : { resources: [...resources] }),
        ...(team === undefined ? {} : { team }),
      };
      const { rows, more, warning } = await source.search(request, signal);
      return {
        rows: rows.map(({ resource, row, snippet, score = 0 }) => ({
          resource,
          id: row.id,
          score,
          json: `{"resource":${JSON.stringify(resource)},"row":${rowJsonOf(row)},${JSON.stringify({ snippet, score }).slice(1)}`,
        })),
        more,
        warning,
      };
    },
  });
}

function getQuestion(resource: string, id: string) {
  return (source: Source): Question<string | undefined> => ({
    source: source.name,
    async ask(signal) {
      try {
        if (!isId(id)) throw federationProblem("row_not_found");
        return rowJsonOf((await source.get({ resource, id }, signal)).row);
      } catch (error) {
        // That it has no such row is an answer.
        if (error instanceof Problem && error.code === "row_not_found") return undefined;
        throw error;
      }
    },
  });
}

/** Text at once, so that a row which cannot be written counts against its own source and no other. */
function rowJsonOf(row: Row): string {
  try {
    return JSON.stringify(row);
  } catch (cause) {
    throw peerProblem("peer_incompatible", { detail: "A row of its answer is nested too deeply.", cause });
  }
}

function pagesOf(sources: readonly Source[], outcomes: readonly Outcome<FetchedPage>[]): SourcePage[] {
  const bySource = new Map(outcomes.map((outcome) => [outcome.source, outcome]));
  return sources.map(({ name, place: source }): SourcePage => {
    const outcome = bySource.get(name);
    if (outcome === undefined) return { kind: "exhausted", source };
    return outcome.kind === "failed" ? { kind: "failed", source } : { kind: "page", source, ...outcome.answer };
  });
}

/** An unknown resource or a bad filter is the caller's to correct, and no source's failure. */
function refuseWrongQuestions(outcomes: readonly Outcome<unknown>[]): void {
  for (const outcome of outcomes) {
    if (outcome.source !== LOCAL || outcome.kind !== "failed") continue;
    const { problem } = outcome;
    if (problem.status < 500 && problem.status !== 408 && problem.status !== 429) throw problem;
  }
}

/** @param of the sources that were asked, for what there is to say of each */
function completeness(
  reports: readonly SourceReport[],
  of: readonly Source[],
): { partial: boolean; sources: readonly SourceReport[] } {
  const partial = reports.some(({ status }) => status !== "ok" && status !== "cached");
  return { partial, sources: withWarnings(of, reports) };
}
