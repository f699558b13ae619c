import type { TablePlan } from "./table-plan.ts";

/** What a table holds, comparable between two databases. */
export interface TableDigest {
  readonly rows: number;
  /** The sum of a 64-bit piece of each row's MD5, as a decimal: the order of rows doesn't matter, every value does. */
  readonly checksum: string;
}

/** A row of {@link digestSql}. */
export interface DigestRow {
  readonly rows: string;
  readonly checksum: string;
}

/**
 * Settings under which both databases write the same value as the same text. The last keeps a server's own limit from
 * ending what takes as long as it takes.
 */
export const TEXT_SETTINGS =
  "set client_encoding to 'UTF8'; set timezone to 'UTC'; set datestyle to 'ISO'; set intervalstyle to 'postgres'; " +
  "set extra_float_digits to 1; set bytea_output to 'hex'; set statement_timeout to 0";

/** A row of the table as one text, NULL told apart from an empty text. */
export function rowText({ columns }: TablePlan, alias?: string): string {
  const prefix = alias === undefined ? "" : `${alias}.`;
  return `row(${columns.map((column) => `${prefix}${column}`).join(", ")})::text`;
}

/** @param where of the rows to count; default all */
export function digestSql(table: TablePlan, where = "true"): string {
  const piece = `('x' || left(md5(${rowText(table)}), 16))::bit(64)::bigint::numeric`;
  return `select count(*)::text as rows, coalesce(sum(${piece}), 0)::text as checksum from ${table.sql} where ${where}`;
}

export function digestOf(row: DigestRow | undefined): TableDigest {
  if (row === undefined) throw new Error("a digest is always one row");
  return { rows: Number(row.rows), checksum: row.checksum };
}

export function sameDigest(one: TableDigest, other: TableDigest): boolean {
  return one.rows === other.rows && one.checksum === other.checksum;
}
