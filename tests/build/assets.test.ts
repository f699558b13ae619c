import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyAssets } from "../../scripts/build/assets.ts";
import { plantTree } from "../guards/planted-tree.ts";

const reads = (path: string): string => `export const at = new URL("${path}", import.meta.url);\n`;

const A = "packages/a/src/index.ts";
const B = "packages/b/src/index.ts";

test("a folder beside a source goes beside the chunks, whole", () => {
  const root = plantTree({
    [A]: reads("./migrations/"),
    "packages/a/src/migrations/0000_first.sql": "",
    "packages/a/src/migrations/meta/journal.json": "",
    "dist/app/mosaic.js": "",
  });
  expect(copyAssets(root, [A, "node_modules/z/index.js"], join(root, "dist/app"))).toEqual(["migrations"]);
  expect(existsSync(join(root, "dist/app/migrations/0000_first.sql"))).toBe(true);
  expect(existsSync(join(root, "dist/app/migrations/meta/journal.json"))).toBe(true);
});

test("the manifest one level up is the package's own", () => {
  const root = plantTree({ [A]: reads("../package.json"), "packages/a/package.json": "{}", "dist/package.json": "{}" });
  expect(copyAssets(root, [A], join(root, "dist/app"))).toEqual([]);
});

test.each([
  ["names nothing", { [A]: reads("./gone/") }],
  ["reaches a module", { [A]: reads("./worker.ts"), "packages/a/src/worker.ts": "" }],
  ["leaves the bundle's folder", { [A]: reads("../assets/logo.svg"), "packages/a/assets/logo.svg": "" }],
  [
    "share a name",
    { [A]: reads("./text/"), "packages/a/src/text/a": "", [B]: reads("./text/"), "packages/b/src/text/b": "" },
  ],
])("refused: a reference that %s", (reason, files: Record<string, string>) => {
  const root = plantTree({ ...files, "dist/app/mosaic.js": "" });
  const inputs = [A, B].filter((path) => files[path] !== undefined);
  expect(() => copyAssets(root, inputs, join(root, "dist/app"))).toThrow(reason);
});
