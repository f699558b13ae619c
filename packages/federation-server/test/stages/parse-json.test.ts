import { expect, test } from "vitest";
import { parseJson } from "../../src/stages/parse-json.ts";
import { codeOf } from "./code-of.ts";

test("JSON is read; of a member that comes twice the last one", () => {
  expect(parseJson(Buffer.from('{"a":[1,"é"],"b":1,"b":2}'))).toEqual({ a: [1, "é"], b: 2 });
});

test.each([
  ["nothing", ""],
  ["half an object", '{"a":'],
  ["two values", "{}{}"],
  ["a byte order mark", "\ufeff{}"],
  ["a member named __proto__", '{"a":{"__proto__":{}}}'],
  ["a member named __proto__, escaped", '{"\\u005f_proto__":1}'],
])("request_malformed: %s", (_name, text) => {
  expect(codeOf(() => parseJson(Buffer.from(text)))).toBe("request_malformed");
});

test("request_malformed: bytes that are not UTF-8, which would be read as other ones", () => {
  expect(codeOf(() => parseJson(Buffer.from([0x22, 0xff, 0x22])))).toBe("request_malformed");
});
