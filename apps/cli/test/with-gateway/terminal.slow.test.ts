import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PASSWORD, type RealGateway, startGateway } from "../real-gateway.ts";
import { runHere, temporaryFolder } from "../run-here.ts";

const DOWN = "\u001b[B";
const ENTER = "\r";
const CANCEL = "\u0003";

let gateway: RealGateway;
beforeAll(async () => {
  gateway = await startGateway({ withAdmin: false });
});
afterAll(async () => await gateway.stop());

const typed = (text: string): string[] => [text, ENTER];

describe("on a terminal", () => {
  test("setup asks for what it needs, and shows no secret", async () => {
    const directory = await temporaryFolder();
    const keys = [
      ...typed(gateway.setupCode),
      ...typed("Ada"),
      ...typed("ada@example.org"),
      ...typed(PASSWORD),
      ...typed(PASSWORD),
    ];
    const { status, out, err } = await runHere(["setup", "--url", gateway.url], { directory, terminal: { keys } });
    expect({ status, out }).toEqual({ status: 0, out: `Ada <ada@example.org> is the first admin of ${gateway.url}\n` });
    expect(err).toContain("Your e-mail address");
    expect(err).not.toContain(PASSWORD);
    expect(err).not.toContain(gateway.setupCode);
  });

  test("login asks how, and takes the password", async () => {
    const directory = await temporaryFolder();
    const keys = [ENTER, ...typed("ada@example.org"), ...typed(PASSWORD)];
    expect(await runHere(["login", "--url", gateway.url], { directory, terminal: { keys } })).toMatchObject({
      status: 0,
    });
    expect(await runHere(["whoami"], { directory })).toMatchObject({ status: 0 });
  });

  describe("before something is deleted", () => {
    async function taskAndHome(): Promise<{ directory: string; id: string }> {
      const directory = await temporaryFolder();
      await runHere(["login", "--url", gateway.url, "--email", "ada@example.org", "--password-file", "-"], {
        directory,
        input: PASSWORD,
      });
      const { out } = await runHere(["task", "add", "Buy milk"], { directory });
      return { directory, id: out.trim() };
    }

    test("it asks, and a yes deletes", async () => {
      const { directory, id } = await taskAndHome();
      const { status, err } = await runHere(["task", "rm", id], { directory, terminal: { keys: ["y"] } });
      expect(stripVTControlCharacters(err)).toContain('Delete task "Buy milk"?');
      expect(status).toBe(0);
      expect(await runHere(["task", "get", id], { directory })).toMatchObject({ status: 5 });
    });

    test.each([
      ["no", ["n"]],
      ["nothing but Enter", [ENTER]],
      ["Ctrl-C", [CANCEL]],
    ])("it asks, and %s deletes nothing", async (_, keys) => {
      const { directory, id } = await taskAndHome();
      expect(await runHere(["task", "rm", id], { directory, terminal: { keys } })).toMatchObject({ status: 130 });
      expect(await runHere(["task", "get", id], { directory })).toMatchObject({ status: 0 });
    });

    test("--yes asks nothing, and --no-input refuses", async () => {
      const { directory, id } = await taskAndHome();
      const terminal = { keys: [] };
      expect(await runHere(["task", "rm", id, "--no-input"], { directory, terminal })).toMatchObject({ status: 2 });
      expect(await runHere(["task", "rm", id, "--yes"], { directory, terminal })).toMatchObject({ status: 0 });
    });
  });

  test("an import has a bar with rows, rate and time left on standard error; the counts are on standard output", async () => {
    const directory = await temporaryFolder();
    await runHere(["login", "--url", gateway.url, "--email", "ada@example.org", "--password-file", "-"], {
      directory,
      input: PASSWORD,
    });
    const rows = Array.from({ length: 250 }, (_, index) =>
      JSON.stringify({ key: `bar-${index}`, title: `t ${index}` }),
    );
    await writeFile(join(directory, "tasks.jsonl"), rows.join("\n"));
    const { status, out, err } = await runHere(["import", "tasks", "tasks.jsonl"], {
      directory,
      terminal: { keys: [] },
    });
    expect({ status, out }).toEqual({ status: 0, out: "tasks: 250 created, 0 updated, 0 unchanged, 0 failed\n" });
    expect(err).toMatch(/█.*%.*\d+ rows, \d+ rows\/s, \d+ s left/u);
    const quiet = await runHere(["import", "tasks", "tasks.jsonl", "--quiet"], { directory, terminal: { keys: [] } });
    expect(quiet.err).toBe("");
    const piped = await runHere(["import", "tasks", "tasks.jsonl"], { directory });
    expect(piped.err).not.toContain("█");
  });

  test("a table fits the terminal, and has no colours with NO_COLOR", async () => {
    const directory = await temporaryFolder();
    await runHere(["login", "--url", gateway.url, "--email", "ada@example.org", "--password-file", "-"], {
      directory,
      input: PASSWORD,
    });
    await runHere(["task", "add", "a title that is much too long for any terminal of eighty columns, or so"], {
      directory,
    });
    const { out } = await runHere(["task", "list", "--limit", "1"], { directory, terminal: { keys: [], columns: 70 } });
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(70);
    expect(out).toContain("…");

    const coloured = await runHere(["gateway", "doctor"], { directory, terminal: { keys: [] } });
    expect(coloured.out).toContain("\u001b[32m");
    const plain = await runHere(["gateway", "doctor"], {
      directory,
      terminal: { keys: [] },
      variables: { NO_COLOR: "1" },
    });
    expect(plain.out).not.toContain("\u001b");
  });
});

test("init asks a few questions and writes the file", async () => {
  const directory = await temporaryFolder();
  const keys = [DOWN, ENTER, ...typed("data"), ...typed("https://home.example"), ENTER];
  const { status, err } = await runHere(["init"], { directory, terminal: { keys } });
  expect(status).toBe(0);
  expect(err).toContain("What kind of gateway?");
  expect(JSON.parse(await readFile(join(directory, "mosaic.config.json"), "utf8"))).toEqual({
    tier: "federated",
    embedded: true,
    dataDirectory: "data",
    http: { publicUrl: "https://home.example" },
  });
});
