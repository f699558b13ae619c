export { type ResourceDefinition, rowSchema } from "./definition.ts";
export { instant, properties, text, title } from "./field.ts";
export { resourceProblem } from "./problems.ts";
export {
  type Audience,
  everythingOf,
  getRow,
  type ListQuery,
  listRows,
  narrowTo,
  type RowsPage,
  type Visibility,
} from "./reads.ts";
export { findResource, registry, resourceNamed, resourceNames } from "./registry.ts";
export { type Created, createWriter, type ImportedRow, parseInput, type Upserted, type Writer } from "./writes.ts";
