import { describe, expect, test } from "vitest";
import { plantTree, REPOSITORY } from "./planted-tree.ts";
import {
  catchAllNames,
  lockedAddresses,
  longFiles,
  starExports,
  undescribedWorkspaces,
  unfinishedMarks,
  unknownScripts,
  unlockedDependencies,
} from "./repository-rules.ts";

const lines = (count: number): string => "// line\n".repeat(count);
const lock = (resolved: string): string => JSON.stringify({ packages: { "node_modules/a": { resolved } } });

describe("the repository", () => {
  test("its lock file names no download address", () => expect(lockedAddresses(REPOSITORY)).toEqual([]));
  test("its lock file covers every platform", () => expect(unlockedDependencies(REPOSITORY)).toEqual([]));
  test("its files are short enough to read", () => expect(longFiles(REPOSITORY)).toEqual([]));
  test("its exports are listed by hand", () => expect(starExports(REPOSITORY)).toEqual([]));
  test("its files and folders are named for what they hold", () => expect(catchAllNames(REPOSITORY)).toEqual([]));
  test("it holds no unfinished marks", () => expect(unfinishedMarks(REPOSITORY)).toEqual([]));
  test("its workspaces say what they are", () => expect(undescribedWorkspaces(REPOSITORY)).toEqual([]));
  test("its documents name only scripts that exist", () => expect(unknownScripts(REPOSITORY)).toEqual([]));
});

describe("planted offenders are caught", () => {
  test.each(["https://registry.example/a.tgz", "http://localhost/a.tgz", "git+ssh://git@example/a.git"])(
    "a lock file with %s",
    (address) => {
      expect(lockedAddresses(plantTree({ "package-lock.json": lock(address) }))).toEqual(["node_modules/a"]);
    },
  );

  test("a lock file that names a workspace's folder is fine", () => {
    expect(lockedAddresses(plantTree({ "package-lock.json": lock("packages/a") }))).toEqual([]);
  });

  test("a lock file without the binary of some platform", () => {
    const packages = {
      "apps/b": { optionalDependencies: { top: "1", gone: "1" } },
      "node_modules/a": { optionalDependencies: { "@a/inner": "1", top: "1", "@a/win32": "1" } },
      "node_modules/a/node_modules/@a/inner": {},
      "node_modules/top": {},
      "apps/b/node_modules/c": { optionalDependencies: { near: "1", top: "1", far: "1" } },
      "apps/b/node_modules/near": {},
    };
    const root = plantTree({ "package-lock.json": JSON.stringify({ packages }) });
    expect(unlockedDependencies(root)).toEqual([
      "apps/b: gone",
      "node_modules/a: @a/win32",
      "apps/b/node_modules/c: far",
    ]);
  });

  test("a source of 401 lines, a reviewed one of 600, a test of 901", () => {
    const root = plantTree({
      "packages/a/src/long.ts": lines(401),
      "packages/a/src/fine.ts": lines(400),
      "packages/a/src/reviewed.ts": lines(599),
      "packages/a/src/too-long.ts": lines(600),
      "packages/a/test/long.test.ts": lines(901),
      "tests/federation/fine.test.ts": lines(900),
      "packages/storage/src/migrations/0000_first.sql": lines(2000),
      "docs/long.md": lines(2000),
    });
    const reviewed = { "packages/a/src/reviewed.ts": "one table", "packages/a/src/too-long.ts": "one table" };
    expect(longFiles(root, reviewed)).toEqual([
      "packages/a/src/long.ts: 401",
      "packages/a/src/too-long.ts: 600",
      "packages/a/test/long.test.ts: 901",
    ]);
  });

  test("export * in each of its forms, and not in a text", () => {
    const root = plantTree({
      "a.ts": `export * from "./b.ts";\nexport * as b from "./b.ts";\nexport type * from "./b.ts";\n`,
      "b.ts": `// export * from "./a.ts"\nexport const text = 'export * from "./a.ts"';\n`,
    });
    expect(starExports(root)).toEqual(["a.ts:1", "a.ts:2", "a.ts:3"]);
  });

  test("catch-all names of files and folders", () => {
    const root = plantTree({
      "packages/a/src/utils.ts": "",
      "packages/a/src/date-helpers.ts": "",
      "packages/a/src/common/clock.ts": "",
      "packages/a/test/helper.test.ts": "",
      "apps/b/lib/one.ts": "",
      "apps/b/lib/two.ts": "",
      "apps/b/src/common-name.ts": "",
      "apps/b/src/calibrate.ts": "",
    });
    expect(catchAllNames(root)).toEqual([
      "apps/b/lib",
      "packages/a/src/common",
      "packages/a/src/date-helpers.ts",
      "packages/a/src/utils.ts",
      "packages/a/test/helper.test.ts",
    ]);
  });

  test("unfinished marks in code and prose, and not the todo.txt format", () => {
    const mark = ["TO", "DO"].join("");
    const root = plantTree({
      "a.ts": `const todo = "todo.txt";\n// ${mark}: later\n`,
      "docs/guide.md": `${["FIX", "ME"].join("")} write this\n`,
      ".ci/run": `# ${mark}\n`,
    });
    expect(unfinishedMarks(root)).toEqual([".ci/run:1", "a.ts:2", "docs/guide.md:1"]);
  });

  test("a workspace without a description, and one with a blank one", () => {
    const root = plantTree({
      "package.json": JSON.stringify({ workspaces: ["packages/*"] }),
      "packages/a/package.json": "{}",
      "packages/b/package.json": JSON.stringify({ description: " " }),
      "packages/c/package.json": JSON.stringify({ description: "Counts." }),
    });
    expect(undescribedWorkspaces(root)).toEqual(["packages/a", "packages/b"]);
  });

  test("a document that names a script nobody wrote", () => {
    const root = plantTree({
      "package.json": JSON.stringify({ scripts: { demo: "", "check:lint": "" } }),
      "README.md": "`npm ci && npm run demo -- --once`, `npm run check:lint`, then `npm run chekc`.\n",
      "docs/guide.md": "npm test\n",
    });
    expect(unknownScripts(root)).toEqual(["README.md: chekc", "docs/guide.md: test"]);
  });
});
