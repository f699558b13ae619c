import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { burstOf } from "@mosaicstack/coordination";
import {
  capabilitiesResponseSchema,
  enrollmentRequestSchema,
  enrollmentResponseSchema,
  federationProblem,
  getRequestSchema,
  GRANT_ID_OID,
  listRequestSchema,
  listResponseSchema,
  MAX_REQUEST_BYTES,
  MAX_PAGE_BYTES,
  MAX_ROW_BYTES,
  MAX_ROWS,
  newToken,
  RENEWAL_PATH,
  renewalRequestSchema,
  renewalResponseSchema,
  REVOCATION_LIST_PATH,
  searchRequestSchema,
  searchResponseSchema,
  SUBJECT_USER_ID_OID,
  type Verb,
  verbs,
} from "@mosaicstack/federation-protocol";
import { registry } from "@mosaicstack/resources";
import { describe, expect, test } from "vitest";
import { MOST_REFUSALS } from "../src/serving-audit.ts";
import { OVERLAP_MS } from "../src/stages/require-usable.ts";

const DOCUMENT = join(import.meta.dirname, "../../../docs/federation/PROTOCOL.md");
const VECTORS = join(import.meta.dirname, "../../../tests/vectors/protocol");
const text = readFileSync(DOCUMENT, "utf8");
/** Of an administrator's input: it never crosses the wire. */
const NOT_ON_THE_WIRE = new Set(["scope_invalid"]);

describe("docs/federation/PROTOCOL.md", () => {
  test("lists the codes that cross the wire with their statuses, and no others", () => {
    const listed = [...text.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    const codes = Object.entries(federationProblem.table).filter(([code]) => !NOT_ON_THE_WIRE.has(code));
    expect(new Map(listed as [string, number][])).toEqual(new Map(codes.map(([code, { status }]) => [code, status])));
  });

  test("has a part on each verb", () => {
    const parts = [...text.matchAll(/^### (\S+)$/gm)].map(([, verb]) => String(verb));
    expect(parts.toSorted()).toEqual([...verbs].toSorted());
  });

  test("has the members, the members of a get and the filters of each resource, and no others", () => {
    const named = (cell: string): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => String(name)).toSorted();
    const [, table = ""] = /\n\| resource \| members of a row [^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)/.exec(text) ?? [];
    const documented = table.trim().split("\n");
    const served = registry.map(({ name, fields, filters }) => {
      const federating = Object.entries(fields).filter(([, field]) => field.federates);
      const namesOf = (isListed: boolean): string[] =>
        federating.filter(([, field]) => (field.in !== "get") === isListed).map(([member]) => member);
      return [[name], namesOf(true), namesOf(false), Object.keys(filters)].map((names) => names.toSorted());
    });
    expect(documented.map((row) => row.split("|").slice(1, -1).map(named))).toEqual(served);
  });

  test("names each member of each verb's request and answer", () => {
    const shapes = {
      list: [listRequestSchema, listResponseSchema],
      get: [getRequestSchema],
      search: [searchRequestSchema, searchResponseSchema],
      capabilities: [capabilitiesResponseSchema],
    } satisfies Record<Verb, readonly { readonly shape: object }[]>;
    for (const verb of verbs) {
      const [, part = ""] = new RegExp(`\n### ${verb}\n([^]*?)\n##`).exec(text) ?? [];
      const members = shapes[verb].flatMap(({ shape }) => Object.keys(shape));
      expect([verb, members.filter((member) => !new RegExp(`\`${member}\\b`).test(part))]).toEqual([verb, []]);
    }
  });

  test("shows enrollment and renewal as they are read", () => {
    const blocks = [...text.matchAll(/```json\n([^]*?)```/g)].map(([, json]) => JSON.parse(String(json)) as object);
    const [enrollment = {}, ...others] = blocks;
    const shown = [{ ...enrollment, token: newToken() }, ...others];
    const schemas = [enrollmentRequestSchema, enrollmentResponseSchema, renewalRequestSchema, renewalResponseSchema];
    // What a schema doesn't name it leaves out or refuses, so that what is parsed is all there is.
    expect(schemas.map((schema, index) => schema.parse(shown[index]))).toEqual(shown);
  });

  test("names each vector, and none that is not there", () => {
    const named = [...text.matchAll(/tests\/vectors\/protocol\/([a-z-]+\.json)\)/g)].map(([, name]) => name ?? "");
    expect(named.filter((name) => !existsSync(join(VECTORS, name)))).toEqual([]);
    expect(named.toSorted()).toEqual(readdirSync(VECTORS).toSorted());
  });

  test("says what the code holds", () => {
    const group = (value: number): string => value.toLocaleString("en");
    for (const said of [
      `at most ${group(MAX_REQUEST_BYTES)} bytes`,
      `at most ${group(MAX_ROW_BYTES)} bytes`,
      `at most ${group(MAX_PAGE_BYTES)}`,
      `1 to ${MAX_ROWS} |`,
      `${OVERLAP_MS / 1000} seconds longer`,
      `one by one up to ${MOST_REFUSALS} a minute`,
      `POST ${RENEWAL_PATH}`,
      `example.org${REVOCATION_LIST_PATH}`,
      `| \`${GRANT_ID_OID}\` | the grant's id |`,
      `| \`${SUBJECT_USER_ID_OID}\` | the id of the subject`,
    ]) {
      expect(text).toContain(said);
    }
    expect(text).toContain("a sixth of them at once after a rest but at least ten");
    expect([600, 30].map(burstOf)).toEqual([100, 10]);
  });
});
