import { covers, federationProblem, type Scope, searchRequestSchema } from "@mosaicstack/federation-protocol";
import {
  findCandidates,
  isSearchedByMeaning,
  narrowTo,
  type QueryVector,
  readFound,
  type SearchableResource,
  searchable,
  wentByWordsOnly,
} from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";
import { visibilityOf } from "../stages/reach.ts";
import { pageThatFits } from "./list.ts";
import { servingVerb } from "./serving-verb.ts";

/**
 * `search`: rows of the resources within the scope, best first. No index serves a text match behind the second wall, so what
 * matches is found before it, as ids and nothing else, and read through it: what the wall hides is left out.
 */
export const search = servingVerb({
  schema: searchRequestSchema,
  plan({ query: text, resources: names, limit: asked, team }, { grant, scope, maxRowsPerQuery, embedQuery }) {
    const resources = coveredResources(scope, names);
    const visibility = narrowTo(visibilityOf(grant.subjectUserId, scope), team);
    const limit = Math.min(asked, scope.maxRowsPerQuery, maxRowsPerQuery);
    const query = { text, resources, visibility };
    let vector: QueryVector | undefined;
    return {
      kind: "with rows",
      resources,
      async prepare() {
        if (isSearchedByMeaning(resources)) vector = await embedQuery?.(text);
      },
      async answer(read) {
        const before: ReadStore = { query: (sql, parameters) => read.findCandidates(sql, parameters) };
        const candidates = await findCandidates(before, { ...query, vector });
        const isBare = embedQuery !== undefined && (await wentByWordsOnly(before, { ...query, vector }));
        const wordsOnly = isBare ? ',"words_only":true' : "";
        return await pageThatFits(limit, async (most) => {
          const { rows, more } = await readFound(read, query, candidates, most, "federated");
          const json = `{"rows":[${rows.map((row) => row.json).join(",")}],"more":${more},"limit":${limit}${wordsOnly}}`;
          return { rows: rows.length, json };
        });
      },
    };
  },
});

/**
 * What is searched: the resources named, each of which the scope must cover, or all that it covers.
 * @throws Problem `resource_not_in_scope` also for one that isn't searched or doesn't exist, and where none is left
 */
function coveredResources(scope: Scope, names: readonly string[] | undefined): readonly SearchableResource[] {
  const covered = searchable.filter(({ name }) => covers(scope, name));
  const wanted = names === undefined ? covered : covered.filter(({ name }) => names.includes(name));
  const isWhole = names === undefined || names.every((name) => wanted.some((definition) => definition.name === name));
  if (!isWhole || wanted.length === 0) throw federationProblem("resource_not_in_scope");
  return wanted;
}
