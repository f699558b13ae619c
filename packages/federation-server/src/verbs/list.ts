import { federationProblem, type ListRequest } from "@mosaicstack/federation-protocol";
import { listRows, narrowTo, type ResourceDefinition, type Visibility } from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";

/** `list`: a page of rows, newest first, as the database built its JSON. */
export async function answerList(
  store: ReadStore,
  definition: ResourceDefinition,
  visibility: Visibility,
  request: ListRequest,
  limit: number,
): Promise<{ rows: number; json: string }> {
  const { before, filters = {} } = request;
  const { team, ...own } = filters;
  for (const [name, value] of Object.entries(own)) {
    const filter = Object.hasOwn(definition.filters, name) ? definition.filters[name] : undefined;
    if (filter?.schema.safeParse(value).success !== true) {
      const path = `filters.${name}`;
      throw federationProblem("request_malformed", { detail: "No such filter, or value of it.", extensions: { path } });
    }
  }
  const query = { limit, before, filters: own };
  const page = await listRows(store, definition, narrowTo(visibility, team), query, "federated");
  return { rows: page.count, json: `{"rows":${page.json},"more":${page.more},"limit":${limit}}` };
}
