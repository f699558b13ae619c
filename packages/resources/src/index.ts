export { type ResourceDefinition, rowSchema, type SearchableResource, type Searching } from "./definition.ts";
export { instant, properties, text, title } from "./field.ts";
export { resourceProblem } from "./problems.ts";
export {
  type Audience,
  countRows,
  everythingOf,
  getRow,
  type ListQuery,
  listRows,
  narrowTo,
  type RowsPage,
  type Visibility,
} from "./reads.ts";
export { findResource, registry, resourceNamed, resourceNames } from "./registry.ts";
export {
  type Candidate,
  findCandidates,
  type FoundRows,
  MAX_QUERY_LENGTH,
  MAX_SEARCH_ROWS,
  queryText,
  type QueryVector,
  readFound,
  searchable,
  type SearchQuery,
} from "./search.ts";
export { isSearchedByMeaning, wentByWordsOnly } from "./words-only.ts";
export { fuse } from "./rank-fusion.ts";
export { type Created, createWriter, type ImportedRow, parseInput, type Upserted, type Writer } from "./writes.ts";
