import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { exitCodes } from "../src/exit-codes.ts";
import { createProgram } from "../src/program.ts";
import { VERSION } from "../src/version.ts";
import { testHost, runHere } from "./run-here.ts";

/** Every command there is, its words before it. */
async function everyCommand(): Promise<{ readonly path: string; readonly command: Command }[]> {
  const { command: program, loadGroup } = createProgram(testHost("/").host, () => undefined);
  for (const group of program.commands) await loadGroup(group);
  const walk = (command: Command, path: string): { path: string; command: Command }[] => [
    { path, command },
    ...command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`)),
  ];
  return walk(program, "mosaic");
}

const commands = await everyCommand();

describe.each(commands.map(({ path, command }) => [path, command] as const))("%s", (path, command) => {
  test("has a help that starts with examples of itself", async () => {
    const { status, out, err } = await runHere([...path.split(" ").slice(1), "--help"]);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toMatch(/^Examples:\n/u);
    expect(out.split("Usage:")[0]).toContain(path);
    expect(out).toContain("--json");
  });

  test("says in a few words what it is for, and what each flag is", () => {
    expect((command.summary() || command.description()).length).toBeGreaterThan(10);
    for (const option of command.options) expect(option.description, option.flags).not.toBe("");
  });

  test("takes no secret as a flag's value", () => {
    // A flag that names a file, or asks, is how a secret comes in.
    const takingValues = command.options.filter(({ required, optional }) => required || optional);
    const secret = /^--(?:.*-)?(?:password|secret|code|token|api-key)$/u;
    expect(takingValues.filter(({ long }) => secret.test(long ?? ""))).toEqual([]);
  });
});

describe("a mistake on the command line", () => {
  test.each([
    [["tsk", "list"], "Unknown command 'tsk'.", "Did you mean task?"],
    [["task", "lst"], "Unknown command 'lst'.", "Did you mean one of list, ls?"],
    [["federation", "grant", "crate"], "Unknown command 'crate'.", "Did you mean create?"],
    [["task", "list", "--sauce", "all"], "Unknown option '--sauce'.", "Did you mean --source?"],
    [["task", "add"], "Missing required argument 'title'.", "--help"],
    [["task", "add", "a", "b"], "Too many arguments for 'add'", "--help"],
    [["task", "list", "--limit", "0"], "--limit", "whole number from 1"],
    [["task", "list", "--status", "finished"], "Allowed choices are open, in_progress, done, cancelled", "--help"],
    [["task", "add", "a", "--due", "tomorrow"], "is not a date", "2026-12-03"],
    [["task", "edit", "a"], "Nothing to change was given.", "--help"],
    [["task", "add", "a", "--property", "x"], "--property takes name=value", "--help"],
    [["help", "nothing"], 'There is no command or topic "nothing".', "mosaic --help"],
    [["completion", "tcsh"], 'There is no completion for "tcsh".', "bash, zsh or fish"],
    [["start", "--set", "http.port"], "--set takes setting=value", "--set http.port=8080"],
  ])("%j says what, and what to do", async (words, what, remedy) => {
    // A key, so that what is wrong with the words is found first all the same.
    const { status, out, err } = await runHere(words, { variables: { MOSAIC_API_KEY: "k" } });
    expect({ status, out }).toEqual({ status: 2, out: "" });
    expect(err).toContain(what);
    expect(err).toContain(remedy);
    expect(err).toContain("(usage_invalid)");
  });

  test("is JSON on standard error with --json, wherever that stands", async () => {
    for (const words of [
      ["--json", "task", "lst"],
      ["task", "lst", "--json"],
    ]) {
      const { status, out, err } = await runHere(words);
      expect({ status, out }).toEqual({ status: 2, out: "" });
      expect(JSON.parse(err)).toMatchObject({
        version: 1,
        command: "task",
        error: { code: "usage_invalid", exit_status: 2 },
      });
    }
  });

  test.each([[[]], [["task"]], [["federation", "grant"]]])(
    "a group without a command (%j) shows its help on standard error",
    async (words) => {
      const { status, out, err } = await runHere(words);
      expect({ status, out }).toEqual({ status: 2, out: "" });
      expect(err).toMatch(/^Examples:/u);
    },
  );
});

describe("without a terminal nothing is asked", () => {
  const key = { MOSAIC_API_KEY: "k" };
  test.each([
    [["credential", "add", "x", "--kind", "token"], "input_needed", "--secret-file"],
    [["login"], "input_needed", "--key-file"],
    [["setup"], "input_needed", "--code-file"],
    [["user", "edit", "ada", "--password"], "input_needed", "--password-file"],
  ])("%j says which flag to give", async (words, code, flag) => {
    const { status, err } = await runHere(words, { variables: key });
    expect(status).toBe(2);
    expect(err).toContain(`(${code})`);
    expect(err).toContain(flag);
  });

  test("an empty secret is refused", async () => {
    const { status, err } = await runHere(["credential", "add", "x", "--kind", "token", "--secret-file", "-"], {
      variables: key,
      input: "\n",
    });
    expect({ status, err }).toMatchObject({ status: 2, err: expect.stringContaining("The secret is empty.") });
  });
});

describe("help", () => {
  test("lists the exit codes as the command has them", async () => {
    const { out } = await runHere(["help", "exit-codes"]);
    for (const { status, meaning } of Object.values(exitCodes))
      expect(out).toContain(`${String(status).padStart(3)}  ${meaning}`);
  });

  test("of a command is the same by both ways", async () => {
    expect((await runHere(["help", "task", "add"])).out).toBe((await runHere(["task", "add", "--help"])).out);
  });

  test("has no escape sequences off a terminal", async () => {
    expect((await runHere(["--help"])).out).not.toMatch(/\u001b/u);
  });
});

test("the version is the package's", async () => {
  const manifest = JSON.parse(await readFile(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  expect(VERSION).toBe(manifest.version);
  expect(await runHere(["--version"])).toEqual({ status: 0, out: `${VERSION}\n`, err: "" });
});

test("nobody is signed in, and that is said before anything is sent", async () => {
  const { status, err } = await runHere(["task", "list", "--json"]);
  expect(status).toBe(4);
  expect(JSON.parse(err)).toMatchObject({ error: { code: "not_signed_in", exit_status: 4 } });
});
