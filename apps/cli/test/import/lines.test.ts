import { describe, expect, test } from "vitest";
import { readJsonLines } from "../../src/import/json-lines.ts";
import { readLines } from "../../src/import/lines.ts";
import { chunksOf, collect } from "./bytes.ts";

describe("lines", () => {
  test.each([1, 2, 7, 1000])("are the same whatever way the bytes come, %i at a time", async (size) => {
    const text = "\ufeffżółw\r\n\n  \nsecond 🙂\nlast";
    const lines = await collect(readLines(chunksOf(text, size)));
    expect(lines).toEqual([
      { kind: "value", place: "line 1", value: "żółw", progress: 12 },
      { kind: "value", place: "line 4", value: "second 🙂", progress: 28 },
      { kind: "value", place: "line 5", value: "last", progress: 32 },
    ]);
  });

  test("one that is not UTF-8 is a fault, and the next is read", async () => {
    const bytes = Buffer.concat([Buffer.from("a\n"), Buffer.from([0x66, 0xfc, 0x72, 0x0a]), Buffer.from("b\n")]);
    expect(
      (await collect(readLines(chunksOf(bytes)))).map((line) => (line.kind === "value" ? line.value : line.detail)),
    ).toEqual(["a", "The line is not UTF-8.", "b"]);
  });

  test("one that is too long is a fault, is not kept in memory, and the next is read", async () => {
    const long = Buffer.alloc(9 * 1024 * 1024, 0x61);
    const lines = await collect(readLines(chunksOf(Buffer.concat([long, Buffer.from("\nb")]), 65_536)));
    expect(lines).toMatchObject([
      { kind: "fault", place: "line 1", detail: "The line is longer than 8 MiB." },
      { kind: "value", place: "line 2", value: "b" },
    ]);
  });

  test("an empty file has none", async () => {
    expect(await collect(readLines(chunksOf("")))).toEqual([]);
  });
});

describe("JSON lines", () => {
  test("a line that is no JSON object is a fault, and the next is read", async () => {
    const text = '{"a":1}\n{"a":\n[1]\nnull\n"x"\n{"b":2}';
    const records = await collect(readJsonLines(chunksOf(text)));
    expect(records.map((record) => (record.kind === "value" ? record.value : record.place))).toEqual([
      { a: 1 },
      "line 2",
      "line 3",
      "line 4",
      "line 5",
      { b: 2 },
    ]);
  });
});
