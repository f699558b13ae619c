import { federationProblem } from "@mosaicstack/federation-protocol";
import { getRow, type ResourceDefinition, type Visibility } from "@mosaicstack/resources";
import type { ReadStore } from "@mosaicstack/storage";

/** `get`: one row. Absent, somebody else's and outside the scope are one answer, from one statement. */
export async function answerGet(
  store: ReadStore,
  definition: ResourceDefinition,
  visibility: Visibility,
  id: string,
): Promise<{ rows: number; json: string }> {
  const row = await getRow(store, definition, visibility, id, "federated");
  if (row === undefined) throw federationProblem("row_not_found");
  return { rows: 1, json: `{"row":${row}}` };
}
