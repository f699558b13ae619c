import { is } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { expect, test } from "vitest";
import { schema, sealedColumns } from "../src/index.ts";

test("every column of the schema that is named sealed_… is listed, and no other, each in a table with an id", () => {
  const tables = Object.values(schema).flatMap((each) => (is(each, PgTable) ? [getTableConfig(each)] : []));
  const columns = tables.flatMap(({ name, columns: all }) =>
    all.filter((column) => column.name.startsWith("sealed_")).map((column) => `${name}.${column.name}`),
  );
  expect(columns.length).toBeGreaterThanOrEqual(5);
  expect(sealedColumns.map(({ table, column }) => `${table}.${column}`).toSorted()).toEqual(columns.toSorted());
  for (const { table } of sealedColumns) {
    const id = tables.find(({ name }) => name === table)?.columns.find(({ primary }) => primary);
    expect([id?.name, id?.getSQLType()]).toEqual(["id", "uuid"]);
  }
});
