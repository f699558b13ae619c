import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { embeddings } from "../schema/embeddings.ts";
import * as schema from "../schema/index.ts";

/** A column of a primary key. */
export interface KeyColumn {
  /** Quoted for SQL. */
  readonly name: string;
  /** As SQL has it: `uuid`. */
  readonly type: string;
}

/** One table of the schema, as the migration reads and writes it. Names are quoted for SQL, `name` apart. */
export interface TablePlan {
  readonly name: string;
  /** With its schema: `"public"."tasks"`. */
  readonly sql: string;
  /** Every column but the generated ones, which the target works out for itself. */
  readonly columns: readonly string[];
  readonly key: readonly KeyColumn[];
  /** What of a row can be large: an SQL expression for its bytes. */
  readonly bytes: string;
  /** Whether a gateway has one row there at most, so that a second one, of another gateway, must not join it. */
  readonly atMostOne: boolean;
}

/** A table that stays behind, and why: the reason is told to whoever migrates. */
export interface SkippedTable {
  readonly name: string;
  readonly sql: string;
  readonly reason: string;
}

/** What moves, in an order in which every row finds the rows it refers to, and what doesn't. */
export interface MigrationTables {
  readonly copied: readonly TablePlan[];
  readonly skipped: readonly SkippedTable[];
}

/** What becomes of a table. */
export type TableDecision = "copy" | "copy one row" | { readonly skip: string };

/**
 * Somebody has to decide for each table: a new one with tokens in it must not move because nobody thought of it. A test
 * fails while a table of the schema is not listed.
 */
export const tableDecisions: Readonly<Record<string, TableDecision>> = {
  users: "copy",
  accounts: "copy",
  api_keys: "copy",
  teams: "copy",
  team_members: "copy",
  tasks: "copy",
  notes: "copy",
  memories: "copy",
  credentials: "copy",
  certificate_authorities: "copy one row",
  federation_grants: "copy",
  federation_grant_scopes: "copy",
  federation_certificates: "copy",
  federation_revocations: "copy",
  federation_audit_log: "copy",
  federation_audit_chain: "copy one row",
  federation_peers: "copy",
  sessions: { skip: "people sign in again" },
  verifications: { skip: "one-time codes, the setup code among them" },
  federation_enrollment_tokens: { skip: "one-time tokens: make a new invite for a grant nobody has claimed yet" },
  federation_server_certificates: { skip: "made again at the first start" },
  embeddings: { skip: "made again from the rows" },
  search_words: { skip: "made by the rows that are copied" },
  idempotency_keys: { skip: "only needed for requests being tried again" },
};

/** Every table of this project, on whatever tier. */
const schemaTables: readonly PgTable[] = [...Object.values<unknown>(schema), embeddings].filter((each) =>
  is(each, PgTable),
);

/**
 * Reads the schema, so that the order of tables follows from their foreign keys.
 * @param tables default: this project's
 * @throws Error where a table has no decision or no primary key, or tables refer to each other in a circle
 */
export function planTables(
  tables: readonly PgTable[] = schemaTables,
  decisions: Readonly<Record<string, TableDecision>> = tableDecisions,
): MigrationTables {
  const configs = tables.map((table) => getTableConfig(table)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const copied = new Map<string, { readonly plan: TablePlan; readonly refersTo: readonly string[] }>();
  const skipped: SkippedTable[] = [];
  for (const config of configs) {
    const decision = decisions[config.name];
    if (decision === undefined) throw new Error(`Nobody has decided whether the table ${config.name} migrates.`);
    const sql = `${quoted(config.schema ?? "public")}.${quoted(config.name)}`;
    if (typeof decision === "object") {
      skipped.push({ name: config.name, sql, reason: decision.skip });
      continue;
    }
    const refersTo = config.foreignKeys.map((key) => getTableConfig(key.reference().foreignTable).name);
    const plan = planOf(config, sql, decision === "copy one row");
    copied.set(config.name, { plan, refersTo: refersTo.filter((name) => name !== config.name) });
  }
  return { copied: inOrder(copied), skipped };
}

function planOf(config: ReturnType<typeof getTableConfig>, sql: string, atMostOne: boolean): TablePlan {
  // In the key's own order, along which its index is read.
  const names = config.primaryKeys[0]?.columns.map((column) => column.name) ?? [];
  const key = config.columns
    .filter((column) => column.primary || names.includes(column.name))
    .toSorted((one, other) => names.indexOf(one.name) - names.indexOf(other.name));
  if (key.length === 0) throw new Error(`The table ${config.name} has no primary key to read it by.`);
  const columns = config.columns.filter((column) => column.generated === undefined);
  const sizes = columns
    .map((column) => ({ name: quoted(column.name), type: column.getSQLType() }))
    .filter(({ type }) => !SMALL.test(type))
    // Neither reads what is stored apart: a text's length is known without it, and so is what a value takes on disk.
    .map(({ name, type }) => `coalesce(${type === "text" ? `octet_length(${name})` : `pg_column_size(${name})`}, 0)`);
  return {
    name: config.name,
    sql,
    columns: columns.map((column) => quoted(column.name)),
    key: key.map((column) => ({ name: quoted(column.name), type: column.getSQLType() })),
    bytes: ["64", ...sizes].join(" + "),
    atMostOne,
  };
}

const SMALL = /^(uuid|integer|bigint|boolean|timestamp|date)/;

/** The first, by name, of the tables whose referred-to tables are there already; again until all are. */
function inOrder(
  tables: ReadonlyMap<string, { readonly plan: TablePlan; readonly refersTo: readonly string[] }>,
): TablePlan[] {
  const left = new Map(tables);
  const order: TablePlan[] = [];
  while (left.size > 0) {
    const next = [...left].find(([, { refersTo }]) => !refersTo.some((name) => left.has(name)));
    if (next === undefined) throw new Error(`These tables refer to each other: ${[...left.keys()].join(", ")}.`);
    order.push(next[1].plan);
    left.delete(next[0]);
  }
  return order;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
