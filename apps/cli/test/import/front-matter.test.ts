import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFrontMatter } from "../../src/import/front-matter.ts";

describe("front matter", () => {
  test("is taken off the text", () => {
    expect(readFrontMatter("---\ntitle: A\ntags: [x, y]\n---\n# A\n")).toEqual({
      kind: "members",
      members: { title: "A", tags: ["x", "y"] },
      body: "# A\n",
    });
  });

  test("may be empty, may end with dots, may have CRLF", () => {
    expect(readFrontMatter("---\n---\nx")).toEqual({ kind: "members", members: {}, body: "x" });
    expect(readFrontMatter("---\na: 1\n...\nx")).toEqual({ kind: "members", members: { a: 1 }, body: "x" });
    expect(readFrontMatter("---\r\na: 1\r\n---\r\nx")).toEqual({ kind: "members", members: { a: 1 }, body: "x" });
    expect(readFrontMatter("---\na: 1\n---")).toEqual({ kind: "members", members: { a: 1 }, body: "" });
  });

  test("dates stay text, and numbers that JSON has no form for become text", () => {
    expect(readFrontMatter("---\ncreated: 2024-01-02\na: .inf\nb: .nan\n---\n")).toMatchObject({
      members: { created: "2024-01-02", a: "Infinity", b: "NaN" },
    });
  });

  test.each([
    ["no front matter", "# A\n\ntext"],
    ["a rule at the start and no other", "---\ntext"],
    ["a rule later", "text\n---\na: 1\n---\n"],
    ["more than three hyphens", "----\na: 1\n----\n"],
    ["nothing", ""],
  ])("a text with %s has none", (_, text) => {
    expect(readFrontMatter(text)).toEqual({ kind: "none", body: text });
  });

  test.each([
    ["broken YAML", "---\na: [1\n---\nx"],
    ["a name twice", "---\na: 1\na: 2\n---\nx"],
    ["prose", "---\njust some text\n---\nx"],
    ["a list", "---\n- a\n---\nx"],
    ["an unknown alias", "---\na: *b\n---\nx"],
    [
      "aliases that explode",
      `---\na0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, index) => `a${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(",")}]`).join("\n")}\n---\nx`,
    ],
    ["nesting that never ends", `---\na: ${"[".repeat(500)}${"]".repeat(500)}\n---\nx`],
    ["a block that is too long", `---\n${"a: 1\n".repeat(20_000)}`],
  ])("%s is malformed, and the text stays whole", (_, text) => {
    const found = readFrontMatter(text);
    expect(found).toMatchObject({ kind: "malformed", body: text });
  });

  test("a tag makes nothing but text", () => {
    expect(readFrontMatter('---\na: !!js/function "function () {}"\n---\n')).toMatchObject({
      members: { a: "function () {}" },
    });
  });

  test("a member called __proto__ harms nobody", () => {
    readFrontMatter("---\n__proto__:\n  polluted: true\n---\n");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("whatever comes, nothing throws and nothing is lost", () => {
    const part = fc.constantFrom(
      "---",
      "\n",
      "a: ",
      "b",
      ": ",
      "[",
      "]",
      "{",
      "}",
      "&x ",
      "*x",
      "!",
      "|",
      ">",
      "- ",
      '"',
      "#",
      "\t",
      "ż",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const text = `---\n${parts.join("")}`;
        const found = readFrontMatter(text);
        expect(text.endsWith(found.body)).toBe(true);
        JSON.stringify(found);
      }),
    );
  });
});
