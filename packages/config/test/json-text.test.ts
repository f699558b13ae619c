import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJson } from "../src/json-text.ts";

test("every JSON text reads as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2, "\t"), (text, space) => {
      const value: unknown = JSON.parse(text);
      expect(readJson(JSON.stringify(value, null, space))).toEqual({ kind: "value", value });
    }),
  );
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("a text cut or changed anywhere is refused whenever JSON.parse refuses it", () => {
  const change = fc.constantFrom("", '"', ",", "{", "}", "[", "]", ":", "\\", "0", "-", ".", "e", "\n", "\u0000", "x");
  fc.assert(
    fc.property(fc.json(), fc.nat(), change, (text, at, inserted) => {
      const start = at % (text.length + 1);
      const changed = text.slice(0, start) + inserted + text.slice(start + 1);
      const reading = readJson(changed);
      const givenTwice = reading.kind === "malformed" && reading.message.includes("already given");
      // A name given twice is the one thing refused here that JSON.parse takes.
      expect(reading.kind === "value" || givenTwice).toBe(parses(changed) || givenTwice);
    }),
    { numRuns: 2000 },
  );
});

describe("a fault is found where it is:", () => {
  test.each([
    ["a trailing comma", '{"a": 1,}', 1, 9, "a name in double quotes"],
    ["a comment", '{\n  // tier\n  "a": 1}', 2, 3, "a name in double quotes"],
    ["single quotes", "{'a': 1}", 1, 2, "a name in double quotes"],
    ["a missing comma", '{"a": 1\n "b": 2}', 2, 2, "a comma or }"],
    ["a missing colon", '{"a" 1}', 1, 6, "a colon"],
    ["an unquoted value", '{"a": local}', 1, 7, "a value"],
    ["a quote left open", '{"a": "local\n}', 1, 7, "not closed"],
    ["a Windows path", String.raw`{"a": "C:\data"}`, 1, 7, "bad backslash"],
    ["a number with a leading zero", '{"a": 007}', 1, 7, "a value"],
    ["an open list", "[1, 2", 1, 6, "a comma or ]"],
    ["two values", "{} {}", 1, 4, "the end of the file"],
    ["nothing", "", 1, 1, "a value"],
    ["a name given twice", '{"a": 1,\n "a": 2}', 2, 2, "already given"],
    ["bottomless nesting", "[".repeat(100_000), 1, 34, "too deep"],
  ])("%s", (_, text, line, column, message) => {
    expect(readJson(text)).toEqual({ kind: "malformed", line, column, message: expect.stringContaining(message) });
  });
});
