import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  federationProblem,
  GRANT_ID_OID,
  MAX_REQUEST_BYTES,
  MAX_RESPONSE_BYTES,
  MAX_ROWS,
  RENEWAL_PATH,
  REVOCATION_LIST_PATH,
  SUBJECT_USER_ID_OID,
  verbs,
} from "@mosaicstack/federation-protocol";
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

  test("names each vector, and none that is not there", () => {
    const named = [...text.matchAll(/tests\/vectors\/protocol\/([a-z-]+\.json)\)/g)].map(([, name]) => name ?? "");
    expect(named.filter((name) => !existsSync(join(VECTORS, name)))).toEqual([]);
    expect(named.toSorted()).toEqual(readdirSync(VECTORS).toSorted());
  });

  test("says what the code holds", () => {
    const group = (value: number): string => value.toLocaleString("en");
    for (const said of [
      `at most ${group(MAX_REQUEST_BYTES)} bytes`,
      `at most ${group(MAX_RESPONSE_BYTES)} bytes`,
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
  });
});
