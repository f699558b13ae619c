import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runHere, temporaryFolder } from "./run-here.ts";

const run = promisify(execFile);

/** What bash offers after these words, the last of which is being typed. */
async function offered(words: readonly string[]): Promise<string[]> {
  const folder = await temporaryFolder();
  const script = join(folder, "mosaic.bash");
  await writeFile(script, (await runHere(["completion", "bash"])).out);
  await writeFile(join(folder, "some-file.csv"), "");
  const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mosaic; printf "%s\\n" "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", program, "bash", script, ...words], { cwd: folder });
  return stdout.split("\n").filter((line) => line !== "");
}

describe("in bash", () => {
  test("a command is completed", async () => {
    expect(await offered(["mosaic", "fed"])).toEqual(["federation"]);
    expect(await offered(["mosaic", "federation", "grant", ""])).toEqual(
      expect.arrayContaining(["create", "list", "revoke"]),
    );
  });

  test("a flag is completed, of the command and of all commands", async () => {
    expect(await offered(["mosaic", "task", "list", "--s"])).toEqual(["--source", "--status"]);
    expect(await offered(["mosaic", "task", "list", "--js"])).toEqual(["--json"]);
    expect(await offered(["mosaic", "--js"])).toEqual(["--json"]);
  });

  test("a value is completed where a flag has only a few", async () => {
    expect(await offered(["mosaic", "task", "list", "--status", ""])).toEqual([
      "open",
      "in_progress",
      "done",
      "cancelled",
    ]);
  });

  test("a flag's value is not taken for a command", async () => {
    expect(await offered(["mosaic", "--profile", "task", "no"])).toEqual(["note"]);
    expect(await offered(["mosaic", "task", "add", "--team", "list", "--du"])).toEqual(["--due"]);
  });

  test("a file is offered where a flag takes any value", async () => {
    expect(await offered(["mosaic", "task", "add", "x", "--description-file", "some"])).toEqual(["some-file.csv"]);
  });
});

test.each(["zsh", "fish"])("the script for %s has every command and flag", async (shell) => {
  const { status, out } = await runHere(["completion", shell]);
  expect(status).toBe(0);
  for (const word of ["federation", "revoke", "in_progress", "dry-run"]) expect(out).toContain(word);
});
