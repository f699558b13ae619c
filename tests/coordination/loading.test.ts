import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { readModule } from "../../scripts/repository/read-module.ts";

const INDEX = join(import.meta.dirname, "../../packages/coordination/src/index.ts");

/** What loading a module loads, of ours and of others. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { specifier, kind } of readModule(file, readFileSync(file, "utf8")).imports) {
    if (kind !== "static" || specifier === null) continue;
    if (specifier.startsWith(".")) loadedBy(join(dirname(file), specifier), seen);
    else seen.add(specifier);
  }
  return seen;
}

test("importing the package loads neither BullMQ nor ioredis", () => {
  const loaded = loadedBy(INDEX);
  expect([...loaded].filter((name) => /bullmq|ioredis|src\/valkey\//.test(name))).toEqual([]);
  expect(loaded).toContain("@mosaicstack/foundation");
});

test("connecting loads both, and so the test above would see them", () => {
  const loaded = loadedBy(join(dirname(INDEX), "valkey/open-valkey.ts"));
  expect(loaded).toContain("bullmq");
  expect(loaded).toContain("ioredis");
});
