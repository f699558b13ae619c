import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { guessDelimiter, readCsv } from "../../src/import/csv.ts";
import { chunksOf, collect } from "./bytes.ts";

async function records(text: string): Promise<unknown[]> {
  return (await collect(readCsv(chunksOf(text, 5)))).map((record) => (record.kind === "value" ? record.value : record));
}

describe("CSV", () => {
  test("the first line names the members; empty cells are left out", async () => {
    expect(await records("title,due,\nMilk,2026-01-01,x\nBread,,\n")).toEqual([
      { title: "Milk", due: "2026-01-01", "column 3": "x" },
      { title: "Bread" },
    ]);
  });

  test("quotes hold delimiters, quotes and lines", async () => {
    expect(await records('title,description\n"a, ""b""","one\ntwo"\n')).toEqual([
      { title: 'a, "b"', description: "one\ntwo" },
    ]);
  });

  test("a byte order mark and CRLF are no part of anything", async () => {
    expect(await records("\ufefftitle,due\r\nMilk,2026-01-01\r\n")).toEqual([{ title: "Milk", due: "2026-01-01" }]);
  });

  test.each([
    ["title;due\na;b", ";"],
    ["title\tdue\na\tb", "\t"],
    ["title,due\na;b;c;d", ","],
    ['"a;b;c",due\nx,y', ","],
    ["title\na", ","],
  ])("the delimiter of %j is %j", (text, delimiter) => {
    expect(guessDelimiter(text)).toBe(delimiter);
  });

  test("semicolons and tabs are read", async () => {
    expect(await records("title;due\nMilk;2026-01-01")).toEqual([{ title: "Milk", due: "2026-01-01" }]);
    expect(await records("title\tdue\nMilk\t2026-01-01")).toEqual([{ title: "Milk", due: "2026-01-01" }]);
  });

  test("two columns of the same name are both kept", async () => {
    expect(await records("title,label,label\nMilk,a,b")).toEqual([{ title: "Milk", label: "a", "label 2": "b" }]);
  });

  test("a record with more cells than names is a fault, and the next is read", async () => {
    expect(await records("title,due\na,b,c\nd,e\nf")).toMatchObject([
      { kind: "fault", place: "line 2" },
      { title: "d", due: "e" },
      { title: "f" },
    ]);
  });

  test("a record with broken quotes is a fault, and the next is read", async () => {
    const read = await records('title,due\n"a"b,c\nd,e\n');
    expect(read).toMatchObject([
      { kind: "fault", place: "line 2" },
      { title: "d", due: "e" },
    ]);
  });

  test("quotes that never close cost their own line and no other", async () => {
    expect(await records('title,due\na,b\n"never,ends\nx,y\n')).toMatchObject([
      { title: "a", due: "b" },
      { kind: "fault", place: "line 3", detail: "The quotes that open here never close." },
      { title: "x", due: "y" },
    ]);
  });

  test("quotes that never close in a file without end are noticed", async () => {
    async function* endless() {
      yield Buffer.from('title\na\n"');
      for (let count = 0; count < 90; count += 1) yield Buffer.from(`${"x".repeat(50_000)}\n`);
    }
    const read = await collect(readCsv(endless()));
    expect(read[1]).toMatchObject({ kind: "fault", place: "line 3" });
    expect(read.at(-1)).toMatchObject({ kind: "value", place: "line 92" });
  });

  test("a cell that is not UTF-8 is a fault, and the next record is read", async () => {
    const bytes = Buffer.concat([Buffer.from("title\nf"), Buffer.from([0xfc]), Buffer.from("r\nżółw\n")]);
    expect(await collect(readCsv(chunksOf(bytes)))).toMatchObject([
      { kind: "fault", place: "line 2", detail: "The record is not UTF-8." },
      { kind: "value", place: "line 3", value: { title: "żółw" } },
    ]);
  });

  test("quotes within a cell are text", async () => {
    expect(await records('title,due\nthe "big" one,x\n')).toEqual([{ title: 'the "big" one', due: "x" }]);
  });

  test("any cells come back as they were written, whatever way the bytes come", async () => {
    const cell = fc
      .string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", "ż", "🙂", " "), maxLength: 12 })
      .map((text) => `x${text}x`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        async (rows, size) => {
          const written = rows
            .map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(","))
            .join("\r\n");
          const read = await collect(readCsv(chunksOf(`a,b\n${written}`, size)));
          expect(read.map((record) => (record.kind === "value" ? Object.values(record.value) : record))).toEqual(rows);
        },
      ),
    );
  });

  test("a cell of a megabyte is read", async () => {
    const long = "x".repeat(1_000_000);
    expect((await collect(readCsv(chunksOf(`title,description\na,${long}\n`, 65_536))))[0]).toMatchObject({
      value: { description: long },
    });
  });

  test("an empty file, and one of names alone, have no records", async () => {
    expect(await records("")).toEqual([]);
    expect(await records("title,due\n")).toEqual([]);
  });
});
