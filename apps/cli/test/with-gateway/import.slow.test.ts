import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PASSWORD, type RealGateway, startGateway } from "../real-gateway.ts";
import { runHere, temporaryFolder } from "../run-here.ts";

interface Summary {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly warnings: readonly { place: string; detail: string }[];
  readonly failures: readonly { place: string; code: string }[];
}

/** The folder with the real data; without it that part is left out. */
const KEP_DATA = process.env["KEP_DATA"] ?? "";

let gateway: RealGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => await gateway.stop());

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

describe("import", () => {
  test("people, with their teams, then their tasks: twice is once", async () => {
    const directory = await folderWith({
      "people.jsonl":
        '{"name":"Grace","teams":["Navy","Compilers"]}\n{"name":"Alan","email":"alan@example.org","teams":[]}\n{"email":"nobody"}\n',
      "tasks.csv":
        "Title,State,Due Date,ID,Team,Owner,Colour\nShip,done,2026-12-03,T-1,Navy,Grace,grey\nWrite,soon,not a date,T-2,Compilers,grace@example.org,\nLost,open,,T-3,Nowhere,Grace,\n",
    });
    const people = await gateway.mosaic(["import", "people", "people.jsonl", "--email-domain", "example.org"], {
      directory,
    });
    expect(people).toMatchObject({ status: 8, out: "people: 2 created, 0 updated, 0 unchanged, 1 failed\n" });
    expect(people.err).toContain("line 3 failed: The person has no name.");

    const tasks = ["import", "tasks", "tasks.csv"];
    const dry = await gateway.data<Summary>([...tasks, "--dry-run"], { directory, status: 8 });
    expect(dry).toMatchObject({ created: 2, failed: 1, dry_run: true });
    const first = await gateway.data<Summary>(tasks, { directory, status: 8 });
    expect(first).toMatchObject({
      created: 2,
      failed: 1,
      complete: true,
      failures: [{ place: "line 4", code: "unknown_team" }],
      warnings: [
        { place: "line 3", detail: 'The status "soon" is not known; the task is open.' },
        { place: "line 3", detail: '"Due Date" is not a date: "not a date".' },
      ],
    });
    expect(await gateway.data<Summary>(tasks, { directory, status: 8 })).toMatchObject({
      created: 0,
      updated: 0,
      unchanged: 2,
      failed: 1,
    });

    await writeFile(
      join(directory, "tasks.csv"),
      "title,status,due,key,team,owner\nShip it,done,2026-12-03,T-1,Navy,Grace\n",
    );
    expect(await gateway.data<Summary>(tasks, { directory })).toMatchObject({
      created: 0,
      updated: 1,
      unchanged: 0,
      failed: 0,
    });
  });

  test("a folder of Markdown", async () => {
    const directory = await folderWith({
      "vault/Żółw.md": "---\ntitle: Turtle\ntags: [a]\ncreated: 2024-01-02\n---\n# x\n",
      "vault/sub/漢字.md": "# Kanji\n\ntext",
      "vault/.obsidian/x.md": "no",
      "vault/broken.md": "---\na: [\n---\ntext",
    });
    const { status, out, err } = await gateway.mosaic(["import", "notes", "vault"], { directory });
    expect({ status, out }).toEqual({ status: 0, out: "notes: 3 created, 0 updated, 0 unchanged, 0 failed\n" });
    expect(err).toContain("3 Markdown files; passed over: 1 hidden");
    expect(err).toContain("broken.md: The front matter can't be read");
    expect(await gateway.data(["note", "get", "Żółw.md"])).toMatchObject({
      row: {
        title: "Turtle",
        body: "# x\n",
        properties: { tags: ["a"] },
        created_at: "2024-01-02T00:00:00.000Z",
        team: null,
      },
    });
    expect(await gateway.data(["note", "get", "sub/漢字.md"])).toMatchObject({ row: { title: "Kanji" } });
    expect(await gateway.data<Summary>(["import", "notes", "vault"], { directory })).toMatchObject({
      unchanged: 3,
      created: 0,
      updated: 0,
    });
  });

  test("todo.txt from standard input, done twice, with a task finished in between", async () => {
    const words = ["import", "tasks", "-", "--format", "todo.txt"];
    const first = await gateway.data<Summary>(words, { input: "(A) Call +Family\nWater plants\nWater plants\n" });
    expect(first).toMatchObject({ created: 3, failed: 0 });
    const second = await gateway.data<Summary>(words, {
      input: "x 2026-01-05 Call +Family\nWater plants\nWater plants\n",
    });
    expect(second).toMatchObject({ created: 0, updated: 1, unchanged: 2 });
  });

  test("a row that breaks the request is found, and the others get in", async () => {
    const lines = [
      '{"key":"p1","title":"fine"}',
      '{"key":"p2","title":"poisoned","properties":{"__proto__":{"x":1}}}',
      '{"key":"p3","title":"fine"}',
    ];
    const summary = await gateway.data<Summary>(["import", "tasks", "-", "--format", "jsonl"], {
      input: lines.join("\n"),
      status: 8,
    });
    expect(summary).toMatchObject({ created: 2, failed: 1, failures: [{ place: "line 2" }] });
  });

  test.each([
    [["import", "tasks", "nowhere.csv"], 5, "file_not_found"],
    [["import", "notes", "nowhere"], 5, "file_not_found"],
    [["import", "tasks", "x.xlsx"], 2, "format_unknown"],
    [["import", "tasks", "-"], 2, "format_unknown"],
    [["import", "people", "todo.txt"], 2, "format_unknown"],
  ])("%j ends with %i", async (words, status, code) => {
    expect(await gateway.mosaic(words)).toMatchObject({ status, err: expect.stringContaining(`(${code})`) });
  });

  test("rows of others are for admins", async () => {
    const directory = await temporaryFolder();
    await gateway.mosaic(["user", "add", "Bob", "--email", "bob@example.org", "--password-file", "-"], {
      input: PASSWORD,
    });
    await runHere(["login", "--url", gateway.url, "--email", "bob@example.org", "--password-file", "-"], {
      directory,
      input: PASSWORD,
    });
    const input = '{"key":"b1","title":"mine"}\n{"key":"b2","title":"hers","owner":"Grace"}';
    const { status, out } = await runHere(["import", "tasks", "-", "--format", "jsonl", "--json"], {
      directory,
      input,
    });
    expect(status).toBe(8);
    expect(JSON.parse(out)).toMatchObject({
      data: { created: 1, failed: 1, failures: [{ place: "line 2", code: "not_your_row" }] },
    });
    expect(
      await runHere(["import", "people", "-", "--format", "jsonl"], { directory, input: '{"name":"Eve"}' }),
    ).toMatchObject({ status: 4 });
  });
});

describe.runIf(KEP_DATA !== "")("the real data", () => {
  test("452 people, 537 tasks, 536 notes: all of them, and none twice", async () => {
    const file = (name: string): string => join(KEP_DATA, name);
    expect(
      await gateway.data<Summary>(["import", "people", file("people.jsonl"), "--email-domain", "kep.example"]),
    ).toMatchObject({ created: 452, failed: 0 });
    const tasks = await gateway.data<Summary>(["import", "tasks", file("tasks.jsonl")]);
    expect(tasks).toMatchObject({ created: 537, failed: 0 });
    expect(tasks.warnings.some(({ detail }) => detail.includes("yyyy-mm-dd"))).toBe(true);
    expect(await gateway.data<Summary>(["import", "notes", file("notes.jsonl")])).toMatchObject({
      created: 536,
      failed: 0,
    });
    expect(await gateway.data<Summary>(["import", "tasks", file("tasks.jsonl")])).toMatchObject({
      created: 0,
      updated: 0,
      unchanged: 537,
    });
    expect(await gateway.data<Summary>(["import", "notes", file("notes.jsonl")])).toMatchObject({
      created: 0,
      updated: 0,
      unchanged: 536,
    });
  }, 120_000);
});
