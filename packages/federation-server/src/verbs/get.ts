import { federationProblem, getRequestSchema } from "@mosaicstack/federation-protocol";
import { getRow } from "@mosaicstack/resources";
import { coveredResource, visibilityOf } from "../stages/reach.ts";
import { servingVerb } from "./serving-verb.ts";

/** `get`: one row. Absent, somebody else's and outside the scope are one answer, from one statement. */
export const get = servingVerb({
  schema: getRequestSchema,
  plan({ resource, id }, { grant, scope }) {
    const definition = coveredResource(scope, resource);
    const visibility = visibilityOf(grant.subjectUserId, scope);
    return {
      kind: "with rows",
      resources: [definition],
      async answer(read) {
        const row = await getRow(read.last, definition, visibility, id, "federated");
        if (row === undefined) throw federationProblem("row_not_found");
        return { rows: 1, json: `{"row":${row}}` };
      },
    };
  },
});
