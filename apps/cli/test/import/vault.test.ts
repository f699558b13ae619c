import { chmod, link, mkdir, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { firstHeading, noteOfMarkdown } from "../../src/import/markdown-note.ts";
import { findVault, isFolder, readVault } from "../../src/import/vault.ts";
import { temporaryFolder } from "../run-here.ts";
import { collect } from "./bytes.ts";

const modified = new Date("2026-01-02T03:04:05.678Z");
const note = (text: string, path = "folder/Żółw notes.md") => noteOfMarkdown({ path, text, modified });

describe("the title", () => {
  test("of the front matter wins", () => {
    expect(note("---\ntitle: From front\n---\n# Heading\n").row.input["title"]).toBe("From front");
  });

  test("of the first heading is next", () => {
    expect(note("intro\n\n# Heading #\n# Other").row.input["title"]).toBe("Heading");
  });

  test("of the file is last", () => {
    expect(note("text alone").row.input["title"]).toBe("Żółw notes");
    expect(note("", "README.MD").row.input["title"]).toBe("README");
  });

  test.each([
    ["Title\n=====\n", "Title"],
    ["```\n# in code\n```\n# real", "real"],
    ["~~~md\n# in code\n```\n# still\n~~~\n# real", "real"],
    ["    # indented code", undefined],
    ["## second level\n# first", "first"],
    ["#hashtag\n", undefined],
    ["# \n# x", "x"],
    ["\n===\n", undefined],
    ["   # three spaces", "three spaces"],
    ["```\n# never closed", undefined],
  ])("heading of %j is %j", (text, heading) => {
    expect(firstHeading(text)).toBe(heading);
  });

  test("that is no text is kept, and the next one used", () => {
    expect(note("---\ntitle: [a]\n---\n# H").row.input).toMatchObject({ title: "H", properties: { title: ["a"] } });
  });
});

describe("the times", () => {
  test("are the file's where the front matter has none", () => {
    expect(note("x").row).toMatchObject({
      created_at: "2026-01-02T03:04:05.678Z",
      updated_at: "2026-01-02T03:04:05.678Z",
    });
  });

  test("are the front matter's where it has them", () => {
    expect(note("---\ncreated: 2024-01-01\nupdated: 2024-02-01\n---\n").row).toMatchObject({
      created_at: "2024-01-01T00:00:00.000Z",
      updated_at: "2024-02-01T00:00:00.000Z",
    });
    expect(note("---\ndate: 2024-01-01\n---\n").row).toMatchObject({
      created_at: "2024-01-01T00:00:00.000Z",
      updated_at: "2026-01-02T03:04:05.678Z",
    });
  });

  test("that can't be read are kept, with a warning", () => {
    const { row, warnings } = note("---\ncreated: yesterday\n---\n");
    expect(row).toMatchObject({
      created_at: "2026-01-02T03:04:05.678Z",
      input: { properties: { created: "yesterday" } },
    });
    expect(warnings).toEqual(['"created" is not a date: "yesterday".']);
  });

  test("of a clock that was never set are no obstacle", () => {
    expect(noteOfMarkdown({ path: "a.md", text: "", modified: new Date(0) }).row.created_at).toBe(
      "1970-01-01T00:00:00.000Z",
    );
  });
});

test("other front matter becomes properties; owner and team are no instructions", () => {
  expect(note("---\ntags: [a]\nowner: Bob\nteam: X\n---\n").row).toEqual({
    key: "folder/Żółw notes.md",
    created_at: modified.toISOString(),
    updated_at: modified.toISOString(),
    input: { title: "Żółw notes", body: "", properties: { tags: ["a"], owner: "Bob", team: "X" } },
  });
});

test("front matter that can't be read stays in the text, with a warning", () => {
  const { row, warnings } = note("---\na: [\n---\n# T\n");
  expect(row.input).toMatchObject({ title: "T", body: "---\na: [\n---\n# T\n", properties: {} });
  expect(warnings[0]).toMatch(/^The front matter can't be read/u);
});

describe("a folder", () => {
  async function vault(): Promise<string> {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "sub", "deeper"), { recursive: true });
    await mkdir(join(folder, ".obsidian"));
    await writeFile(join(folder, "b.md"), "b");
    await writeFile(join(folder, "A.MD"), "a");
    await writeFile(join(folder, ".hidden.md"), "no");
    await writeFile(join(folder, ".obsidian", "c.md"), "no");
    await writeFile(join(folder, "image.png"), "no");
    await writeFile(join(folder, "sub", "zażółć.md".normalize("NFD")), "z");
    await writeFile(join(folder, "sub", "deeper", "漢字.md"), "k");
    return folder;
  }

  test("is read with its sub-folders; hidden and other files are counted, not read", async () => {
    const found = await findVault(await vault());
    expect(found.files.map((file) => file.normalize("NFC"))).toEqual([
      "A.MD",
      "b.md",
      "sub/deeper/漢字.md",
      "sub/zażółć.md",
    ]);
    expect(found.skipped).toEqual({ hidden: 2, links: 0, otherFiles: 1 });
  });

  test("gives keys that are composed, with slashes", async () => {
    const folder = await vault();
    const rows = await collect(readVault(folder, await findVault(folder)));
    expect(rows.map((row) => (row.kind === "row" ? row.row.key : row))).toEqual([
      "A.MD",
      "b.md",
      "sub/deeper/漢字.md",
      "sub/zażółć.md",
    ]);
    expect(rows.map(({ progress }) => progress)).toEqual([1, 2, 3, 4]);
  });

  test("links are not followed, neither to files nor to folders", async () => {
    const [folder, outside] = [await vault(), await temporaryFolder()];
    await writeFile(join(outside, "secret.md"), "secret");
    await symlink(join(outside, "secret.md"), join(folder, "link.md"));
    await symlink(outside, join(folder, "linked-folder"));
    await symlink(folder, join(folder, "sub", "loop"));
    const found = await findVault(folder);
    expect(found.files).toHaveLength(4);
    expect(found.skipped.links).toBe(3);
  });

  test("two names of one file are two notes", async () => {
    const folder = await vault();
    await link(join(folder, "b.md"), join(folder, "b2.md"));
    expect((await findVault(folder)).files).toContain("b2.md");
  });

  test("a file that can't be read as text is a fault, and the next is read", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.md"), Buffer.from([0x66, 0xfc, 0x72]));
    await writeFile(join(folder, "b.md"), "x");
    await truncate(join(folder, "b.md"), 5 * 1024 * 1024);
    await writeFile(join(folder, "c.md"), Buffer.from("\ufeffwith mark"));
    await writeFile(join(folder, "d.md"), Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from("Żółw", "utf16le")]));
    const rows = await collect(readVault(folder, await findVault(folder)));
    expect(rows).toMatchObject([
      { kind: "fault", place: "a.md", detail: "The file is not UTF-8." },
      { kind: "fault", place: "b.md", detail: "The file is larger than 4 MiB." },
      { kind: "row", row: { input: { body: "with mark" } } },
      { kind: "row", row: { input: { body: "Żółw" } } },
    ]);
  });

  test("a file that went away meanwhile is a fault", async () => {
    const folder = await temporaryFolder();
    const rows = await collect(
      readVault(folder, { files: ["gone.md"], skipped: { hidden: 0, links: 0, otherFiles: 0 } }),
    );
    expect(rows).toMatchObject([{ kind: "fault", place: "gone.md", detail: "The file can't be read (ENOENT)." }]);
  });

  test("the file's time is the note's", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.md"), "x");
    await utimes(join(folder, "a.md"), modified, new Date("2020-05-06T00:00:00Z"));
    expect(await collect(readVault(folder, await findVault(folder)))).toMatchObject([
      { row: { created_at: "2020-05-06T00:00:00.000Z" } },
    ]);
  });

  test("that is not there is said so", async () => {
    const folder = await temporaryFolder();
    await expect(findVault(join(folder, "nowhere"))).rejects.toMatchObject({ code: "file_not_found" });
    await expect(isFolder(join(folder, "nowhere"))).rejects.toMatchObject({ code: "file_not_found" });
  });

  // Root reads everything, so there is nothing to refuse.
  test.skipIf(process.getuid?.() === 0)("that may not be read is said so", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "closed"));
    await chmod(join(folder, "closed"), 0o000);
    await expect(findVault(folder)).rejects.toMatchObject({ code: "file_unreadable" });
  });
});
