import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandsOf, stepsOf } from "./document-blocks.ts";
import { type DocumentRun, runDocument } from "./document-commands.ts";

const block = (text: string, mark = "", language = "sh"): string =>
  `${mark === "" ? "" : `<!-- ${mark} -->\n`}\`\`\`${language}\n${text}\n\`\`\`\n`;
const stepsIn = (...blocks: string[]): ReturnType<typeof stepsOf> => stepsOf("here", blocks.join("\n"));

describe("reading a document", () => {
  test("a fence of another language is refused: what is in it would go by unseen", () => {
    expect(() => stepsIn(block("mosaic start", "", "bash"))).toThrow("here:1: `bash` is none of");
    expect(() => stepsIn(block("mosaic start", "", ""))).toThrow("here:1: `` is none of");
  });

  test("an unknown mark, one that marks nothing and one that is misspelled are refused", () => {
    expect(() => stepsIn(block("true", "run: sometimes"))).toThrow("unknown mark");
    expect(() => stepsIn(block("true", "not run: too slow"))).toThrow("unknown mark");
    expect(() => stepsIn("<!-- run: edit -->\n\ntext")).toThrow("not on the line before a block");
    expect(() => stepsIn(block("true", "run background"))).toThrow("not spelled as one");
    expect(() => stepsIn("```sh\ntrue\n")).toThrow("does not end");
  });

  test("a section ends at the next of its rank", () => {
    const document = `## One\n${block("one")}### More\n${block("more")}## Two\n${block("two")}`;
    expect(stepsOf("here", document, "## One").map((step) => "text" in step && step.text)).toEqual(["one", "more"]);
  });

  test("a continued line is one command", () => {
    expect(commandsOf("docker run \\\n  image\n# a remark\nls")).toEqual(["docker run image", "ls"]);
  });
});

describe("running a document", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "mosaic-blocks-")));
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));
  const run = (blocks: readonly string[], more: Partial<DocumentRun> = {}): ReturnType<typeof runDocument> =>
    runDocument({ steps: stepsIn(...blocks), directory, path: process.env["PATH"] ?? "", ...more });

  test("what a block sets stays for the next, and for one in the background", async () => {
    const counts = await run([
      block("export WORD=kept\ncd /"),
      block('[ "$WORD" = kept ] && [ "$PWD" = / ]'),
      block("echo now: $WORD\nexec sleep 60", "run: background"),
      block("now: kept", "run: output", "text"),
      block('trap "exit 0" INT; echo second; read -rt 30 _ < <(sleep 30)', "run: background"),
      block("second", "run: output", "text"),
      "<!-- run: stop -->",
    ]).catch((error: unknown) => String(error));
    // sleep itself dies of Ctrl-C, which a gateway must not.
    expect(counts).toContain("it ended with SIGINT");
  });

  test.each([
    ["a command that fails", block("false\ntrue")],
    ["one within a pipe", block("false | true")],
    ["a variable that is not set", block('echo "$NOT_SET"')],
    ["a status other than the document's", block("exit 6", "run: ends with 7")],
    ["other output than the document's", `${block("echo one")}\n${block("two", "run: output", "text")}`],
    ["a stop with nothing to stop", "<!-- run: stop -->"],
    [
      "a background program that ends before it prints what it should",
      `${block("exit 0", "run: background")}\n${block("ready", "run: output", "text")}`,
    ],
  ])("%s fails it", async (_, document) => {
    await expect(run([document])).rejects.toThrow("here:");
  });

  test("values to edit are the test's, in what is printed too; one without a value, and a value without its variable, fail", async () => {
    const edited = block("export HOST=db.example # where\necho $HOST!", "run: edit");
    await run([edited, block("db.example!", "run: output", "text")], { edits: { HOST: "127.0.0.1" } });
    await expect(run([edited])).rejects.toThrow("no value for HOST");
    await expect(run([edited], { edits: { HOST: "x", PORT: "1" } })).rejects.toThrow("does not have PORT");
  });

  test("a question on the terminal is answered, and what is printed after can be compared", async () => {
    const counts = await run(
      [block('read -rp "Who? " who; echo "hello $who"', "run: typed"), block("hello Ada", "run: output", "text")],
      {
        answers: { "Who?": "Ada" },
      },
    );
    expect(counts).toMatchObject({ typed: 1, output: 1 });
  });
});
