import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandGroups } from "../src/command-groups.ts";
import { OWN_VARIABLES } from "../src/environment.ts";
import { exitCodes } from "../src/exit-codes.ts";
import { readTaskStatus } from "../src/import/task-status.ts";

const guide = async (name: string): Promise<string> =>
  await readFile(join(import.meta.dirname, "../../../docs/guides", name), "utf8");

describe("docs/guides/cli.md", () => {
  test("has every exit status as `mosaic help exit-codes` has it, and no other", async () => {
    const text = await guide("cli.md");
    const rows = [...text.matchAll(/^\| (\d+) \| (.+) \|$/gmu)].map(([, status, meaning]) => [Number(status), meaning]);
    expect(rows).toEqual(Object.values(exitCodes).map(({ status, meaning }) => [status, meaning]));
  });

  test("names every command and every variable of the command's own", async () => {
    const text = await guide("cli.md");
    for (const { name } of commandGroups) expect(text).toContain(`\`${name}`);
    for (const name of OWN_VARIABLES) expect(text).toContain(`\`${name}\``);
  });
});

test("docs/guides/import.md says of each status word what it becomes", async () => {
  const rows = [...(await guide("import.md")).matchAll(/^\| (open|in_progress|done|cancelled) \| (.+) \|$/gmu)];
  expect(rows).toHaveLength(4);
  for (const [, status, words = ""] of rows) {
    for (const word of words.split(", ")) expect([word, readTaskStatus(word)]).toEqual([word, status]);
  }
});
