import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { plantTree, REPOSITORY } from "./planted-tree.ts";

const DOCUMENT = "docs/federation/TEST-INFRA.md";

interface Line {
  readonly file: string;
  readonly titles: readonly string[];
}

/** The lines of the tables that name a file and its tests. */
function linesOf(root: string): readonly Line[] {
  const text = readFileSync(join(root, DOCUMENT), "utf8");
  return [...text.matchAll(/^\|[^|]*\| \[[^\]]+\]\(([^)]+)\) \| (`.*`) \|$/gmu)].map(([, link = "", cell = ""]) => ({
    file: normalize(join(dirname(DOCUMENT), link)),
    titles: [...cell.matchAll(/`([^`]+)`/gu)].map(([, title = ""]) => title),
  }));
}

/** The text of a test file and of the suites it runs, as far as its relative imports lead. */
function textOf(root: string, file: string, seen = new Set<string>()): string {
  const path = join(root, file);
  if (seen.has(file) || !existsSync(path)) return "";
  seen.add(file);
  const text = readFileSync(path, "utf8");
  const imported = [...text.matchAll(/from "(\.[^"]+\.ts)"/gu)].map(([, to = ""]) =>
    normalize(join(dirname(file), to)),
  );
  return [text, ...imported.map((one) => textOf(root, one, seen))].join("\n");
}

/** What a table names that is not there: files, and titles, each where a text begins with it and ends. */
function missingFrom(root: string): readonly string[] {
  return linesOf(root).flatMap(({ file, titles }) => {
    if (!existsSync(join(root, file))) return [file];
    const text = textOf(root, file);
    const isThere = (title: string): boolean => ['"', "`", "'"].some((mark) => text.includes(`${mark}${title}${mark}`));
    return titles.filter((title) => !isThere(title)).map((title) => `${file}: ${title}`);
  });
}

describe("the table of what holds and which test shows it", () => {
  test("names files and tests that are there", () => {
    expect(linesOf(REPOSITORY).length).toBeGreaterThan(25);
    expect(missingFrom(REPOSITORY)).toEqual([]);
  });

  test("names none that needs no real service", () => {
    expect(linesOf(REPOSITORY).filter(({ file }) => !/^tests\/federated\/[^/]+\.test\.ts$/u.test(file))).toEqual([]);
  });

  test("with a file or a title that is not there is caught; one in a suite that the file runs is found", () => {
    const row = (file: string, titles: string): string => `| It holds | [${file}](../../tests/${file}) | ${titles} |\n`;
    const root = plantTree({
      "docs/federation/TEST-INFRA.md": [row("a.test.ts", "`one` · `two` · `thr`"), row("b.test.ts", "`one`")].join(""),
      "tests/a.test.ts": 'import { suite } from "./suite.ts";\ntest("one", suite);\n',
      "tests/suite.ts": 'export const suite = () => test("three", () => {});\n',
    });
    expect(missingFrom(root)).toEqual(["tests/a.test.ts: two", "tests/a.test.ts: thr", "tests/b.test.ts"]);
  });
});
